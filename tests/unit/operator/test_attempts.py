"""Attempts: when another follows, and when it is enough."""

from datetime import timedelta

import pytest

from modelyard_api import labels
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.v1alpha1.common import JobOptions
from modelyard_operator.decisions.attempts import Pauses, Progress, State, StepFacts, owned_jobs, progress
from modelyard_operator.decisions.memory import AS_ASKED, Memory
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.workloads import Job
from tests.support.resources import failed, trained
from tests.unit.operator.making import NOW, UID, broken, complete, ended, job, later, pod

PAUSES = Pauses(first=10, limit=300)
PLATFORM = failed(FailureClass.PLATFORM, "S3 does not answer")
STOPPED = failed(FailureClass.EVICTED, "the pod was asked to stop")


def look(
    jobs: list[Job],
    pods: list[Pod] | None = None,
    recorded: int = 0,
    options: JobOptions | None = None,
    memory: Memory = AS_ASKED,
) -> Progress:
    facts = StepFacts(now=NOW, pauses=PAUSES, jobs=tuple(jobs), pods=tuple(pods or []), memory=memory)
    return progress(options or JobOptions(), facts, recorded)


def test_pauses_double_up_to_their_limit() -> None:
    assert [PAUSES.before(n) for n in (2, 3, 4, 9)] == [timedelta(seconds=s) for s in (10, 20, 40, 300)]


def test_without_a_job_the_first_attempt_starts() -> None:
    seen = look([])
    assert seen.state is State.START
    assert seen.start is not None
    assert seen.start.attempt == 1


def test_a_job_that_vanished_at_work_starts_again_as_the_same_attempt() -> None:
    seen = look([], recorded=2)
    assert seen.start is not None
    assert seen.start.attempt == 2


def test_a_success_whose_answer_is_lost_is_asked_again() -> None:
    seen = look([complete()], recorded=1)
    assert seen.start is not None
    assert seen.start.attempt == 2


def test_a_failure_that_may_pass_waits_and_then_starts_again() -> None:
    seen = look([broken()], [ended(exit_code=20, message=PLATFORM)])
    assert seen.state is State.START  # it failed a minute ago, the pause is 10 s
    second = look(
        [broken(1), broken(2), broken(3)],
        [ended(3, exit_code=20, message=PLATFORM)],
        3,
        JobOptions(backoff_limit=10),
    )
    assert second.state is State.START
    fourth = look([broken(4)], [ended(4, exit_code=20, message=PLATFORM)], 4, JobOptions(backoff_limit=10))
    assert fourth.state is State.RETRYING
    assert fourth.after == pytest.approx(20)


@pytest.mark.parametrize(
    ("attempt", "limit", "state"), [(1, 0, State.FAILED), (2, 2, State.START), (3, 2, State.FAILED)]
)
def test_the_backoff_limit_counts_repetitions(attempt: int, limit: int, state: State) -> None:
    pods = [ended(attempt, exit_code=20, message=PLATFORM)]
    assert look([broken(attempt)], pods, attempt, JobOptions(backoff_limit=limit)).state is state


def marked(seen: Job, **marks: str) -> Job:
    """A Job with annotations."""
    meta = seen.metadata
    annotations = {**(meta.annotations or {}), **marks}
    return seen.model_copy(update={"metadata": meta.model_copy(update={"annotations": annotations})})


def test_a_pod_that_is_taken_away_uses_up_no_attempt() -> None:
    last = marked(broken(2), **{labels.FAILURES: "1"})
    again = look([last], [ended(2, exit_code=143, message=STOPPED)], 2, JobOptions(backoff_limit=1))
    assert again.start is not None
    assert (again.start.attempt, again.start.failures) == (3, 1)
    over = look([last], [ended(2, exit_code=20, message=PLATFORM)], 2, JobOptions(backoff_limit=1))
    assert over.state is State.FAILED


def test_a_pod_that_took_more_disk_than_it_may_uses_up_an_attempt() -> None:
    pods = [ended(exit_code=137, reason="Error")]
    evicted = pods[0].status.model_copy(update={"reason": "Evicted", "message": "Usage of EmptyDir exceeds"})
    pods = [pods[0].model_copy(update={"status": evicted})]
    assert look([broken()], pods, 1, JobOptions(backoff_limit=0)).state is State.FAILED
    again = look([broken()], pods, 1, JobOptions(backoff_limit=1))
    assert again.start is not None
    assert again.start.failures == 1


def test_a_job_that_vanished_keeps_the_failures_before_it() -> None:
    first = marked(broken(1), **{labels.FAILURES: "1"})
    seen = look([first], recorded=2)
    assert seen.start is not None
    assert (seen.start.attempt, seen.start.failures) == (2, 1)


OOM = [ended(exit_code=137, reason="OOMKilled")]


