"""From a committed load to its versions: every variant is built, then judged, then those that pass are published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import pyarrow as pa

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.outcome import LoadOutcome, VariantOutcome
from modelyard_api.contract.progress import Phase
from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.dataset_status import COLUMNS_SHOWN, ColumnStatus, ValidationStatus
from modelyard_loader.record.building import Content, Loaded
from modelyard_loader.record.loads import LoadContent, parts_after
from modelyard_loader.record.planning import PlannedVariant, plan
from modelyard_loader.record.variants import Publisher
from modelyard_loader.surroundings import Surroundings
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits, pod_limits
from modelyard_loader.validation.judging import Candidate, Verdict, judge
from modelyard_loader.validation.results import record_results
from modelyard_loader.validation.rulebook import Judged, Rulebook, rulebook
from modelyard_loader.working_copy.guard import publishing
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_runtime.columns import ARROW_TYPES

_SIDE_BY_SIDE = 4
"""Variants whose small objects are read or written at a time: what they wait for is the store."""


@dataclass(frozen=True)
class Plan:
    """What is to be published, judged against the columns of the loaded rows."""

    variants: tuple[PlannedVariant, ...]
    rules: Rulebook


def plan_of(step: LoadStep, columns: Sequence[Column], limits: Limits) -> Plan:
    """Judges variants and rules. Raises InvalidSpecError with the path of what does not fit."""
    schema = pa.schema([pa.field(each.name, ARROW_TYPES[each.type]) for each in columns])
    with closing(Engine(schema.empty_table(), limits)) as engine:
        planned = plan(step.variants, columns, tuple(step.primary_key), engine, step.split)
    judged = [
        Judged(each.variant.name, each.variant.from_, each.chain.key, each.chain.columns) for each in planned
    ]
    return Plan(tuple(planned), rulebook(step.validation, judged))


@dataclass(frozen=True)
class Publication:
    """One load that is committed; ``entries`` are all up to it."""

    step: LoadStep
    surroundings: Surroundings
    entries: Sequence[LedgerEntry]
    planned: Callable[[tuple[Column, ...]], Plan]
    """The plan for these columns."""

    @property
    def entry(self) -> LedgerEntry:
        """The load."""
        return self.entries[-1]

    def publish(self, *, changed: bool = True) -> LoadOutcome:
        """Publishes every version that keeps the rules; what is published already is left as it is."""
        content = LoadContent.of(self.entry)
        limits = pod_limits(self.surroundings.environment)
        plan = self.planned(tuple(content.columns))
        loaded, store = self._loaded(content), self.surroundings.store
        publisher = Publisher(self.step, store, loaded, limits, plan.variants)
        with publishing(self.surroundings.postgres, self.step.owner):
            with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="looking") as pool:
                known = list(pool.map(publisher.existing, plan.variants))
            if not plan.rules.rules and all(known):
                return self._outcome(content, [each for each in known if each], None, changed=changed)
            contents = self._built(publisher, plan)
            verdict = self._judged(publisher, plan, contents, limits)
            variants = self._published(publisher, plan, contents, verdict)
        status = verdict.status(self.entry.sequence) if plan.rules.rules else None
        return self._outcome(content, variants, status, changed=changed)

    def _built(self, publisher: Publisher, plan: Plan) -> list[Content]:
        progress = self.surroundings.progress
        progress.begin(Phase.BUILDING, len(plan.variants))
        contents = []
        for planned in plan.variants:
            contents.append(publisher.build(planned))
            progress.add(1)
        return contents

    def _judged(
        self, publisher: Publisher, plan: Plan, contents: Sequence[Content], limits: Limits
    ) -> Verdict:
        self.surroundings.progress.begin(Phase.VALIDATING, len(plan.rules.rules))
        candidates = [
            Candidate(
                planned.variant.name,
                content.rows,
                content.columns,
                content.statistics,
                partial(publisher.reader, content),
            )
            for planned, content in zip(plan.variants, contents, strict=True)
        ]
        verdict = judge(plan.rules, candidates, self.surroundings.clock(), limits)
        around = self.surroundings
        record_results(around.postgres, around.store, self.step.owner, self.entry.sequence, verdict)
        return verdict

    def _published(
        self, publisher: Publisher, plan: Plan, contents: Sequence[Content], verdict: Verdict
    ) -> list[VariantOutcome]:
        progress = self.surroundings.progress
        progress.begin(Phase.PUBLISHING, len(plan.variants))

        def published(planned: PlannedVariant, content: Content) -> VariantOutcome | None:
            if planned.variant.name in verdict.blocked:
                outcome = publisher.last_good(planned.variant.name)
            else:
                outcome = publisher.publish(planned, content)
            progress.add(1)
            return outcome

        with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="publishing") as pool:
            outcomes = list(pool.map(published, plan.variants, contents))
        return [each for each in outcomes if each is not None]

    def _loaded(self, content: LoadContent) -> Loaded:
        entry = self.entry
        replaced = [each.sequence for each in self.entries if LoadContent.of(each).current is not None]
        return Loaded(
            sequence=entry.sequence,
            audit_head=entry.hash,
            loaded_at=entry.completed_at,
            key=tuple(content.key),
            columns=tuple(content.columns),
            parts=tuple(parts_after(self.entries, entry.sequence)),
            appended_since=max(replaced, default=1),
            sums=content.sums,
        )

    def _outcome(
        self,
        content: LoadContent,
        variants: list[VariantOutcome],
        status: ValidationStatus | None,
        *,
        changed: bool,
    ) -> LoadOutcome:
        entry = self.entry
        missing = content.missing or [0] * len(content.columns)
        columns = [
            ColumnStatus(name=column.name, type=column.type, missing=count)
            for column, count in zip(content.columns, missing, strict=True)
        ]
        return LoadOutcome(
            sequence=entry.sequence,
            rows=entry.total_rows,
            rejected=sum(each.rejected for each in self.entries),
            source_rows=content.snapshot.rows if content.snapshot else None,
            percent=f"{Decimal(entry.percentage).normalize():f}",
            batch_name=entry.batch_name,
            seconds=round((entry.completed_at - entry.started_at).total_seconds(), 3),
            source_digest=entry.source_digest,
            audit_head=entry.hash,
            variants=variants,
            columns=columns[:COLUMNS_SHOWN],
            validation=status,
            changed=changed,
        )
