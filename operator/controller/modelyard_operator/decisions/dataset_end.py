"""What the answer of a Dataset's step means for its status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from modelyard_api.conditions import MESSAGE_LIMIT, Observation, shorten
from modelyard_api.contract.manifest import manifest_uri
from modelyard_api.contract.outcome import LoadOutcome, Outcome, RebuildOutcome, SweepOutcome, VariantOutcome
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus, VariantStatus
from modelyard_api.v1alpha1.reasons import DatasetReason
from modelyard_operator.decisions.attempts import Progress
from modelyard_operator.decisions.dataset_conditions import LOADED, PROGRESSING, after_load, after_verify
from modelyard_operator.decisions.dataset_facts import DatasetFacts
from modelyard_operator.decisions.due import Mark, made_for
from modelyard_operator.decisions.plan import true
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.steps import Due, StepEnd, StepKind

LIMIT_BYTES = 16 * 1024


@dataclass(frozen=True)
class Answer:
    """What a step's end means."""

    status: DatasetStatus
    observed: tuple[Observation, ...]
    end: StepEnd
    announce: Observation | None = None
    """What is worth an event, besides changes of conditions."""


def take_answer(
    dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts, seen: Progress, due: Due
) -> Answer | None:
    """Status and conditions after a step that succeeded; None where it answered as another kind of step."""
    outcome = seen.outcome or Outcome.model_construct()
    seconds = _seconds(facts, seen)
    ended = (seen.ended or facts.step.now).replace(microsecond=0)
    match due.kind:
        case StepKind.LOAD if outcome.load is not None:
            return _after_load(dataset, spec, facts, outcome.load, due, ended)
        case StepKind.VERIFY if outcome.verify is not None:
            told = (after_verify(outcome.verify),)
            return Answer(marked(dataset, due), told, StepEnd(due.kind, seconds))
        case StepKind.SWEEP if outcome.sweep is not None:
            announce = true(PROGRESSING, DatasetReason.SWEPT, _swept(outcome.sweep))
            return Answer(marked(dataset, due), (), StepEnd(due.kind, seconds), announce)
        case StepKind.REBUILD if outcome.rebuild is not None:
            return _after_rebuild(dataset, outcome.rebuild, due, seconds)
    return None


def marked(dataset: DatasetObject, due: Due) -> DatasetStatus:
    """The status after a step beside the load: made once, whatever came of it."""
    status = dataset.status
    mark = made_for(dataset, status.load.sequence if status.load else 0)
    match due.kind:
        case StepKind.VERIFY:
            request = due.request or Mark.read(status.verified).request
            return status.model_copy(update={"verified": Mark(mark, request).write()})
        case StepKind.SWEEP:
            last = Mark.read(status.swept)
            mark = last.made_for if due.dry_run else mark
            return status.model_copy(update={"swept": Mark(mark, due.request or last.request).write()})
        case StepKind.REBUILD:
            return status.model_copy(update={"rebuilt": due.request})
        case StepKind.LOAD:
            return status


def _swept(sweep: SweepOutcome) -> str:
    verb = "would remove" if sweep.dry_run else "removed"
    return (
        f"Retention {verb} {sweep.versions_removed} versions, {sweep.objects_removed} objects and "
        f"{sweep.bytes_removed} bytes, and kept {sweep.versions_kept} versions"
    )


def fit(status: DatasetStatus) -> DatasetStatus:
    """The status within ``LIMIT_BYTES``: classes give way first, then columns, broken rules and long messages."""
    fitting = status
    for classes, columns, broken, message in (
        (12, 40, 10, MESSAGE_LIMIT),
        (4, 40, 10, MESSAGE_LIMIT),
        (0, 20, 10, 2048),
        (0, 10, 5, 1024),
        (0, 0, 2, 512),
        (0, 0, 0, 256),
    ):
        fitting = _trimmed(status, classes, columns, broken, message)
        if len(fitting.model_dump_json(by_alias=True, exclude_none=True).encode()) <= LIMIT_BYTES:
            break
    return fitting


