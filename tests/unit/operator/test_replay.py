"""What a TrainingJob that makes a run again says of it."""

from modelyard_api.contract.outcome import Outcome, ReplayOutcome
from modelyard_operator.decisions.training_job import decide_training_job
from modelyard_operator.objects.custom import TrainingJobObject, Unreadable
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.steps import replay_step
from tests.support import resources
from tests.unit.operator.making import complete, ended, seen_as
from tests.unit.operator.stepping import SETTINGS
from tests.unit.operator.test_training_job import DATA, after, facts, reason

RUN = "0" * 31 + "b"


def replay() -> TrainingJobObject:
    return TrainingJobObject.model_validate(seen_as(resources.replay("again", "demo", RUN)))


def answer(*differences: str) -> str:
    outcome = ReplayOutcome(
        run_id="0" * 31 + "c",
        data=DATA,
        differences=list(differences),
        compared="image and libraries, 200 rows by their digest",
        metrics={"rmse": 0.5},
        cpu_seconds=3,
        peak_memory_bytes=1000,
    )
    return Outcome(replay=outcome).to_json().decode()


def test_a_replay_waits_for_no_dataset_and_asks_the_trainer_for_its_run() -> None:
    seen = replay()
    plan = decide_training_job(seen, facts())
    assert plan.start is not None
    assert not isinstance(seen.spec, Unreadable)
    assert seen.spec.replay is not None
    step = replay_step(Parent("TrainingJob", "demo", "again", "u", 1), seen.spec, 1, SETTINGS).replay
    assert step is not None
    assert step.run_id == RUN


def test_a_run_that_came_out_the_same_is_reproduced_and_registers_nothing() -> None:
    seen = replay()
    told = after(seen, decide_training_job(seen, facts([complete()], [ended(message=answer())])))
    assert reason(told) == ("True", "Completed")
    assert reason(told, "Reproduced") == ("True", "SameResult")
    assert told.status.summary == "reproduced"
    assert told.status.dataset_version == DATA
    assert told.status.model is None


def test_what_differs_is_told_and_the_replay_has_succeeded_all_the_same() -> None:
    seen = replay()
    message = answer("image: was a, is b", "predictions: 3 of 40 test rows by 0.25 at most")
    told = after(seen, decide_training_job(seen, facts([complete()], [ended(message=message)])))
    assert reason(told) == ("True", "Completed")
    assert reason(told, "Reproduced") == ("False", "OtherResult")
    found = next(item.message for item in told.status.conditions if item.type == "Reproduced")
    assert found == "image: was a, is b; predictions: 3 of 40 test rows by 0.25 at most"


def test_an_answer_of_another_kind_ends_it() -> None:
    seen = replay()
    told = after(seen, decide_training_job(seen, facts([complete()], [ended(message=resources.trained())])))
    assert reason(told) == ("False", "Code")
