"""A TrainingJob with own code: what becomes of its pod, its specs, and what its status says."""

from dataclasses import dataclass
from typing import Any

import pytest

from modelyard_api import labels
from modelyard_api.caching import Surroundings, ingredients_of, unknown_ingredient
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Outcome, TrainOutcome
from modelyard_api.v1alpha1.common import ResourceRequirements
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec
from modelyard_api.v1alpha1.reasons import PromotionReason
from modelyard_api.v1alpha1.training_job import ContainerSpec, DatasetVersion
from modelyard_operator.decisions.attempts import Pauses, StepFacts
from modelyard_operator.decisions.candidates import NoCandidate, Registry, choose
from modelyard_operator.decisions.failures import Phase, has_ended, log_container, look, needs_log
from modelyard_operator.decisions.training_job import TrainingFacts, decide_training_job
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.registry import Version
from tests.support.resources import failed
from tests.unit.operator.making import NOW, before, broken, complete, ended, job, pod, promotion, training_job

DATA = DatasetVersion(variant="v1", sequence=1, digest="sha256:" + "1" * 64, uri="s3://a/m.json", split="a")
AROUND = Surroundings("registry/trainer@sha256:" + "2" * 64, ResourceRequirements(), {"python": "3.13"})
IMAGE = "registry/own@sha256:" + "1" * 64
TRACE = "Traceback\nValueError: no such column"
PLATFORM = failed(FailureClass.PLATFORM, "S3 does not answer")


def own(image: str = IMAGE, **spec: Any) -> ContainerSpec:  # noqa: ANN401  JSON
    found = training_job(pipeline=None, container={"image": image}, **spec).spec
    assert isinstance(found, ContainerSpec)
    return found


@dataclass(frozen=True)
class Case:
    """A pod that failed, and what that means."""

    name: str
    pod: Pod
    failure: FailureClass
    words: str


