"""What a Dataset needs next: one step at a time, and one status."""

from __future__ import annotations

from dataclasses import replace

from modelyard_api.conditions import Condition, Observation
from modelyard_api.schedule import schedule_fault
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus, ParentVersion
from modelyard_api.v1alpha1.reasons import DatasetReason
from modelyard_operator.decisions.attempts import Progress, State, attempt_of, progress
from modelyard_operator.decisions.data_version import Waiting
from modelyard_operator.decisions.dataset_conditions import (
    PROGRESSING,
    READY,
    at_work,
    in_the_way,
    kept_ready,
    resting,
    said_of_failure,
    stalled,
    verify_failed,
    with_conditions,
)
from modelyard_operator.decisions.dataset_end import Answer, fit, marked, take_answer
from modelyard_operator.decisions.dataset_facts import DatasetFacts, DatasetPlan
from modelyard_operator.decisions.due import (
    due_of,
    next_due,
    next_load_time,
    pending_load,
    settled,
)
from modelyard_operator.decisions.load_progress import load_progress
from modelyard_operator.decisions.plan import LOOK_AGAIN_SECONDS, Refusal, false
from modelyard_operator.decisions.warm import WARM_POLL_SECONDS, WarmJob
from modelyard_operator.objects.custom import DatasetObject, Unreadable
from modelyard_operator.objects.steps import POLL_SECONDS, Due, StepEnd, StepKind, Trigger
from modelyard_operator.objects.workloads import Job

_KEPT_ATTEMPTS = 3


def recorded_attempt(dataset: DatasetObject, facts: DatasetFacts) -> int:
    """The attempt that the status knows of; one more where a failure is over, as something asked for another."""
    status = dataset.status
    if status.recipe != dataset.recipe:
        return 0
    return status.attempt + 1 if stalled(dataset) and not _gave_up(dataset, facts) else status.attempt


def decide_dataset(dataset: DatasetObject, facts: DatasetFacts) -> DatasetPlan:
    """One status and what is to be done for it."""
    spec = dataset.spec
    if isinstance(spec, Unreadable):
        return _stop(dataset, facts, DatasetReason.INVALID_SPEC, spec.problems)
    if fault := schedule_fault(spec.load, facts.step.now):
        return _stop(dataset, facts, DatasetReason.INVALID_SPEC, fault)
    if facts.circle:
        observed = in_the_way(dataset, DatasetReason.INVALID_SPEC, facts.circle, final=True)[:2]
        return _plan(dataset, facts, dataset.status, observed)
    if _gave_up(dataset, facts):
        return DatasetPlan(dataset.status, stop=facts.outdated)
    if facts.refusal is not None:
        return _refused(dataset, facts, facts.refusal)
    return _step(dataset, spec, facts)


def _step(dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts) -> DatasetPlan:
    latest = facts.step.latest()
    at_hand = due_of(latest) if latest is not None else None
    status = settled(dataset, spec, facts.parent)
    dataset = dataset.model_copy(update={"status": status}) if status != dataset.status else dataset
    following = next_due(dataset, spec, facts.parent, facts.step.now)
    due = at_hand or following
    if due is None:
        return _rest(dataset, spec, facts)
    seen = progress(spec, facts.step, recorded_attempt(dataset, facts))
    if seen.state is State.START:
        if following is not None and (following.kind, following.sequence) == (due.kind, due.sequence):
            # The same step, as the spec asks for it by now.
            due = following
        if due.trigger == Trigger.INITIAL and isinstance(facts.parent, Waiting):
            reason, message = DatasetReason.WAITING_FOR_DATASET, facts.parent.message
            return _plan(dataset, facts, status, in_the_way(dataset, reason, message, final=False))
        return DatasetPlan(status, start=seen.start, stop=facts.outdated, due=due)
    return _follow(dataset, spec, facts, seen, due)


def _follow(
    dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts, seen: Progress, due: Due
) -> DatasetPlan:
    latest = facts.step.latest()
    entered: dict[str, object] = {"recipe": dataset.recipe, "attempt": seen.attempt}
    warm = isinstance(latest, WarmJob)
    if latest is not None:
        entered["job_name"] = None if warm else latest.metadata.name
    if warm and seen.state is State.CREATED:
        seen = replace(seen, message=f"{due.told()}: handed to the warm loader")
    status = dataset.status.model_copy(update=entered)
    dataset_now = dataset.model_copy(update={"status": status})
    if seen.state is State.DONE:
        return _done(dataset_now, spec, facts, seen, due)
    if seen.state is State.FAILED and seen.failure is not None:
        return _failed(dataset_now, spec, facts, due, str(seen.failure.failure_class), seen.message)
    page = facts.page if seen.state is State.RUNNING else None
    if status.load is not None or page is not None:
        told = load_progress(page) if page is not None else None
        load = (status.load or LoadStatus()).model_copy(update={"progress": told})
        status = status.model_copy(update={"load": load})
    plan = _plan(dataset, facts, status, at_work(dataset, seen, due, page))
    after = POLL_SECONDS if seen.state is State.RUNNING else seen.after
    if warm and seen.state in {State.CREATED, State.RUNNING}:
        after = WARM_POLL_SECONDS
    return replace(plan, hold=seen.hold, stop=(*plan.stop, *_old(facts)), after=after, due=due)