def test_a_pod_out_of_memory_is_followed_by_one_with_more_whatever_the_backoff_limit() -> None:
    seen = look([broken()], OOM, 1, JobOptions(backoff_limit=0), Memory(next="4Gi"))
    assert seen.start is not None
    assert (seen.start.attempt, seen.start.memory, seen.start.failures) == (2, "4Gi", 0)


def test_who_waits_for_more_memory_is_told_how_much() -> None:
    just = broken().failed
    assert just is not None
    now = [just.model_copy(update={"last_transition_time": NOW})]
    fresh = broken().model_copy(update={"status": broken().observed.model_copy(update={"conditions": now})})
    seen = look([fresh], OOM, 1, memory=Memory(next="4Gi"))
    assert seen.state is State.RETRYING
    assert seen.message == (
        "The pod was ended by its memory limit. The next attempt gets 4Gi (exit code 137)"
    )


def test_a_second_pod_out_of_memory_is_the_end_and_says_what_it_had() -> None:
    pods = [ended(2, exit_code=137, reason="OOMKilled")]
    seen = look([broken(1), broken(2)], pods, 2, memory=Memory(raised="4Gi"))
    assert seen.state is State.FAILED
    assert "raised to 4Gi already" in seen.message


def test_without_room_for_more_a_pod_out_of_memory_is_the_end() -> None:
    seen = look([broken()], OOM, 1)
    assert seen.state is State.FAILED
    assert "Raise spec.resources.limits.memory" in seen.message


def test_raised_memory_stays_raised_in_later_attempts() -> None:
    pods = [ended(2, exit_code=20, message=PLATFORM)]
    seen = look(
        [broken(1), marked(broken(2), **{labels.FAILURES: "0"})], pods, 2, memory=Memory(raised="4Gi")
    )
    assert seen.start is not None
    assert (seen.start.memory, seen.start.failures) == ("4Gi", 1)
    vanished = look([broken(1)], recorded=2, memory=Memory(raised="4Gi"))
    assert vanished.start is not None
    assert vanished.start.memory == "4Gi"


def test_a_late_answer_of_an_older_attempt_is_not_listened_to() -> None:
    jobs = [broken(1), job(2)]
    pods = [ended(1, message=trained("7")), pod(2)]
    assert look(jobs, pods, 2).state is State.RUNNING


def test_a_failure_of_the_program_is_final() -> None:
    assert look([broken()], [ended(exit_code=1)]).state is State.FAILED


def test_suspension_holds_before_the_first_job_and_between_attempts() -> None:
    held = JobOptions(suspend=True)
    assert look([], options=held).state is State.HELD
    assert look([broken()], [ended(exit_code=20, message=PLATFORM)], 1, held).state is State.HELD
    at_work = look([job()], [pod()], 1, held)
    assert at_work.hold is not None
    assert at_work.hold.suspend


def test_a_suspended_job_goes_on_unless_a_queue_holds_it() -> None:
    spec = job().spec.model_copy(update={"suspend": True})
    suspended = job().model_copy(update={"spec": spec})
    go_on = look([suspended], recorded=1)
    assert go_on.hold is not None
    assert not go_on.hold.suspend
    queued = look([suspended], recorded=1, options=JobOptions(queue_name="team"))
    assert queued.hold is None
    assert "team" in queued.message


def test_a_finished_step_is_done_even_if_it_is_suspended() -> None:
    seen = look([complete()], [ended(message=trained())], 1, JobOptions(suspend=True))
    assert seen.state is State.DONE


def test_later_attempts_get_what_is_left_of_the_deadline() -> None:
    first = broken().model_copy(
        update={"status": broken().observed.model_copy(update={"start_time": later(-100)})}
    )
    pods = [ended(exit_code=20, message=PLATFORM)]
    seen = look([first], pods, 1, JobOptions(active_deadline_seconds=130))
    assert seen.start is not None
    assert seen.start.deadline_seconds == 30
    over = look([first], pods, 1, JobOptions(active_deadline_seconds=90))
    assert over.state is State.FAILED
    assert over.failure is not None
    assert over.failure.failure_class is FailureClass.DEADLINE


def test_a_job_without_a_pod_is_looked_at_again_soon() -> None:
    started = job().model_copy(update={"status": job().observed.model_copy(update={"start_time": NOW})})
    assert look([started], recorded=1).after == pytest.approx(10)
    assert look([started], [pod(phase="Pending")], 1).after is None


def test_only_jobs_that_we_own_and_that_stay_count() -> None:
    going = job(2)
    meta = going.metadata.model_copy(update={"deletion_timestamp": NOW})
    foreign = job(3).metadata.model_copy(update={"owner_references": None})
    jobs = [
        job(),
        going.model_copy(update={"metadata": meta}),
        job(3).model_copy(update={"metadata": foreign}),
    ]
    assert owned_jobs(jobs, UID, {}) == (jobs[0],)