CASES = [
    Case("an exception", before("own", 1, TRACE), FailureClass.CODE, TRACE),
    Case("its exit code", before("own", 3, TRACE), FailureClass.CODE, "(exit code 3)"),
    Case("an exit code of ours", before("own", 20, TRACE), FailureClass.CODE, "(exit code 20)"),
    Case("an exit code below 0", before("own", 255), FailureClass.CODE, "failed: Error"),
    Case("a signal", before("own", 139), FailureClass.CODE, "was ended by signal 11"),
    Case("an answer that it may not give", before("own", 1, PLATFORM), FailureClass.CODE, "failed: Error"),
    Case(
        "a command that is not there",
        before("own", 128, 'exec: "go"', "StartError"),
        FailureClass.CODE,
        "StartError",
    ),
    Case("too much memory", before("own", 137, TRACE, "OOMKilled"), FailureClass.OUT_OF_MEMORY, TRACE),
    Case("a deleted pod", before("own", 143, deleted=True), FailureClass.EVICTED, "taken away"),
    Case(
        "rows that cannot be read",
        before("prepare", 20, PLATFORM),
        FailureClass.PLATFORM,
        "S3 does not answer",
    ),
    Case(
        "a model that takes the judge's memory",
        before("judge", 137, reason="OOMKilled"),
        FailureClass.OUT_OF_MEMORY,
        "memory limit",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_became_of_a_container_before_the_step(case: Case) -> None:
    assert has_ended(case.pod)
    seen = look(broken(), [case.pod])
    assert seen.phase is Phase.FAILED
    assert seen.failure is not None
    assert seen.failure.failure_class is case.failure
    assert case.words in seen.explain()


def test_a_pod_whose_own_code_runs_is_at_work_although_its_phase_is_pending() -> None:
    running = {"name": "own", "state": {"running": {}}}
    working = pod(phase="Pending", initContainerStatuses=[running])
    assert look(job(), [working]).phase is Phase.RUNNING
    assert log_container(working) == "own"
    assert not has_ended(working)


def test_a_pod_between_two_of_its_containers_has_not_ended() -> None:
    assert not has_ended(before("own", 0))
    assert look(job(), [before("own", 0)]).phase is Phase.CREATED


@pytest.mark.parametrize(
    ("reason", "failure"),
    [("ErrImagePull", FailureClass.IMAGE), ("CreateContainerConfigError", FailureClass.PLATFORM)],
)
def test_what_is_in_the_way_of_own_code_is_said(reason: str, failure: FailureClass) -> None:
    waiting = {"name": "own", "state": {"waiting": {"reason": reason, "message": "why"}}}
    blocked = look(job(), [pod(phase="Pending", initContainerStatuses=[waiting])]).blocked
    assert blocked is not None
    assert blocked.failure_class is failure
    assert "why" in blocked.message


def test_only_a_mute_container_of_ours_is_asked_for_its_log() -> None:
    mute = before("judge", 1)
    assert needs_log(broken(), [mute]) is mute
    assert log_container(mute) == "judge"
    assert needs_log(broken(), [before("own", 1)]) is None


def test_the_answer_is_that_of_the_last_container() -> None:
    answer = Outcome(train=outcome()).to_json().decode()
    done = ended(
        message=answer, initContainerStatuses=[{"name": "own", "state": {"terminated": {"exitCode": 0}}}]
    )
    assert look(complete(), [done]).phase is Phase.SUCCEEDED


def outcome(**more: Any) -> TrainOutcome:  # noqa: ANN401  JSON
    return TrainOutcome(
        run_id="r", model_digest="sha256:m", model_version="4", data=DATA, metrics={"rmse": 0.5}, **more
    )


def test_a_model_that_nobody_can_serve_is_registered_and_says_so() -> None:
    asked = training_job(pipeline=None, container={"image": IMAGE}, register={"modelName": "housing"})
    answer = (
        Outcome(train=outcome(not_servable="the model's directory holds no model.skops")).to_json().decode()
    )
    facts = TrainingFacts(
        step=StepFacts(now=NOW, pauses=Pauses(1, 10), jobs=(complete(),), pods=(ended(message=answer),)),
        data=DATA,
    )
    status = decide_training_job(asked, facts).status
    assert status.not_servable == "the model's directory holds no model.skops"
    assert status.model is not None
    assert status.model.version == "4"
    assert status.usage is None
    told = next(item.message for item in status.conditions if item.type == "Succeeded")
    assert told == (
        "rmse=0.5000, registered as housing version 4. "
        "No server can answer with it: the model's directory holds no model.skops"
    )


@pytest.mark.parametrize(
    ("spec", "unknown"),
    [
        (own(), None),
        (own("registry/own:latest"), "registry/own:latest is named by a tag"),
        (
            own(environment=[{"name": "TOKEN", "secret": {"name": "hub", "key": "token"}}]),
            "environment TOKEN is what a Secret holds",
        ),
        (own(environment=[{"name": "EPOCHS", "value": "3"}]), None),
    ],
)
def test_an_earlier_result_is_taken_only_where_all_that_it_followed_from_is_known(
    spec: ContainerSpec, unknown: str | None
) -> None:
    found = unknown_ingredient(spec, DATA, AROUND)
    assert found is None if unknown is None else unknown in (found or "")


def test_image_and_variables_count_among_the_ingredients() -> None:
    few, more = own(), own(environment=[{"name": "EPOCHS", "value": "3"}])
    found = ingredients_of(more, DATA, AROUND)
    assert found["container.image"] == f'"{IMAGE}"'
    assert found["environment[0].value"] == '"3"'
    assert not any(path.startswith("environment") for path in ingredients_of(few, DATA, AROUND))


def test_a_promotion_says_why_a_version_cannot_be_served() -> None:
    made = Version.model_validate(
        {
            "name": "housing",
            "version": "4",
            "tags": [
                {"key": labels.TAG_MODEL_DIGEST, "value": "sha256:m"},
                {"key": labels.TAG_NOT_SERVABLE, "value": "the model's directory holds no model.skops"},
            ],
        }
    )
    spec = promotion().spec
    assert isinstance(spec, ModelPromotionSpec)
    chosen = choose(spec, Registry(versions=(made,)), None)
    assert isinstance(chosen, NoCandidate)
    assert chosen.reason is PromotionReason.MODEL_UNUSABLE
    assert (
        "Version 4 of housing is not servable: the model's directory holds no model.skops" in chosen.message
    )
