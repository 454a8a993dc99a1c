"""What a Dataset needs next."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api.conditions import Condition, Observation, find_condition, merge_conditions
from modelyard_api.contract.manifest import manifest_uri
from modelyard_api.contract.outcome import LoadOutcome, VariantOutcome
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus, VariantStatus
from modelyard_api.v1alpha1.reasons import DatasetCondition, DatasetReason
from modelyard_operator.decisions.attempts import Progress, State, StepFacts, progress
from modelyard_operator.decisions.plan import LOOK_AGAIN_SECONDS, Plan, Refusal, false, true
from modelyard_operator.objects.custom import DatasetObject, Unreadable
from modelyard_operator.objects.workloads import Job

READY = DatasetCondition.READY
LOADED = DatasetCondition.LOADED
STALLED = DatasetCondition.STALLED


@dataclass(frozen=True)
class DatasetFacts:
    """What is seen around a Dataset."""

    step: StepFacts
    """Jobs of the present recipe."""
    outdated: tuple[Job, ...] = ()
    """Jobs of earlier recipes that still run."""
    bucket: str = ""
    refusal: Refusal | None = None
    """Why the Job cannot be made, where that was tried."""


def is_published(dataset: DatasetObject) -> bool:
    """Whether every variant of the present spec exists."""
    ready = find_condition(dataset.status.conditions, READY)
    return (
        isinstance(dataset.spec, DatasetSpec)
        and dataset.status.recipe == dataset.recipe
        and ready is not None
        and ready.status == "True"
    )


def recorded_attempt(dataset: DatasetObject, recipe: str) -> int:
    """The attempt that the status knows of; a spec that was edited after a failure is tried once more."""
    status = dataset.status
    if status.recipe != recipe:
        return 0
    stalled = _stalled(dataset)
    edited = stalled is not None and stalled.observed_generation != dataset.metadata.generation
    return status.attempt + 1 if edited else status.attempt


def decide_dataset(dataset: DatasetObject, facts: DatasetFacts) -> Plan[DatasetStatus]:
    """One status and what is to be done for it."""
    spec, status = dataset.spec, dataset.status
    if isinstance(spec, Unreadable):
        return Plan(_with(dataset, facts, status, *_gives_up(DatasetReason.INVALID_SPEC, spec.problems)))
    recipe = dataset.recipe
    if is_published(dataset):
        ready = find_condition(status.conditions, READY)
        kept = true(READY, DatasetReason.PUBLISHED, ready.message if ready else "")
        return Plan(_with(dataset, facts, status, kept), stop=facts.outdated)
    if _gave_up(dataset, recipe):
        return Plan(status, stop=facts.outdated)
    if facts.refusal is not None:
        return _refused(dataset, facts, facts.refusal, recipe)
    seen = progress(spec, facts.step, recorded_attempt(dataset, recipe))
    if seen.state is State.START:
        return Plan(status, start=seen.start, stop=facts.outdated)
    return _follow(dataset, facts, seen, recipe)


def _refused(
    dataset: DatasetObject, facts: DatasetFacts, refusal: Refusal, recipe: str
) -> Plan[DatasetStatus]:
    status = dataset.status
    if not refusal.final:
        fault = false(READY, refusal.reason, refusal.message)
        return Plan(_with(dataset, facts, status, fault), after=LOOK_AGAIN_SECONDS)
    entered = _entered(status, recipe, status.attempt if status.recipe == recipe else 0)
    return Plan(_with(dataset, facts, entered, *_gives_up(refusal.reason, refusal.message)))


def _follow(dataset: DatasetObject, facts: DatasetFacts, seen: Progress, recipe: str) -> Plan[DatasetStatus]:
    latest = facts.step.latest()
    status = _entered(dataset.status, recipe, seen.attempt)
    if latest is not None:
        status = status.model_copy(update={"job_name": latest.metadata.name})
    if seen.state is State.DONE:
        load = seen.outcome.load if seen.outcome else None
        if load is None:
            faults = _gives_up(DatasetReason.CODE, "The loader gave an answer of another kind")
            return Plan(_with(dataset, facts, status, *faults))
        published = _published(dataset, facts, status, load)
        return Plan(
            _with(
                dataset,
                facts,
                published,
                true(READY, DatasetReason.PUBLISHED, published.summary or ""),
                true(LOADED, DatasetReason.ROWS_LOADED, f"{load.rows} rows, load {load.sequence}"),
            ),
            stop=facts.outdated,
        )
    if seen.state is State.FAILED and seen.failure is not None:
        faults = _gives_up(str(seen.failure.failure_class), seen.message)
        return Plan(_with(dataset, facts, status, *faults), stop=facts.outdated)
    observed = _observe(seen)
    loaded = find_condition(status.conditions, LOADED)
    first = () if loaded else (false(LOADED, observed.reason, "Nothing is loaded yet"),)
    return Plan(
        _with(dataset, facts, status, observed, *first),
        hold=seen.hold,
        stop=facts.outdated,
        after=seen.after,
    )


def _observe(seen: Progress) -> Observation:
    if seen.state is State.RETRYING:
        return false(READY, DatasetReason.RETRYING, f"Attempt {seen.attempt}: {seen.message}")
    if seen.state is State.HELD:
        return false(READY, DatasetReason.SUSPENDED, "spec.suspend is true")
    if seen.failure is not None:
        return false(READY, str(seen.failure.failure_class), seen.message)
    if seen.state is State.RUNNING:
        return false(READY, DatasetReason.LOADING, f"Attempt {seen.attempt} is at work")
    return false(READY, DatasetReason.LOADING, seen.message or f"Attempt {seen.attempt} has its Job")


def _gives_up(reason: str, message: str) -> tuple[Observation, Observation]:
    return false(READY, reason, message), true(STALLED, reason, "Nothing is tried until the spec is edited")


def _published(
    dataset: DatasetObject, facts: DatasetFacts, status: DatasetStatus, load: LoadOutcome
) -> DatasetStatus:
    variants = [_variant(dataset, facts, load.sequence, item) for item in load.variants]
    summary = ", ".join(f"{item.name} {item.rows}×{item.columns}" for item in variants)  # noqa: RUF001  a sign of size
    return status.model_copy(
        update={
            "load": LoadStatus(
                sequence=load.sequence,
                rows=load.rows,
                rejected=load.rejected,
                source_digest=load.source_digest,
                audit_head=load.audit_head,
            ),
            "variants": variants,
            "summary": summary[:512],
        }
    )


def _variant(
    dataset: DatasetObject, facts: DatasetFacts, sequence: int, item: VariantOutcome
) -> VariantStatus:
    meta = dataset.metadata
    return VariantStatus(
        name=item.name,
        sequence=sequence,
        rows=item.rows,
        columns=item.columns,
        digest=f"sha256:{item.digest.removeprefix('sha256:')}",
        uri=manifest_uri(facts.bucket, meta.namespace, meta.name, item.name, item.manifest),
    )


def _gave_up(dataset: DatasetObject, recipe: str) -> bool:
    stalled = _stalled(dataset)
    return (
        dataset.status.recipe == recipe
        and stalled is not None
        and stalled.observed_generation == dataset.metadata.generation
    )


def _stalled(dataset: DatasetObject) -> Condition | None:
    stalled = find_condition(dataset.status.conditions, STALLED)
    return stalled if stalled is not None and stalled.status == "True" else None


def _entered(status: DatasetStatus, recipe: str, attempt: int) -> DatasetStatus:
    return status.model_copy(update={"recipe": recipe, "attempt": attempt})


def _with(
    dataset: DatasetObject, facts: DatasetFacts, status: DatasetStatus, *observed: Observation
) -> DatasetStatus:
    generation = dataset.metadata.generation
    if not any(item.type == STALLED for item in observed) and _stalled(dataset) is not None:
        observed = (*observed, false(STALLED, observed[0].reason, "Work goes on"))
    conditions = merge_conditions(
        dataset.status.conditions, observed, generation=generation, now=facts.step.now
    )
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})
