"""How a resource stands is read from its status: working, done or failed, and how far."""

from typing import Any

import pytest

from modelyard_cli.objects import READERS
from modelyard_cli.views.look import Look, State, look_at
from tests.support.resources import dataset, promotion, training_job
from tests.unit.cli.seeing import condition, seen

DATASET = dataset("houses", "demo")
JOB = training_job("forest", "demo")
PROMOTION = promotion("housing", "demo", serving={"replicas": {"min": 4}})


def look(document: dict[str, Any], *, complete: bool = False, **status: Any) -> Look:  # noqa: ANN401  JSON
    return look_at(READERS[document["kind"]](seen(document, **status)), complete=complete)


def test_a_resource_that_nobody_looked_at_is_pending() -> None:
    assert look(JOB) == Look(State.WORKING, "Pending", "the operator has not looked at it yet")


def test_a_condition_about_an_earlier_spec_says_nothing() -> None:
    old = condition("Ready", "True", "Published", generation=0)
    assert look(DATASET, conditions=[old]).state is State.WORKING


@pytest.mark.parametrize(
    ("status", "state"), [("True", State.DONE), ("False", State.FAILED), ("Unknown", State.WORKING)]
)
def test_a_training_job_ends_with_its_summary_condition(status: str, state: State) -> None:
    found = look(JOB, conditions=[condition("Succeeded", status, "Reason", "words")])
    assert found.state is state
    assert found.line() == "Reason: words"


def test_a_search_tells_how_many_trials_ended_and_the_best_of_them() -> None:
    progress = {
        "percent": 40,
        "trialsCompleted": 20,
        "trialsPruned": 4,
        "trialsRunning": 2,
        "bestValue": "0.41",
    }
    training = condition("Succeeded", "Unknown", "Training", "Attempt 1 is at work")
    found = look(JOB, conditions=[training], progress=progress)
    assert found.fraction == 0.4
    assert found.line() == "Training: 24 trials ended, 2 at work, the best 0.41"
    held = condition("Succeeded", "Unknown", "Suspended", "spec.suspend is true")
    assert look(JOB, conditions=[held], progress=progress).line() == "Suspended: spec.suspend is true"


def test_a_load_tells_phase_rows_speed_and_time_left() -> None:
    progress = {
        "phase": "Loading",
        "rows": 30000,
        "totalRows": 120000,
        "percent": "25.0",
        "rowsPerSecond": 15000,
        "estimatedSecondsRemaining": 6,
    }
    found = look(
        DATASET,
        conditions=[condition("Ready", "False", "Loading")],
        load={"sequence": 0, "progress": progress},
    )
    assert found.fraction == 0.25
    assert found.message == "loading 30,000 of 120,000 rows, 15,000 a second, 6 s left"


def test_a_dataset_is_done_when_it_is_ready_or_only_when_nothing_more_is_due() -> None:
    ready = condition("Ready", "True", "Published")
    more = condition("Progressing", "True", "WaitingForStep", "the next step is due at noon")
    load = {"sequence": 1, "percent": "40"}
    assert look(DATASET, conditions=[ready, more], load=load).state is State.DONE
    waiting = look(DATASET, complete=True, conditions=[ready, more], load=load)
    assert (waiting.state, waiting.fraction, waiting.reason) == (State.WORKING, 0.4, "WaitingForStep")
    complete = condition("Progressing", "False", "Complete")
    assert look(DATASET, complete=True, conditions=[ready, complete], load=load).state is State.DONE


def test_a_dataset_that_stalled_failed() -> None:
    conditions = [
        condition("Ready", "False", "Data", "no rows"),
        condition("Stalled", "True", "Data", "no rows"),
    ]
    assert look(DATASET, conditions=conditions) == Look(State.FAILED, "Data", "no rows")


@pytest.mark.parametrize(
    ("reason", "state"), [("GateFailed", State.FAILED), ("CandidateNotFound", State.WORKING)]
)
def test_a_promotion_fails_where_waiting_does_not_help(reason: str, state: State) -> None:
    assert look(PROMOTION, conditions=[condition("Ready", "False", reason)]).state is state


def test_a_promotion_is_as_far_as_its_pods() -> None:
    found = look(PROMOTION, conditions=[condition("Ready", "False", "RollingOut")], readyReplicas=1)
    assert found.fraction == 0.25


def test_a_field_of_a_newer_version_is_no_error() -> None:
    newer = seen(JOB, conditions=[], invented={"later": 1})
    newer["spec"]["invented"] = True
    assert look_at(READERS["TrainingJob"](newer)).state is State.WORKING
