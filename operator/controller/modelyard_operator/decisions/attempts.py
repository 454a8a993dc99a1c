"""Attempts of a step: which Job is the present one, and whether another follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from modelyard_api import labels
from modelyard_api.contract.exit_codes import RETRYABLE, FailureClass
from modelyard_api.contract.outcome import Failure, Outcome
from modelyard_api.v1alpha1.common import JobOptions
from modelyard_operator.decisions.failures import Phase, Sight, look
from modelyard_operator.decisions.memory import AS_ASKED, Memory, advised
from modelyard_operator.decisions.plan import Hold, Start
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.workloads import Job

LOOK_FOR_PODS_SECONDS = 10.0
"""Pause where a Job's controller makes no pod: it tells why in an event, which nobody watches."""


@dataclass(frozen=True)
class Pauses:
    """Seconds between attempts: doubled each time up to the limit."""

    first: float
    limit: float

    def before(self, attempt: int) -> timedelta:
        """Pause before an attempt, from 2."""
        return timedelta(seconds=min(self.first * 2 ** min(attempt - 2, 20), self.limit))


@dataclass(frozen=True)
class StepFacts:
    """What is seen of a step's Jobs."""

    now: datetime
    pauses: Pauses
    jobs: tuple[Job, ...] = ()
    """Jobs of this step, one an attempt; they are all owned by the resource."""
    pods: tuple[Pod, ...] = ()
    quota: str = ""
    log_tail: str = ""
    patient: bool = False
    """Whether failures that may pass by themselves are tried again for as long as they last."""
    memory: Memory = AS_ASKED

    def latest(self) -> Job | None:
        """Job of the last attempt."""
        return max(self.jobs, key=attempt_of, default=None)

    def pods_of(self, job: Job) -> list[Pod]:
        """Pods of a Job."""
        return [pod for pod in self.pods if pod.metadata.controller_uid == job.metadata.uid]


class State(Enum):
    """Where the step is, over all attempts."""

    START = auto()
    HELD = auto()
    CREATED = auto()
    RUNNING = auto()
    RETRYING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True)
class Progress:
    """Where the step is and what it needs."""

    state: State
    attempt: int
    start: Start | None = None
    hold: Hold | None = None
    after: float | None = None
    outcome: Outcome | None = None
    failure: Failure | None = None
    """Of the attempt that failed, or what is in the way of the present one."""
    message: str = ""
    ended: datetime | None = None


def attempt_of(job: Job) -> int:
    """Number of the attempt that a Job is."""
    text = job.metadata.annotation(labels.ATTEMPT) or ""
    return int(text) if text.isdigit() else 0


def failures_before(job: Job) -> int:
    """Attempts before this Job that count against the backoff limit; all of them where it does not say."""
    text = job.metadata.annotation(labels.FAILURES) or ""
    return int(text) if text.isdigit() else max(attempt_of(job) - 1, 0)


def progress(options: JobOptions, facts: StepFacts, recorded: int) -> Progress:
    """The step's state; ``recorded`` is the attempt that the status knows of, from 0."""
    job = facts.latest()
    if job is None or attempt_of(job) < recorded:
        # The Job of the recorded attempt is gone without an answer: it is made again under the same name.
        attempt = max(recorded, 1)
        if options.suspend:
            return _held(attempt if recorded else 0)
        failures = failures_before(job) if job is not None else 0
        return _start(options, facts, Start(attempt, failures=failures, memory=facts.memory.raised))
    sight = look(job, facts.pods_of(job), quota=facts.quota, log_tail=facts.log_tail)
    attempt = attempt_of(job)
    if sight.phase is Phase.SUCCEEDED:
        return Progress(State.DONE, attempt, outcome=sight.outcome, ended=sight.ended)
    if sight.phase is Phase.LOST:
        again = Start(attempt + 1, failures=failures_before(job), memory=facts.memory.raised)
        return _held(attempt) if options.suspend else _start(options, facts, again)
    if sight.phase is Phase.FAILED:
        return _after_failure(options, facts, sight, job)
    seen = _active(options, job, sight, attempt)
    podless = not facts.pods_of(job) and job.observed.start_time is not None
    return replace(seen, after=LOOK_FOR_PODS_SECONDS) if seen.state is State.CREATED and podless else seen


