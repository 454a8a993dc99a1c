"""What became of a Job, from its conditions, its pods and their termination messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

from modelyard_api.contract.exit_codes import FailureClass, failure_class
from modelyard_api.contract.outcome import Failure, Outcome, parse_outcome
from modelyard_operator.objects.pods import (
    OWN_CONTAINER,
    STEP_CONTAINER,
    ContainerStatus,
    Pod,
    Terminated,
    Waiting,
)
from modelyard_operator.objects.workloads import Job

_PULLING = frozenset({"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"})
_BLOCKED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_EVICTED = FailureClass.EVICTED
_SIGNALS = range(129, 193)
"""Exit codes of programs that a signal ended: 128 and its number. Others above are the program's own, such as -1."""
_EPOCH = datetime.fromtimestamp(0, UTC)


class Phase(Enum):
    """Where a Job is."""

    CREATED = auto()
    RUNNING = auto()
    SUSPENDED = auto()
    SUCCEEDED = auto()
    LOST = auto()
    """Succeeded, but its answer cannot be read any more."""
    FAILED = auto()


@dataclass(frozen=True)
class Sight:
    """What is seen of a Job."""

    phase: Phase
    outcome: Outcome | None = None
    failure: Failure | None = None
    exit_code: int | None = None
    blocked: Failure | None = None
    """Why no pod runs yet, where something is in its way."""
    ended: datetime | None = None
    counted: bool = True
    """Whether a failure uses up one of the attempts that are allowed: not where the pod was taken away by others."""

    def explain(self) -> str:
        """Failure, exit code and last lines for people."""
        if self.failure is None:
            return ""
        code = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        tail = f"\nLast lines:\n{self.failure.log_tail.strip()}" if self.failure.log_tail.strip() else ""
        return f"{self.failure.sentence()}{code}{tail}"


def look(job: Job, pods: Sequence[Pod], *, quota: str = "", log_tail: str = "") -> Sight:
    """The Job as its parent should see it.

    ``quota`` is why the Job's controller could not make a pod, ``log_tail`` the end of the log of a pod that ended
    without a message; both are read only where they are needed.
    """
    own = sorted(pods, key=_age, reverse=True)
    for pod in own:
        outcome = _outcome(pod)
        if _answers(outcome) and pod.status.phase == "Succeeded":
            return Sight(Phase.SUCCEEDED, outcome=outcome, ended=_ended(job, pod))
    if job.complete is not None:
        return _succeeded_mutely(job, own)
    if job.failed is not None:
        return _failed(job, own, log_tail)
    if job.spec.suspend:
        return Sight(Phase.SUSPENDED)
    if any(_at_work(pod) for pod in own):
        return Sight(Phase.RUNNING)
    return Sight(Phase.CREATED, blocked=_blocked(own, quota))


def has_ended(pod: Pod) -> bool:
    """Whether the step came to its end: in its own container, or in one before it that failed."""
    return _terminated(pod) is not None and not _helped(pod)


def log_container(pod: Pod) -> str:
    """The container whose log tells most: one that failed before the step's, or is at work, else the step's."""
    ended = _deciding(pod)
    if ended is not None and ended.state.terminated is not None:
        return ended.name
    before = next((item for item in pod.status.init_container_statuses or [] if item.state.running), None)
    return before.name if before is not None else STEP_CONTAINER


def needs_log(job: Job, pods: Sequence[Pod]) -> Pod | None:
    """The pod whose log has to explain the failure, because its message does not."""
    if job.failed is None or job.failed.reason == "DeadlineExceeded":
        return None
    for pod in sorted(pods, key=_age, reverse=True):
        ended = _terminated(pod)
        if ended is not None and ended.exit_code and _outcome(pod) is None and not _is_own(pod):
            return pod
    return None


def _succeeded_mutely(job: Job, pods: Sequence[Pod]) -> Sight:
    """An answer that is gone with its pod can be asked for again; one that nobody can read will not become better."""
    mute = next((pod for pod in pods if has_ended(pod)), None)
    if mute is None:
        return Sight(Phase.LOST, ended=_ended(job, None))
    failure = Failure(
        failure_class=FailureClass.CODE,
        message="The pod ended well, but its termination message cannot be read",
        remedy="Check that operator and pods are of one version of Modelyard",
    )
    return Sight(Phase.FAILED, failure=failure, exit_code=0, ended=_ended(job, mute))


