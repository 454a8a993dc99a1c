"""What a TrainingJob needs next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelyard_api import labels
from modelyard_api.catalog import Problem
from modelyard_api.catalog.tuning import objective_of
from modelyard_api.conditions import ConditionStatus, Observation, find_condition, merge_conditions
from modelyard_api.contract.outcome import ReplayOutcome, TrainOutcome
from modelyard_api.metrics import default_primary
from modelyard_api.v1alpha1.common import JobOptions
from modelyard_api.v1alpha1.reasons import TrainingJobCondition, TrainingJobReason
from modelyard_api.v1alpha1.training_job import (
    AnySpec,
    DatasetVersion,
    LearningSpec,
    ModelRef,
    ReplaySpec,
    RunRef,
    TrainingJobFields,
    TrainingJobSpec,
    TrainingJobStatus,
)
from modelyard_api.v1alpha1.tuning import TuningProgress
from modelyard_operator.decisions.attempts import Progress, State, StepFacts, progress
from modelyard_operator.decisions.caching import Hit, Looked
from modelyard_operator.decisions.data_version import Waiting
from modelyard_operator.decisions.plan import LOOK_AGAIN_SECONDS, Plan, Refusal, false, true, unknown
from modelyard_operator.decisions.replaying import not_reproduced
from modelyard_operator.decisions.results import short, shortened, shown_metrics, usage_of
from modelyard_operator.objects.custom import TrainingJobObject, Unreadable
from modelyard_operator.objects.steps import POLL_SECONDS, Page, Pinned

SUCCEEDED = TrainingJobCondition.SUCCEEDED
RUNNING = TrainingJobCondition.RUNNING
SUSPENDED = TrainingJobCondition.SUSPENDED
RECONCILING = TrainingJobCondition.RECONCILING
STALLED = TrainingJobCondition.STALLED
REPRODUCED = TrainingJobCondition.REPRODUCED


@dataclass(frozen=True)
class TrainingFacts:
    """What is seen around a TrainingJob."""

    step: StepFacts
    data: DatasetVersion | Waiting | Pinned
    """Version that is or would be trained on."""
    problems: Sequence[Problem] = ()
    job_name: str | None = None
    page: Page | None = None
    """What a running pod says of itself, where it was asked."""
    refusal: Refusal | None = None
    """Why the Job cannot be made, where that was tried."""
    looked: Looked | None = None
    """What is known of earlier runs, where it was looked for them."""


def is_ended(job: TrainingJobObject) -> bool:
    """Whether it came to its end, one way or the other; an end is never taken back."""
    succeeded = find_condition(job.status.conditions, SUCCEEDED)
    return succeeded is not None and succeeded.status != ConditionStatus.UNKNOWN


def decide_training_job(job: TrainingJobObject, facts: TrainingFacts) -> Plan[TrainingJobStatus]:
    """One status and what is to be done for it."""
    spec = job.spec
    if is_ended(job):
        return _after_end(job, facts.step.now)
    if isinstance(spec, Unreadable):
        return _fail(job, facts, TrainingJobReason.INVALID_SPEC, spec.problems)
    if facts.problems:
        text = "; ".join(problem.sentence() for problem in facts.problems)
        return _fail(job, facts, TrainingJobReason.INVALID_SPEC, text)
    refusal = facts.refusal
    if refusal is not None and refusal.final:
        return _fail(job, facts, refusal.reason, refusal.message)
    if refusal is not None:
        active = _active(refusal.reason, refusal.message)
        return Plan(_with(job, facts, job.status, *active), after=LOOK_AGAIN_SECONDS)
    if isinstance(facts.data, Waiting):
        return _wait(job, spec, facts, facts.data.message)
    seen = progress(spec, facts.step, job.status.attempt)
    if not facts.step.jobs and job.status.attempt == 0:
        return _begin(job, spec, facts, seen)
    if seen.state is State.START:
        return Plan(job.status, start=seen.start)
    return _follow(job, spec, facts, seen)


def _begin(
    job: TrainingJobObject, spec: AnySpec, facts: TrainingFacts, seen: Progress
) -> Plan[TrainingJobStatus]:
    """Before the first Job: a question is answered, an earlier run is taken, else there is a Job."""
    looked = facts.looked
    if is_dry_run(job):
        return _tell(job, facts, looked)
    if isinstance(spec, LearningSpec) and looked is not None and looked.hit is not None:
        return _take(job, spec, facts, looked.hit)
    if seen.state is State.START:
        return Plan(job.status, start=seen.start)
    return _follow(job, spec, facts, seen)


def is_dry_run(job: TrainingJobObject) -> bool:
    """Whether it is only asked what would be done."""
    return job.metadata.annotations.get(labels.DRY_RUN) == "true"


def _tell(job: TrainingJobObject, facts: TrainingFacts, looked: Looked | None) -> Plan[TrainingJobStatus]:
    if looked is None:
        message = "A replay always makes its run again"
    else:
        would = "would be the answer" if looked.hit else "it would be trained"
        message = f"{looked.sentence}: {would}"
    told = f"Nothing is done while the annotation {labels.DRY_RUN} is true. {message}"
    return Plan(_with(job, facts, job.status, *_active(TrainingJobReason.DRY_RUN, told)))


def _take(
    job: TrainingJobObject, spec: LearningSpec, facts: TrainingFacts, hit: Hit
) -> Plan[TrainingJobStatus]:
    """The answer of an earlier run, at once."""
    now = _time(facts.step.now)
    data = facts.data if isinstance(facts.data, DatasetVersion) else None
    status = job.status.model_copy(
        update={
            "start_time": now,
            "dataset_version": data,
            "run": RunRef(id=hit.run_id),
            "model": hit.model,
            "not_servable": shortened(hit.not_servable),
        }
    )
    return _completed(job, spec, facts, status, hit.metrics)


def _follow(
    job: TrainingJobObject, spec: AnySpec, facts: TrainingFacts, seen: Progress
) -> Plan[TrainingJobStatus]:
    status = _begun(job.status, facts, seen.attempt)
    if seen.state is State.DONE:
        if isinstance(spec, LearningSpec) and seen.outcome and seen.outcome.train:
            return _succeed(job, spec, facts, status, seen.outcome.train)
        if isinstance(spec, ReplaySpec) and seen.outcome and seen.outcome.replay:
            return _replayed(job, spec, facts, status, seen.outcome.replay)
        return _fail(job, facts, TrainingJobReason.CODE, "The trainer gave an answer of another kind")
    if seen.state is State.FAILED and seen.failure is not None:
        return _fail(job, facts, str(seen.failure.failure_class), seen.message, status)
    after = seen.after
    if spec.tuning is not None:
        trials = _trials(job, facts, seen)
        best = _so_far(spec, trials)
        status = status.model_copy(update={"progress": trials, "summary": best or status.summary})
        after = POLL_SECONDS if seen.state is State.RUNNING else after
    return Plan(_with(job, facts, status, *_observe(job, facts.step, seen)), hold=seen.hold, after=after)


def _trials(job: TrainingJobObject, facts: TrainingFacts, seen: Progress) -> TuningProgress | None:
    """How far the trials are, as a worker said last; while none is at work none is running."""
    told = facts.page.progress.tuning if facts.page is not None else None
    known = told or job.status.progress
    if known is None or seen.state is State.RUNNING:
        return known
    return known.model_copy(update={"trials_running": 0, "estimated_seconds_remaining": None})


def _so_far(spec: AnySpec, trials: TuningProgress | None) -> str | None:
    """Best value and share of the trials, for the column that later shows what the job came to."""
    if not isinstance(spec, TrainingJobSpec) or trials is None or trials.best_value is None:
        return None
    return f"{objective_of(spec)}={short(float(trials.best_value))}, {trials.percent} %"


def _observe(job: TrainingJobObject, step: StepFacts, seen: Progress) -> list[Observation]:
    if seen.state is State.HELD:
        return _suspended()
    resumed = _resumed(job)
    more = f", with {step.memory.raised} of memory since one ran out of it" if step.memory.raised else ""
    if seen.state is State.RETRYING:
        message = f"Attempt {seen.attempt}: {seen.message}"
        return [*_active(TrainingJobReason.RETRYING, message), *resumed]
    if seen.failure is not None:
        return [*_active(str(seen.failure.failure_class), seen.message), *resumed]
    if seen.state is State.RUNNING:
        message = f"Attempt {seen.attempt} is at work{more}"
        active = _active(TrainingJobReason.TRAINING, message)
        active[1] = true(RUNNING, TrainingJobReason.TRAINING, message)
        return [*active, *resumed]
    message = seen.message or f"Attempt {seen.attempt} has its Job{more}"
    return [*_active(TrainingJobReason.JOB_CREATED, message), *resumed]


def _active(reason: str, message: str) -> list[Observation]:
    return [
        unknown(SUCCEEDED, reason, message),
        false(RUNNING, reason, "No pod is at work"),
        true(RECONCILING, reason, "Not ended yet"),
    ]


def _suspended() -> list[Observation]:
    message = "spec.suspend is true"
    return [
        *_active(TrainingJobReason.SUSPENDED, message),
        true(SUSPENDED, TrainingJobReason.SUSPENDED, message),
    ]


def _released(job: TrainingJobObject) -> list[Observation]:
    """A pod may end its work in the time that it is given to stop: then nothing is held back any more."""
    if find_condition(job.status.conditions, SUSPENDED) is None:
        return []
    return [false(SUSPENDED, TrainingJobReason.ENDED, "It came to its end")]


def _resumed(job: TrainingJobObject) -> list[Observation]:
    if find_condition(job.status.conditions, SUSPENDED) is None:
        return []
    return [false(SUSPENDED, TrainingJobReason.RESUMED, "spec.suspend is false")]


def _wait(
    job: TrainingJobObject, spec: JobOptions, facts: TrainingFacts, message: str
) -> Plan[TrainingJobStatus]:
    if spec.suspend:
        return Plan(_with(job, facts, job.status, *_suspended()))
    active = _active(TrainingJobReason.WAITING_FOR_DATASET, message)
    return Plan(_with(job, facts, job.status, *active, *_resumed(job)))


def _succeed(
    job: TrainingJobObject,
    spec: LearningSpec,
    facts: TrainingFacts,
    status: TrainingJobStatus,
    outcome: TrainOutcome,
) -> Plan[TrainingJobStatus]:
    model = None
    if spec.register_ is not None and outcome.model_version is not None:
        model = ModelRef(
            name=spec.register_.model_name, version=outcome.model_version, digest=outcome.model_digest
        )
    status = status.model_copy(
        update={
            "dataset_version": status.dataset_version or outcome.data,
            "run": RunRef(id=outcome.run_id),
            "model": model,
            "progress": outcome.progress,
            "best": outcome.best,
            "compiled": outcome.compiled,
            "not_servable": shortened(outcome.not_servable),
            "usage": usage_of(outcome.cpu_seconds, outcome.seconds, outcome.peak_memory_bytes),
        }
    )
    return _completed(job, spec, facts, status, outcome.metrics)


def _completed(
    job: TrainingJobObject,
    spec: LearningSpec,
    facts: TrainingFacts,
    status: TrainingJobStatus,
    metrics: Mapping[str, float],
) -> Plan[TrainingJobStatus]:
    """The end of a job whose run and model are in the status."""
    primary = spec.evaluation.primary or default_primary(spec.task)
    value = metrics.get(primary, math.nan)
    summary = f"{primary}={short(value)}" if math.isfinite(value) else None
    status = status.model_copy(
        update={
            "completion_time": _time(facts.step.now),
            "metrics": shown_metrics(metrics, primary),
            "summary": summary,
        }
    )
    done = TrainingJobReason.COMPLETED
    model = status.model
    registered = f", registered as {model.name} version {model.version}" if model else ""
    only = f". No server can answer with it: {status.not_servable}" if status.not_servable else ""
    observed = (
        true(SUCCEEDED, done, f"{summary or 'Trained'}{registered}{only}"),
        false(RUNNING, TrainingJobReason.ENDED, "Nothing runs any more"),
        false(RECONCILING, done, "Ended"),
        *_released(job),
    )
    return Plan(_with(job, facts, status, *observed), after=_ttl(spec, facts.step.now, facts.step.now))


def _replayed(
    job: TrainingJobObject,
    spec: ReplaySpec,
    facts: TrainingFacts,
    status: TrainingJobStatus,
    outcome: ReplayOutcome,
) -> Plan[TrainingJobStatus]:
    """A replay succeeds whatever it finds: what it found is the condition Reproduced."""
    status = status.model_copy(
        update={
            "completion_time": _time(facts.step.now),
            "dataset_version": outcome.data,
            "run": RunRef(id=outcome.run_id),
            "summary": "different" if outcome.differences else "reproduced",
            "metrics": shown_metrics(outcome.metrics, primary=""),
            "usage": usage_of(outcome.cpu_seconds, outcome.seconds, outcome.peak_memory_bytes),
        }
    )
    if outcome.differences:
        found = "; ".join(outcome.differences)
        reproduced = false(REPRODUCED, TrainingJobReason.OTHER_RESULT, found)
        message = f"Made run {spec.replay.run_id} again, {len(outcome.differences)} things differ"
    else:
        reproduced = true(REPRODUCED, TrainingJobReason.SAME_RESULT, f"The same: {outcome.compared}")
        message = f"Made run {spec.replay.run_id} again, nothing differs"
    done = TrainingJobReason.COMPLETED
    observed = (
        true(SUCCEEDED, done, message),
        reproduced,
        false(RUNNING, TrainingJobReason.ENDED, "Nothing runs any more"),
        false(RECONCILING, done, "Ended"),
        *_released(job),
    )
    return Plan(_with(job, facts, status, *observed), after=_ttl(spec, facts.step.now, facts.step.now))


def _fail(
    job: TrainingJobObject,
    facts: TrainingFacts,
    reason: str,
    message: str,
    status: TrainingJobStatus | None = None,
) -> Plan[TrainingJobStatus]:
    status = (status or job.status).model_copy(update={"completion_time": _time(facts.step.now)})
    observed = (
        false(SUCCEEDED, reason, message),
        false(RUNNING, TrainingJobReason.ENDED, "Nothing runs any more"),
        false(RECONCILING, reason, "Ended"),
        true(STALLED, reason, "It failed for good: make a new TrainingJob"),
        *_released(job),
        *not_reproduced(job.spec, reason, message),
    )
    ttl = None if isinstance(job.spec, Unreadable) else _ttl(job.spec, facts.step.now, facts.step.now)
    return Plan(_with(job, facts, status, *observed), after=ttl)


def _after_end(job: TrainingJobObject, now: datetime) -> Plan[TrainingJobStatus]:
    status = job.status
    generation = job.metadata.generation
    if status.observed_generation != generation:
        # What is said of an ended job holds for every later spec: `kubectl wait` looks at each condition's generation.
        seen = [item.model_copy(update={"observed_generation": generation}) for item in status.conditions]
        status = status.model_copy(update={"observed_generation": generation, "conditions": seen})
    if isinstance(job.spec, Unreadable) or job.status.completion_time is None:
        return Plan(status)
    left = _ttl(job.spec, datetime.fromisoformat(job.status.completion_time), now)
    if left is not None and left <= 0:
        return Plan(status, delete_self=True)
    return Plan(status, after=left)


def _ttl(spec: TrainingJobFields, ended: datetime, now: datetime) -> float | None:
    """Seconds until the resource goes."""
    if spec.ttl_seconds_after_finished is None:
        return None
    return (ended + timedelta(seconds=spec.ttl_seconds_after_finished) - now).total_seconds()


def _begun(status: TrainingJobStatus, facts: TrainingFacts, attempt: int) -> TrainingJobStatus:
    if attempt == 0:
        return status
    data = facts.data if isinstance(facts.data, DatasetVersion) else status.dataset_version
    return status.model_copy(
        update={
            "attempt": attempt,
            "job_name": facts.job_name or status.job_name,
            "dataset_version": status.dataset_version or data,
            "start_time": status.start_time or _time(facts.step.now),
            "memory_limit": facts.step.memory.raised or None,
        }
    )


def _with(
    job: TrainingJobObject, facts: TrainingFacts, status: TrainingJobStatus, *observed: Observation
) -> TrainingJobStatus:
    generation, looked = job.metadata.generation, facts.looked
    if looked is not None:
        observed = (*observed, looked.observed)
        status = status.model_copy(update={"cache": looked.status})
    conditions = merge_conditions(job.status.conditions, observed, generation=generation, now=facts.step.now)
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