def _trimmed(status: DatasetStatus, classes: int, columns: int, broken: int, message: int) -> DatasetStatus:
    validation = status.validation
    if validation is not None:
        validation = validation.model_copy(update={"broken": validation.broken[:broken]})
    return status.model_copy(
        update={
            "variants": [
                item.model_copy(update={"classes": item.classes[:classes]}) for item in status.variants
            ],
            "columns": status.columns[:columns],
            "validation": validation,
            "conditions": [
                item.model_copy(update={"message": shorten(item.message, message)})
                for item in status.conditions
            ],
        }
    )


def _after_load(
    dataset: DatasetObject,
    spec: DatasetSpec,
    facts: DatasetFacts,
    load: LoadOutcome,
    due: Due,
    ended: datetime,
) -> Answer:
    status = dataset.status
    before = status.load or LoadStatus()
    variants = [_variant(dataset, spec, facts, load.sequence, item) for item in load.variants]
    summary = ", ".join(f"{item.name} {item.rows}×{item.columns}" for item in variants)  # noqa: RUF001  a sign of size
    seconds = load.seconds if load.seconds is not None else _seconds_of(facts, ended)
    published = before.published_time
    if load.changed or before.recipe != dataset.recipe or published is None:
        published = ended
    now_loaded = LoadStatus(
        sequence=load.sequence,
        rows=load.rows,
        source_rows=load.source_rows if load.source_rows is not None else before.source_rows,
        percent=load.percent,
        rejected=load.rejected,
        last_batch=load.batch_name or before.last_batch,
        last_time=ended,
        published_time=published,
        duration_seconds=f"{seconds:.1f}" if seconds is not None else None,
        source_digest=load.source_digest,
        audit_head=load.audit_head,
        handled_request=due.request or before.handled_request,
        recipe=dataset.recipe,
        parent=due.parent,
    )
    status = status.model_copy(
        update={
            "load": now_loaded,
            "variants": variants,
            "columns": load.columns or status.columns,
            "validation": load.validation,
            "summary": summary[:512],
        }
    )
    end = StepEnd(
        due.kind,
        seconds,
        rows_loaded=max(load.rows - before.rows, 0),
        rows_rejected=max(load.rejected - before.rejected, 0),
        rules_broken=load.validation.errors if load.validation else 0,
    )
    return Answer(status, after_load(spec, status, load), end)


def _after_rebuild(
    dataset: DatasetObject, rebuilt: RebuildOutcome, due: Due, seconds: float | None
) -> Answer:
    status = marked(dataset, due)
    if status.load is not None:
        found = {"sequence": rebuilt.sequence, "rows": rebuilt.rows, "audit_head": rebuilt.audit_head}
        status = status.model_copy(update={"load": status.load.model_copy(update=found)})
    repaired = f"put back: {'; '.join(rebuilt.repaired)}" if rebuilt.repaired else "everything agreed"
    message = f"{rebuilt.rows} rows, load {rebuilt.sequence}; compared with S3, {repaired}"
    loaded = true(LOADED, DatasetReason.REBUILT, message)
    return Answer(status, (loaded,), StepEnd(due.kind, seconds), announce=loaded)


def _variant(
    dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts, sequence: int, item: VariantOutcome
) -> VariantStatus:
    meta = dataset.metadata
    uri = manifest_uri(facts.bucket, meta.namespace, meta.name, item.name, item.manifest)
    # A version that rules kept from being replaced is still the one of an earlier split.
    kept = next((each for each in dataset.status.variants if each.uri == uri), None)
    return VariantStatus(
        name=item.name,
        sequence=sequence if item.sequence is None else item.sequence,
        rows=item.rows,
        columns=item.columns,
        digest=f"sha256:{item.digest.removeprefix('sha256:')}",
        uri=uri,
        split=kept.split if kept else spec.split.identity(),
        classes=item.classes,
    )


def _seconds(facts: DatasetFacts, seen: Progress) -> float | None:
    return _seconds_of(facts, seen.ended) if seen.ended is not None else None


def _seconds_of(facts: DatasetFacts, ended: datetime) -> float | None:
    job = facts.step.latest()
    started = job.observed.start_time if job is not None else None
    return max((ended - started).total_seconds(), 0.0) if started is not None else None
