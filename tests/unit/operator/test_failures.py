"""What became of a Job: one row for each way it can end or hang."""

from dataclasses import dataclass, field

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Outcome, TrialsOutcome
from modelyard_operator.decisions.failures import Phase, look, needs_log
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.workloads import Job
from tests.support.resources import failed, trained
from tests.unit.operator.making import broken, complete, ended, job, pod


@dataclass(frozen=True)
class Case:
    """A Job, its pods, and what they mean."""

    name: str
    job: Job
    phase: Phase
    pods: list[Pod] = field(default_factory=list)
    failure: FailureClass | None = None
    words: str = ""
    quota: str = ""


def waiting(reason: str) -> Pod:
    container = {"name": "step", "state": {"waiting": {"reason": reason, "message": "why"}}}
    return pod(phase="Pending", containerStatuses=[container])


DISRUPTED = {"type": "DisruptionTarget", "status": "True", "message": "the node is drained"}


def disrupted() -> Pod:
    return ended(exit_code=137, conditions=[DISRUPTED])


def full_disk() -> Pod:
    """A pod that the kubelet ends for its own use; it is asked to stop first, and says so."""
    message = failed(FailureClass.EVICTED, "the pod was asked to stop")
    seen = ended(exit_code=143, message=message)
    why = {"reason": "Evicted", "message": 'Usage of EmptyDir volume "tmp" exceeds the limit "2Gi". '}
    return seen.model_copy(update={"status": seen.status.model_copy(update=why)})


def helped() -> Pod:
    """A worker that found no trial left to take."""
    return ended(message=Outcome(trials=TrialsOutcome(trials=7)).to_json().decode())


STOPPED = failed(FailureClass.EVICTED, "the pod was asked to stop")
MESSAGE = failed(FailureClass.DATA, "no column x", "use y")
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}

CASES = [
    Case("no pod yet", job(), Phase.CREATED),
    Case("a pod at work", job(), Phase.RUNNING, [pod()]),
    Case(
        "a suspended Job",
        job().model_copy(update={"spec": job().spec.model_copy(update={"suspend": True})}),
        Phase.SUSPENDED,
    ),
    Case("an answer before the Job says so", job(), Phase.SUCCEEDED, [ended(message=trained())]),
    Case("an answer", complete(), Phase.SUCCEEDED, [ended(message=trained())]),
    Case("a worker at work beside one that has no more to do", job(), Phase.RUNNING, [helped(), pod()]),
    Case(
        "the answer of the first of two workers",
        complete(),
        Phase.SUCCEEDED,
        [helped(), ended(message=trained())],
    ),
    Case("success of a worker whose answer is not seen yet", complete(), Phase.LOST, [helped()]),
    Case(
        "a worker that says why, beside those that were stopped for it",
        broken(reason="PodFailurePolicy"),
        Phase.FAILED,
        [helped(), ended(exit_code=143, message=STOPPED), ended(exit_code=11, message=MESSAGE)],
        FailureClass.DATA,
        "no column x",
    ),
    Case("success without a pod", complete(), Phase.LOST),
    Case(
        "success without a message",
        complete(),
        Phase.FAILED,
        [ended()],
        FailureClass.CODE,
        "cannot be read",
    ),
    Case(
        "a message of failure",
        broken(),
        Phase.FAILED,
        [ended(exit_code=11, message=MESSAGE)],
        FailureClass.DATA,
        "no column x",
    ),
    Case(
        "only an exit code",
        broken(),
        Phase.FAILED,
        [ended(exit_code=20)],
        FailureClass.PLATFORM,
        "without an answer",
    ),
    Case("an unknown exit code", broken(), Phase.FAILED, [ended(exit_code=99)], FailureClass.CODE),
    Case(
        "a message that is none",
        broken(),
        Phase.FAILED,
        [ended(exit_code=1, message="oops")],
        FailureClass.CODE,
    ),
    Case(
        "too much memory",
        broken(),
        Phase.FAILED,
        [ended(exit_code=137, reason="OOMKilled")],
        FailureClass.OUT_OF_MEMORY,
        "memory limit",
    ),
    Case(
        "a drained node", broken(), Phase.FAILED, [disrupted()], FailureClass.EVICTED, "the node is drained"
    ),
    Case(
        "a deleted pod",
        broken(),
        Phase.FAILED,
        [ended(exit_code=143, deleted=True)],
        FailureClass.EVICTED,
        "deleted",
    ),
    Case(
        "an evicted pod",
        broken(),
        Phase.FAILED,
        [pod(phase="Failed", reason="Evicted", message="low on disk", conditions=[DISRUPTED])],
        FailureClass.EVICTED,
        "low on disk",
    ),
    Case(
        "a pod that filled its disk",
        broken(),
        Phase.FAILED,
        [full_disk()],
        FailureClass.EVICTED,
        "took more of its node than it may: Usage of EmptyDir",
    ),
    Case("a failed Job without a pod", broken(), Phase.FAILED, [], FailureClass.EVICTED, "gone"),
    Case(
        "a deadline",
        broken(reason="DeadlineExceeded"),
        Phase.FAILED,
        [],
        FailureClass.DEADLINE,
        "activeDeadlineSeconds",
    ),
    Case(
        "an image that is not there",
        job(),
        Phase.CREATED,
        [waiting("ImagePullBackOff")],
        FailureClass.IMAGE,
        "why",
    ),
    Case(
        "a Secret that is not there",
        job(),
        Phase.CREATED,
        [waiting("CreateContainerConfigError")],
        FailureClass.PLATFORM,
        "why",
    ),
    Case(
        "no room on any node",
        job(),
        Phase.CREATED,
        [pod(phase="Pending", conditions=[UNSCHEDULED])],
        FailureClass.UNSCHEDULABLE,
        "0/1 nodes",
    ),
    Case(
        "a quota",
        job(),
        Phase.CREATED,
        [],
        FailureClass.QUOTA,
        "exceeded quota",
        quota="exceeded quota: pods",
    ),
]