def _failed(job: Job, pods: Sequence[Pod], log_tail: str) -> Sight:
    assert job.failed is not None  # noqa: S101  the caller asked
    if job.failed.reason == "DeadlineExceeded":
        failure = Failure(
            failure_class=FailureClass.DEADLINE,
            message="activeDeadlineSeconds passed before the work was done",
            remedy="Raise spec.activeDeadlineSeconds or make the work smaller",
        )
        return Sight(Phase.FAILED, failure=failure, ended=_ended(job, None))
    # Where one pod of several failed, the others were asked to stop: they know no reason.
    for pod in sorted(pods, key=_was_stopped):
        ended = _terminated(pod)
        if ended is not None and has_ended(pod):
            failure = _classify(job, pod, ended, log_tail)
            return Sight(
                Phase.FAILED,
                failure=failure,
                exit_code=ended.exit_code,
                ended=_ended(job, pod),
                counted=failure.failure_class is not FailureClass.EVICTED or _took_too_much(pod),
            )
    taken = next((pod for pod in pods if _was_taken(pod)), None)
    gone = Failure(failure_class=FailureClass.EVICTED, message="The pod is gone and left no answer")
    return Sight(
        Phase.FAILED,
        failure=_taken(taken) if taken else gone,
        ended=_ended(job, None),
        counted=taken is not None and _took_too_much(taken),
    )


def _classify(job: Job, pod: Pod, ended: Terminated, log_tail: str) -> Failure:
    if _took_too_much(pod):
        return _taken(pod)
    outcome = _outcome(pod)
    if outcome is not None and outcome.failure is not None:
        return outcome.failure
    log_tail = (ended.message or "") if _is_own(pod) else log_tail
    if ended.reason == "OOMKilled":
        limit = job.memory_limit
        return Failure(
            failure_class=FailureClass.OUT_OF_MEMORY,
            message="The pod was ended by its memory limit" + (f" of {limit}" if limit else ""),
            remedy="Raise spec.resources.limits.memory",
            log_tail=log_tail,
        )
    if _was_taken(pod):
        return _taken(pod)
    if _is_own(pod):
        return _of_own_code(ended)
    return Failure(
        failure_class=failure_class(ended.exit_code),
        message=f"The pod ended without an answer: {ended.reason or 'Error'}",
        log_tail=log_tail,
    )


def _of_own_code(ended: Terminated) -> Failure:
    """Own code chooses its exit codes freely, so that none of them means anything but that it failed."""
    code = ended.exit_code
    how = f"was ended by signal {code - 128}" if code in _SIGNALS else f"failed: {ended.reason or 'Error'}"
    return Failure(
        failure_class=FailureClass.CODE,
        message=f"The container of spec.container {how}",
        remedy="Correct its code or its image, and make a new TrainingJob",
        log_tail=ended.message or "",
    )


def _was_taken(pod: Pod) -> bool:
    disrupted = pod.status.condition("DisruptionTarget")
    return (
        pod.metadata.deletion_timestamp is not None
        or pod.status.reason in {"Evicted", "NodeLost", "NodeShutdown", "Shutdown", "Terminated"}
        or (disrupted is not None and disrupted.status == "True")
    )


def _took_too_much(pod: Pod) -> bool:
    """Whether the kubelet ended the pod for what it did itself: a want of the node is told by DisruptionTarget."""
    disrupted = pod.status.condition("DisruptionTarget")
    return pod.status.reason == "Evicted" and (disrupted is None or disrupted.status != "True")


def _taken(pod: Pod) -> Failure:
    if _took_too_much(pod):
        return Failure(
            failure_class=FailureClass.EVICTED,
            message=f"The pod took more of its node than it may: {(pod.status.message or 'no reason given').strip()}",
            remedy="Make the work smaller, or give pods more room for temporary files (tmpSize of the chart)",
        )
    disrupted = pod.status.condition("DisruptionTarget")
    why = pod.status.message or (disrupted.message if disrupted else None) or "it was deleted"
    return Failure(
        failure_class=FailureClass.EVICTED, message=f"The pod was taken away before it was done: {why}"
    )


