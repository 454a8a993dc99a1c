"""The step of a Dataset from beginning to end: source, files on S3, working copy, versions.

The order is what makes it safe to kill: the files of a load are on S3 before the transaction that names them is committed,
its record and its versions are written only after, and a second run goes on from what is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.outcome import Outcome
from modelyard_api.contract.steps import LoadStep
from modelyard_loader.publishing import Plan, Publication, plan_of
from modelyard_loader.record.loads import LoadContent, LoadRecords, parts_after
from modelyard_loader.staging.columns import Reshaping, check_values, must_have_values, other_columns
from modelyard_loader.staging.direct import load_directly
from modelyard_loader.staging.refresh import refresh
from modelyard_loader.staging.steps import NextRows, is_all
from modelyard_loader.staging.work import Before, Work
from modelyard_loader.surroundings import Surroundings
from modelyard_loader.transforms.limits import pod_limits
from modelyard_loader.working_copy.altering import count_missing
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import LoadTransaction, check_next, commit, committed
from modelyard_loader.working_copy.rebuild import caught_up
from modelyard_loader.working_copy.tables import DatasetTable
from modelyard_runtime.errors import StepError

_log = logging.getLogger(__name__)


def load(step: LoadStep, surroundings: Surroundings) -> Outcome:
    """Makes sure that a load is committed, and publishes it. Raises the errors of ``modelyard_runtime.errors``."""
    return Loader(step, surroundings).run()


class Loader:
    """One step and the places that it works on."""

    def __init__(self, step: LoadStep, surroundings: Surroundings) -> None:
        self._step = step
        self._surroundings = surroundings
        self._plans: dict[tuple[Column, ...], Plan] = {}
        self._records = LoadRecords(surroundings.store, step.owner.name, step.owner.uid)

    def run(self) -> Outcome:
        """Loads, unless that is done or there is nothing to load, and publishes every variant."""
        before = self._committed()
        check_next(len(before), self._step)
        columns = self._other_columns(before[-1]) if before else None
        known = before[: max(self._step.sequence, _last_reshaped(before))]
        changed = True
        if columns is not None:
            known = [*before, self._reshape(before, columns)]
        elif len(known) < self._step.sequence:
            entry = self._load(known)
            changed = entry is not None
            known = [*known, entry] if entry else known
        else:
            _log.info("load %d was committed before", known[-1].sequence)
            self._tidy(before[-1])
        outcome = Publication(self._step, self._surroundings, known, self._planned).publish(changed=changed)
        return Outcome(load=outcome)

    def _committed(self) -> list[LedgerEntry]:
        """All loads, ledger and record on S3 having been made to agree."""
        postgres, owner = self._surroundings.postgres, self._step.owner
        if caught_up(postgres, self._surroundings.store, owner, self._surroundings.progress) is None:
            return []
        return committed(postgres, owner)

    def _other_columns(self, last: LedgerEntry) -> tuple[Column, ...] | None:
        """Columns that the loaded rows shall have from now on; None where they have them.

        Raises DataError where loaded rows miss a value that they must have.
        """
        content, asked = LoadContent.of(last), self._step.columns
        columns = other_columns(asked, content)
        required = must_have_values(asked, content) if columns is None else []
        if required:
            postgres = self._surroundings.postgres
            table = DatasetTable.of(postgres.schema, self._step.owner, content.key, content.columns)
            counts = postgres.transact(lambda connection: count_missing(connection, table, required))
            check_values(zip(required, counts, strict=True))
        return columns

    def _reshape(self, before: Sequence[LedgerEntry], columns: tuple[Column, ...]) -> LedgerEntry:
        """Gives the loaded rows other columns, as a load of its own; what the step asks for beside it comes later."""
        last, standing = before[-1], _before(before)
        step = self._step.model_copy(update={"sequence": last.sequence + 1, "percent": last.percentage})
        if standing is None:
            raise StepError("rows that were never loaded have no columns to change")
        work = Work(step, self._surroundings, self._surroundings.clock(), self._planned, standing)
        entry = self._commit(step, Reshaping(work, standing, columns, before).load)
        if entry is None:
            raise StepError("the load that changes the columns was not made")
        return entry

    def _load(self, known: Sequence[LedgerEntry]) -> LedgerEntry | None:
        """Makes the load; None where there is nothing new."""
        work = Work(self._step, self._surroundings, self._surroundings.clock(), self._planned, _before(known))
        snapshot = work.before.content.snapshot if work.before else None
        if work.before is None and is_all(self._step.percent):
            entry = self._commit(self._step, lambda transaction: load_directly(work, transaction))
        elif work.before is None or (
            snapshot is not None and snapshot.loaded < snapshot.rows and not self._step.refresh
        ):
            rows = NextRows(work)
            entry = self._commit(self._step, rows.load)
            rows.tidy()
        else:
            entry = self._commit(self._step, lambda transaction: refresh(work, transaction))
        return entry

    def _commit(
        self, step: LoadStep, make: Callable[[LoadTransaction], LedgerEntry | None]
    ) -> LedgerEntry | None:
        entry = commit(self._surroundings.postgres, step, make)
        if entry is None:
            _log.info("the source has nothing new")
            return None
        _log.info("load %d is committed: %d rows", entry.sequence, entry.total_rows)
        self._records.write(entry)
        return entry

    def _tidy(self, last: LedgerEntry) -> None:
        """Removes rows that waited and are loaded, which a loader that was killed has left."""
        snapshot = LoadContent.of(last).snapshot
        if snapshot is None or snapshot.staging is None:
            Work(self._step, self._surroundings, last.started_at, self._planned).area.clear()

    def _planned(self, columns: tuple[Column, ...]) -> Plan:
        """The plan for these columns, made once."""
        if columns not in self._plans:
            limits = pod_limits(self._surroundings.environment)
            self._plans[columns] = plan_of(self._step, columns, limits)
        return self._plans[columns]


def _last_reshaped(entries: Sequence[LedgerEntry]) -> int:
    """Number of the last load that changed the columns: from then on nothing is published in the old ones."""
    return max((each.sequence for each in entries if each.metadata.get("reshaped")), default=0)


def _before(known: Sequence[LedgerEntry]) -> Before | None:
    if not known:
        return None
    last = known[-1]
    parts = parts_after(known, last.sequence)
    return Before(LoadContent.of(last), tuple(parts), last.total_rows, last.source_digest)