@pytest.mark.parametrize(
    ("pods", "counted"),
    [
        ([ended(exit_code=20)], True),
        ([full_disk()], True),
        ([disrupted()], False),
        ([ended(exit_code=143, deleted=True)], False),
        ([], False),
    ],
)
def test_what_others_do_to_a_pod_is_not_counted(pods: list[Pod], counted: bool) -> None:  # noqa: FBT001
    assert look(broken(), pods).counted is counted


def test_the_limit_that_was_too_low_is_named() -> None:
    container = {"name": "step", "resources": {"limits": {"memory": "2Gi"}}}
    spec = broken().spec.model_validate({"template": {"spec": {"containers": [container]}}})
    seen = look(broken().model_copy(update={"spec": spec}), [ended(exit_code=137, reason="OOMKilled")])
    assert "by its memory limit of 2Gi." in seen.explain()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_became_of_a_job(case: Case) -> None:
    seen = look(case.job, case.pods, quota=case.quota)
    told = seen.failure or seen.blocked
    assert seen.phase is case.phase
    assert (told.failure_class if told else None) is case.failure
    assert case.words in (told.sentence() if told else "")


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.phase is Phase.CREATED], ids=lambda case: case.name
)
def test_what_is_in_the_way_of_a_pod_has_a_remedy(case: Case) -> None:
    blocked = look(case.job, case.pods, quota=case.quota).blocked
    assert (blocked is None) is (case.failure is None)
    assert blocked is None or "by itself" in blocked.remedy


def test_the_log_is_asked_for_only_where_no_message_explains() -> None:
    mute = ended(exit_code=1)
    assert needs_log(broken(), [mute]) is mute
    assert needs_log(broken(), [ended(exit_code=11, message=MESSAGE)]) is None
    assert needs_log(broken(reason="DeadlineExceeded"), [mute]) is None
    assert needs_log(job(), [mute]) is None


def test_the_condition_says_exit_code_and_last_lines() -> None:
    seen = look(broken(), [ended(exit_code=1)], log_tail="Traceback\nValueError: no\n")
    assert seen.explain() == (
        "The pod ended without an answer: Error (exit code 1)\nLast lines:\nTraceback\nValueError: no"
    )