def _blocked(pods: Sequence[Pod], quota: str) -> Failure | None:
    for pod in pods:
        waiting = _in_the_way(pod)
        if waiting is not None and waiting.reason in _PULLING:
            return Failure(
                failure_class=FailureClass.IMAGE,
                message=f"The image cannot be pulled: {waiting.reason}: {waiting.message or ''}".rstrip(": "),
                remedy="Work goes on by itself once the image can be pulled",
            )
        if waiting is not None:
            return Failure(
                failure_class=FailureClass.PLATFORM,
                message=f"The container cannot be made: {waiting.reason}: {waiting.message or ''}".rstrip(
                    ": "
                ),
                remedy="Work goes on by itself once what it names is there",
            )
        scheduled = pod.status.condition("PodScheduled")
        if scheduled is not None and scheduled.status == "False":
            return Failure(
                failure_class=FailureClass.UNSCHEDULABLE,
                message=f"No node takes the pod: {scheduled.message or scheduled.reason or ''}".rstrip(": "),
                remedy="Work goes on by itself once one does; or ask for other nodes, or for less, by "
                "spec.nodeSelector, spec.tolerations or spec.resources",
            )
    if quota and not pods:
        return Failure(
            failure_class=FailureClass.QUOTA,
            message=f"The pod is not allowed: {quota}",
            remedy="Work goes on by itself once it is; free or raise the quota, or ask for less",
        )
    return None


def _container(pod: Pod) -> ContainerStatus | None:
    return next((item for item in pod.status.container_statuses or [] if item.name == STEP_CONTAINER), None)


def _in_the_way(pod: Pod) -> Waiting | None:
    """What a container of the pod waits for, if that is more than its turn."""
    every = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    waiting = (item.state.waiting for item in every)
    return next((item for item in waiting if item is not None and item.reason in _PULLING | _BLOCKED), None)


def _at_work(pod: Pod) -> bool:
    """Whether a container runs: while one before the step's does, the pod's phase is still Pending."""
    before = pod.status.init_container_statuses or []
    return pod.status.phase == "Running" or any(item.state.running is not None for item in before)


def _deciding(pod: Pod) -> ContainerStatus | None:
    """The container that says how the step ended: one that failed before the step's, else the step's."""
    for item in pod.status.init_container_statuses or []:
        if item.state.terminated is not None and item.state.terminated.exit_code:
            return item
    return _container(pod)


def _is_own(pod: Pod) -> bool:
    """Whether own code decided how the step ended; what it left as its message is text and no answer."""
    status = _deciding(pod)
    return status is not None and status.name == OWN_CONTAINER


def _terminated(pod: Pod) -> Terminated | None:
    status = _deciding(pod)
    return status.state.terminated if status else None


def _outcome(pod: Pod) -> Outcome | None:
    ended = _terminated(pod)
    if ended is None or not ended.message or _is_own(pod):
        return None
    return parse_outcome(ended.message)


def _answers(outcome: Outcome | None) -> bool:
    """Whether a pod carried the step out, and not only helped to."""
    return outcome is not None and outcome.failure is None and outcome.trials is None


def _helped(pod: Pod) -> bool:
    outcome = _outcome(pod)
    return outcome is not None and outcome.trials is not None


def _was_stopped(pod: Pod) -> bool:
    outcome = _outcome(pod)
    return outcome is not None and outcome.failure is not None and outcome.failure.failure_class is _EVICTED


def _ended(job: Job, pod: Pod | None) -> datetime | None:
    finished = job.complete or job.failed
    if finished is not None and finished.last_transition_time is not None:
        return finished.last_transition_time
    ended = _terminated(pod) if pod is not None else None
    return ended.finished_at if ended is not None else None


def _age(pod: Pod) -> datetime:
    return pod.metadata.creation_timestamp or _EPOCH
