"""What a TrainingJob that makes a run again says of it."""

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Outcome, ReplayOutcome
from modelyard_api.v1alpha1.training_job import ContainerSpec, ReplaySpec
from modelyard_operator.decisions.plan import Refusal
from modelyard_operator.decisions.replaying import with_secrets, without_container
from modelyard_operator.decisions.training_job import decide_training_job
from modelyard_operator.objects.custom import TrainingJobObject, Unreadable
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.steps import replay_step
from tests.support import resources
from tests.support.kubeapi import Document
from tests.unit.operator.making import before, broken, complete, ended, seen_as, training_job
from tests.unit.operator.stepping import SETTINGS
from tests.unit.operator.test_training_job import DATA, after, facts, reason

RUN = "0" * 31 + "b"
GONE = resources.failed(FailureClass.DATA, "the rows are gone")


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


def test_own_code_that_fails_by_now_or_whose_rows_are_gone_is_not_reproduced() -> None:
    seen = replay()
    for pod, why in ((before("own", 1, "Traceback"), "Code"), (before("prepare", 11, GONE), "Data")):
        told = after(seen, decide_training_job(seen, facts([broken()], [pod])))
        assert reason(told) == ("False", why)
        assert reason(told, "Reproduced") == ("False", why)


def test_a_replay_that_the_platform_failed_says_nothing_of_its_run() -> None:
    seen = replay()
    spec = seen.spec
    assert not isinstance(spec, Unreadable)
    once = seen.model_copy(update={"spec": spec.model_copy(update={"backoff_limit": 0})})
    pod = before("prepare", 20, resources.failed(FailureClass.PLATFORM, "S3 does not answer"))
    told = after(once, decide_training_job(once, facts([broken()], [pod])))
    assert reason(told) == ("False", "Platform")
    assert all(item.type != "Reproduced" for item in told.status.conditions)


def recorded(*environment: Document) -> ContainerSpec:
    found = training_job(pipeline=None, container={"image": "own"}, environment=list(environment)).spec
    assert isinstance(found, ContainerSpec)
    return found


def asking(*environment: Document) -> ReplaySpec:
    return ReplaySpec.model_validate({"replay": {"runId": RUN}, "environment": list(environment)})


PLAIN: Document = {"name": "EPOCHS", "value": "3"}
SECRET: Document = {"name": "TOKEN", "secret": {"name": "hub", "key": "token"}}
OTHER: Document = {"name": "TOKEN", "secret": {"name": "mine", "key": "token"}}


def test_variables_come_from_the_run_and_those_of_secrets_from_the_replay() -> None:
    again = with_secrets(recorded(PLAIN, SECRET), asking(OTHER))
    assert isinstance(again, ContainerSpec)
    assert again.environment == recorded(PLAIN, OTHER).environment


@pytest.mark.parametrize(
    ("run", "given", "words"),
    [
        ([PLAIN, SECRET], [], "lacks TOKEN"),
        ([PLAIN], [OTHER], "has TOKEN, which the run did not have"),
        ([PLAIN, SECRET], [SECRET, {"name": "EPOCHS", "value": "4"}], "has EPOCHS"),
    ],
)
def test_a_replay_with_other_variables_than_its_run_is_refused(
    run: list[Document], given: list[Document], words: str
) -> None:
    refusal = with_secrets(recorded(*run), asking(*given))
    assert isinstance(refusal, Refusal)
    assert refusal.final
    assert words in refusal.message


def test_a_replay_of_a_pipeline_has_no_variables() -> None:
    assert without_container(asking().environment) is None
    refusal = without_container(asking(SECRET).environment)
    assert refusal is not None
    assert "trained a pipeline" in refusal.message
