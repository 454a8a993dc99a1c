"""A Dataset's conditions: what is said while a step is at work, between steps, and when one failed."""

from __future__ import annotations

from datetime import datetime

from modelyard_api.conditions import Condition, Observation, find_condition, merge_conditions
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import LoadOutcome, VerifyOutcome
from modelyard_api.labels import LOAD_NOW
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus, ValidationStatus
from modelyard_api.v1alpha1.reasons import DatasetCondition, DatasetReason
from modelyard_operator.decisions.attempts import Progress, State
from modelyard_operator.decisions.due import load_complete
from modelyard_operator.decisions.plan import false, true, unknown
from modelyard_operator.decisions.published import is_answered
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.steps import Due, Page, StepKind

READY = DatasetCondition.READY
LOADED = DatasetCondition.LOADED
VALID = DatasetCondition.VALID
PROGRESSING = DatasetCondition.PROGRESSING
DETERMINISTIC = DatasetCondition.DETERMINISTIC
STALLED = DatasetCondition.STALLED

_AT_WORK = {
    StepKind.LOAD: DatasetReason.LOADING,
    StepKind.VERIFY: DatasetReason.VERIFYING,
    StepKind.SWEEP: DatasetReason.SWEEPING,
    StepKind.REBUILD: DatasetReason.REBUILDING,
}
_FAILURES = frozenset(failure.value for failure in FailureClass)


def with_conditions(
    dataset: DatasetObject, status: DatasetStatus, now: datetime, *observed: Observation
) -> DatasetStatus:
    """The status with these conditions; those that were true of the last load are said anew of this generation."""
    generation = dataset.metadata.generation
    if not any(item.type == STALLED for item in observed) and stalled(dataset) is not None:
        observed = (*observed, false(STALLED, observed[0].reason, "Work goes on"))
    conditions = merge_conditions(dataset.status.conditions, observed, generation=generation, now=now)
    load = status.load
    if load is not None and load.recipe == dataset.recipe:
        conditions = [item.model_copy(update={"observed_generation": generation}) for item in conditions]
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})


def stalled(dataset: DatasetObject) -> Condition | None:
    """The condition Stalled, where it is true."""
    found = find_condition(dataset.status.conditions, STALLED)
    return found if found is not None and found.status == "True" else None


def kept_ready(dataset: DatasetObject) -> tuple[Observation, ...]:
    """Ready as it was, where it was said of the present spec."""
    ready = find_condition(dataset.status.conditions, READY)
    if ready is None or not is_answered(dataset):
        return ()
    return (Observation(type=READY, status=ready.status, reason=ready.reason, message=ready.message),)


def in_the_way(dataset: DatasetObject, reason: str, message: str, *, final: bool) -> tuple[Observation, ...]:
    """Something keeps work from going on: versions that are there stay ready."""
    ready = kept_ready(dataset) or (false(READY, reason, message),)
    progressing = false(PROGRESSING, reason, message) if final else true(PROGRESSING, reason, message)
    remedy = (
        "Nothing is tried until the spec is edited, or the annotation modelyard.dev/load-now gets a new value"
    )
    return (*ready, progressing, *((true(STALLED, reason, remedy),) if final else ()))


def at_work(dataset: DatasetObject, seen: Progress, due: Due, page: Page | None) -> tuple[Observation, ...]:
    """A step has its Job, or is held back."""
    reason, message = _words(seen, due, page)
    held = seen.state is State.HELD
    progressing = false(PROGRESSING, reason, message) if held else true(PROGRESSING, reason, message)
    ready = kept_ready(dataset) or (false(READY, reason, message),)
    nothing = find_condition(dataset.status.conditions, LOADED) is None
    first = (false(LOADED, reason, "Nothing is loaded yet"),) if nothing else ()
    return (*ready, progressing, *first)


def _words(seen: Progress, due: Due, page: Page | None) -> tuple[str, str]:
    step = due.told()
    if seen.state is State.HELD:
        return DatasetReason.SUSPENDED, "spec.suspend is true"
    if seen.state is State.RETRYING:
        return DatasetReason.RETRYING, f"{step}: attempt {seen.attempt}: {seen.message}"
    if seen.failure is not None:
        return str(seen.failure.failure_class), seen.message
    if page is not None and page.progress.waiting_for:
        return DatasetReason.PLATFORM, f"{step} waits: {page.progress.waiting_for}"
    reason = _AT_WORK[due.kind]
    if seen.state is State.RUNNING:
        return reason, f"{step}: attempt {seen.attempt} is at work"
    return reason, seen.message or f"{step}: attempt {seen.attempt} has its Job"