def _done(
    dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts, seen: Progress, due: Due
) -> DatasetPlan:
    answer = take_answer(dataset, spec, facts, seen, due)
    if answer is None:
        message = "The loader gave an answer of another kind"
        return _failed(dataset, spec, facts, due, DatasetReason.CODE, message)
    return _ended(dataset, spec, facts, answer)


def _failed(
    dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts, due: Due, reason: str, message: str
) -> DatasetPlan:
    """A step that loads stalls the Dataset; one beside it is told of, and not made again by itself."""
    end = StepEnd(due.kind, None, failed=True)
    told = f"{due.told()}: {message}"
    if due.kind is not StepKind.LOAD:
        beside = (verify_failed(reason, told),) if due.kind is StepKind.VERIFY else ()
        answer = Answer(marked(dataset, due), (*beside, false(PROGRESSING, reason, told)), end)
        return _ended(dataset, spec, facts, answer)
    status = dataset.status
    load = (status.load or LoadStatus()).model_copy(update={"progress": None})
    if due.request:
        load = load.model_copy(update={"handled_request": due.request})
    if status.load is not None or due.request:
        status = status.model_copy(update={"load": load})
    text = message if due.trigger in {Trigger.INITIAL, Trigger.EDIT} else told
    plan = _plan(dataset, facts, status, in_the_way(dataset, reason, text, final=True))
    return replace(plan, ended=end)


def _ended(dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts, answer: Answer) -> DatasetPlan:
    """The status after a step, and what follows it at once."""
    observed = answer.observed
    status = answer.status.model_copy(update={"steps": answer.status.steps + 1, "attempt": 0})
    if status.load is not None:
        due = next_load_time(spec, status.load)
        load = status.load.model_copy(update={"progress": None, "next_time": due})
        status = status.model_copy(update={"load": load})
        after = dataset.model_copy(update={"status": status})
        told = {item.type for item in observed}
        if PROGRESSING not in told and next_due(after, spec, facts.parent, facts.step.now) is None:
            observed = (*observed, resting(spec, load, due))
        if READY not in told:
            observed = (*kept_ready(dataset), *observed)
    plan = _plan(dataset, facts, status, observed)
    return replace(plan, ended=answer.end, announce=answer.announce, after=0)


def _rest(dataset: DatasetObject, spec: DatasetSpec, facts: DatasetFacts) -> DatasetPlan:
    status, load = dataset.status, dataset.status.load
    assert load is not None  # noqa: S101  else the first load is due
    following = next_load_time(spec, load)
    if load.next_time != following:
        load = load.model_copy(update={"next_time": following})
        status = status.model_copy(update={"load": load})
    progressing = said_of_failure(dataset) or resting(spec, load, following)
    observed = (*kept_ready(dataset), progressing)
    wait = (following - facts.step.now).total_seconds() if following is not None else None
    return replace(_plan(dataset, facts, status, observed), after=wait)


def _refused(dataset: DatasetObject, facts: DatasetFacts, refusal: Refusal) -> DatasetPlan:
    observed = in_the_way(dataset, refusal.reason, refusal.message, final=refusal.final)
    entered = {"recipe": dataset.recipe, "attempt": recorded_attempt(dataset, facts)}
    plan = _plan(dataset, facts, dataset.status.model_copy(update=entered), observed)
    return plan if refusal.final else replace(plan, after=LOOK_AGAIN_SECONDS)


def _stop(dataset: DatasetObject, facts: DatasetFacts, reason: str, message: str) -> DatasetPlan:
    """A spec that cannot be carried out; what is at work by an earlier one may come to its end."""
    observed = in_the_way(dataset, reason, message, final=True)
    return replace(_plan(dataset, facts, dataset.status, observed), stop=())


def _plan(
    dataset: DatasetObject, facts: DatasetFacts, status: DatasetStatus, observed: tuple[Observation, ...]
) -> DatasetPlan:
    status = fit(with_conditions(dataset, status, facts.step.now, *observed))
    return DatasetPlan(status, stop=facts.outdated)


def _old(facts: DatasetFacts) -> tuple[Job, ...]:
    """Attempts that nobody asks for any more: the first tells when the step began, the last ones what became of it."""
    return tuple(sorted(facts.step.jobs, key=attempt_of)[1 : 1 - _KEPT_ATTEMPTS])


def _gave_up(dataset: DatasetObject, facts: DatasetFacts) -> bool:
    """Whether the step failed for good and nothing has asked for another attempt since."""
    failed = stalled(dataset)
    if failed is None or _asked_again(dataset, failed):
        return False
    latest = facts.step.latest()
    if latest is not None and attempt_of(latest) > dataset.status.attempt:
        # It has its Job already.
        return False
    return not _has_other_parent(facts)


def _asked_again(dataset: DatasetObject, failed: Condition) -> bool:
    edited = failed.observed_generation != dataset.metadata.generation
    return edited or bool(pending_load(dataset))


def _has_other_parent(facts: DatasetFacts) -> bool:
    """Whether the Dataset that is the source has another version than the one that the last attempt was given."""
    latest = facts.step.latest()
    given = due_of(latest) if latest is not None else None
    return (
        given is not None
        and given.parent is not None
        and isinstance(facts.parent, ParentVersion)
        and facts.parent.digest != given.parent.digest
    )