def _active(options: JobOptions, job: Job, sight: Sight, attempt: int) -> Progress:
    if options.suspend:
        hold = None if job.spec.suspend else Hold(job, suspend=True)
        return Progress(State.HELD, attempt, hold=hold)
    if sight.phase is Phase.SUSPENDED:
        if options.queue_name:
            message = f"Waiting for admission by the queue {options.queue_name}"
            return Progress(State.CREATED, attempt, message=message)
        return Progress(State.CREATED, attempt, hold=Hold(job, suspend=False))
    if sight.phase is Phase.RUNNING:
        return Progress(State.RUNNING, attempt)
    message = sight.blocked.sentence() if sight.blocked else ""
    return Progress(State.CREATED, attempt, failure=sight.blocked, message=message)


def _after_failure(options: JobOptions, facts: StepFacts, sight: Sight, job: Job) -> Progress:
    failure, attempt = sight.failure, attempt_of(job)
    assert failure is not None  # noqa: S101  a failed sight has one
    if failure.failure_class is FailureClass.OUT_OF_MEMORY:
        failure = advised(failure, facts.memory)
        sight = replace(sight, failure=failure)
    told = Progress(
        State.FAILED, attempt, failure=failure, message=sight.explain(), ended=sight.ended or facts.now
    )
    again = _again(options, facts, sight, job)
    if again is None:
        return told
    if options.suspend:
        return _held(attempt)
    wait = (sight.ended or facts.now) + facts.pauses.before(attempt + 1) - facts.now
    if wait <= timedelta(0):
        return _start(options, facts, again)
    return Progress(
        State.RETRYING, attempt, failure=failure, message=sight.explain(), after=wait.total_seconds()
    )


def _again(options: JobOptions, facts: StepFacts, sight: Sight, job: Job) -> Start | None:
    """The attempt that follows a failed one, where one does."""
    assert sight.failure is not None  # noqa: S101  a failed sight has one
    attempt, failures = attempt_of(job) + 1, failures_before(job)
    if sight.failure.failure_class is FailureClass.OUT_OF_MEMORY:
        return Start(attempt, failures=failures, memory=facts.memory.next) if facts.memory.next else None
    failures += sight.counted
    is_enough = failures > options.backoff_limit and not facts.patient
    if sight.failure.failure_class not in RETRYABLE or is_enough:
        return None
    return Start(attempt, failures=failures, memory=facts.memory.raised)


def _start(options: JobOptions, facts: StepFacts, start: Start) -> Progress:
    attempt = start.attempt
    left = options.active_deadline_seconds
    if left is not None:
        left -= _spent(facts)
        if left <= 0:
            failure = Failure(
                failure_class=FailureClass.DEADLINE,
                message=f"activeDeadlineSeconds {options.active_deadline_seconds} passed after "
                f"{attempt - 1} attempts",
                remedy="Raise spec.activeDeadlineSeconds",
            )
            last = max(attempt - 1, 1)
            return Progress(State.FAILED, last, failure=failure, message=failure.sentence(), ended=facts.now)
    return Progress(State.START, attempt, start=replace(start, deadline_seconds=left))


def _spent(facts: StepFacts) -> int:
    """Seconds since the first attempt began; a Job's start moves when it is let go on after a suspension."""
    starts = [job.observed.start_time for job in facts.jobs if job.observed.start_time is not None]
    return int((facts.now - min(starts)).total_seconds()) if starts else 0


def _held(attempt: int) -> Progress:
    return Progress(State.HELD, attempt)


def owned_jobs(jobs: Sequence[Job], uid: str, marks: Mapping[str, str]) -> tuple[Job, ...]:
    """Jobs of the owner with these annotations that are not on their way out."""
    return tuple(
        job
        for job in jobs
        if job.metadata.controller_uid == uid
        and job.metadata.deletion_timestamp is None
        and all(job.metadata.annotation(key) == value for key, value in marks.items())
    )