def said_of_failure(dataset: DatasetObject) -> Observation | None:
    """Progressing as it was, where a step beside the load failed: that is said until the next step."""
    before = find_condition(dataset.status.conditions, PROGRESSING)
    if (
        before is None
        or before.status == "True"
        or before.reason not in _FAILURES
        or before.observed_generation != dataset.metadata.generation
    ):
        return None
    return false(PROGRESSING, before.reason, before.message)


def resting(spec: DatasetSpec, load: LoadStatus, following: datetime | None) -> Observation:
    """Progressing while no step is at work."""
    if spec.suspend:
        return false(PROGRESSING, DatasetReason.SUSPENDED, "spec.suspend is true")
    complete = load_complete(spec, load)
    if following is not None:
        what = (
            "for what is new in the source"
            if complete
            else f"up to {spec.load.percent_after(load.percent)} %"
        )
        message = f"The next step is due at {following:%Y-%m-%dT%H:%M:%SZ}, {what}"
        return true(PROGRESSING, DatasetReason.WAITING_FOR_STEP, message)
    if not complete:
        message = f"{load.percent} % are loaded; a new value of the annotation {LOAD_NOW} makes the next step"
        return false(PROGRESSING, DatasetReason.WAITING_FOR_STEP, message)
    return false(
        PROGRESSING, DatasetReason.COMPLETE, f"{load.percent or spec.load.target_percent} % are loaded"
    )


def after_load(spec: DatasetSpec, status: DatasetStatus, load: LoadOutcome) -> tuple[Observation, ...]:
    """Ready, Loaded and Valid once a load has its answer."""
    there = {item.name for item in status.variants}
    missing = [variant.name for variant in spec.variants if variant.name not in there]
    valid = _valid(spec, load.validation)
    if missing:
        message = f"{', '.join(missing)} has no version yet. {valid.message}"
        ready = false(READY, DatasetReason.RULES_BROKEN, message)
    else:
        ready = true(READY, DatasetReason.PUBLISHED, status.summary or "")
    rows = f"{load.rows} rows, load {load.sequence}"
    loaded = (
        true(LOADED, DatasetReason.ROWS_LOADED, rows)
        if load.changed
        else true(LOADED, DatasetReason.NOTHING_NEW, f"{rows}; the source has nothing new")
    )
    return ready, loaded, valid


def _valid(spec: DatasetSpec, validation: ValidationStatus | None) -> Observation:
    if not spec.validation or validation is None:
        return true(VALID, DatasetReason.NO_RULES, "spec.validation is empty")
    broken = "; ".join(
        f"{item.rule}{f' of {item.variant}' if item.variant else ''} ({item.severity}): "
        f"observed {item.observed}, required {item.required}"
        for item in validation.broken
    )
    if validation.errors:
        message = f"{validation.errors} rules are broken, the last good versions stay: {broken}"
        return false(VALID, DatasetReason.RULES_BROKEN, message)
    warned = f"; {validation.warnings} warnings: {broken}" if validation.warnings else ""
    return true(VALID, DatasetReason.RULES_HELD, f"{validation.passed} rules hold{warned}")


def after_verify(verify: VerifyOutcome) -> Observation:
    """Deterministic once a second build has its answer."""
    left_out = f"; not built again: {'; '.join(verify.skipped)}" if verify.skipped else ""
    if verify.differing:
        message = (
            f"Load {verify.sequence}, built with {verify.settings}: {'; '.join(verify.differing)}{left_out}"
        )
        return false(DETERMINISTIC, DatasetReason.DIFFERENT_VALUES, message)
    message = f"Load {verify.sequence}, built again with {verify.settings}{left_out}"
    return true(DETERMINISTIC, DatasetReason.SAME_VALUES, message)


def verify_failed(reason: str, message: str) -> Observation:
    """Deterministic where the second build came to nothing."""
    return unknown(DETERMINISTIC, reason, message)
