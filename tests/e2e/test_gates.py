"""Gates with everything real: Jobs in the trainer's and the server's images, Prometheus, and the history in Postgres."""

from datetime import UTC, datetime, timedelta

import pytest

from modelyard_api.conditions import ConditionStatus
from modelyard_api.v1alpha1.gates import GateResult
from tests.support.kubeapi import DATASET, PROMOTION, TRAINING_JOB, Document
from tests.support.manifests import PROJECT, Project, dataset, promotion, training_job
from tests.support.platform import Platform
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(900)

MODEL = "gated"
STAGE = "gated-production"
GATES = [
    {"metric": {"name": "accuracy", "min": "0.5"}},
    {"improvement": {"metric": "accuracy"}},
    {"signature": {}},
    {"environment": {}},
    {"prometheus": {"query": "vector(1)", "min": "1", "max": "1"}},
]


@pytest.fixture(scope="module")
def project(platform: Platform) -> Project:
    """A champion that knows one question to ask, judged by all gates."""
    project = Project(platform.api, PROJECT)
    project.apply(dataset("tumours", builtin="breast-cancer"))
    project.await_true(DATASET, "tumours", "Ready")
    _train(project, "gated-stump", max_depth=1)
    project.apply(promotion(STAGE, MODEL, gates=GATES))
    project.await_true(PROMOTION, STAGE, "Ready")
    return project


def test_the_first_version_has_nobody_to_be_better_than(project: Project) -> None:
    seen = [(gate.observed, gate.passed) for gate in _gates(project)]
    assert seen[1:3] == [("no version is in charge yet", True)] * 2
    assert seen[3][0].startswith("the same versions of ")
    assert seen[4] == ("1", True)


def test_the_same_model_again_is_no_improvement(project: Project) -> None:
    _train(project, "gated-again", max_depth=1)
    refused = project.await_reason(PROMOTION, STAGE, "GatesPassed", "GateFailed")
    assert refused.message.startswith("spec.gates[1]: improvement accuracy: ")
    assert "better by 0, by at least 0, required is better by more than 0" in refused.message
    assert _gates(project)[2].observed == "the same 30 inputs and the same output"


def test_a_model_with_other_inputs_fails_by_its_signature(project: Project) -> None:
    _train(project, "gated-narrow", features={"exclude": ["mean_radius"]})
    until(lambda: _gates(project)[2].passed is False, 120, "the signature gate")
    assert _gates(project)[2].observed == 'input "mean_radius" is gone: requests with it are refused'


def test_a_better_model_takes_charge_and_postgres_knows_when(platform: Platform, project: Project) -> None:
    before = project.promotion(STAGE).status.champion
    assert before
    _train(project, "gated-forest", estimator="RandomForestClassifier")
    wanted = project.training_job("gated-forest").status.model
    assert wanted

    def champion() -> str:
        found = project.promotion(STAGE).status.champion
        assert found
        return found.version

    until(lambda: champion() == wanted.version, 180, "the better one being in charge")
    assert all(gate.passed for gate in _gates(project))
    project.await_true(PROMOTION, STAGE, "Recorded")
    since = datetime.fromisoformat(project.promotion(STAGE).status.history[0].since)
    moments = {before.version: since - timedelta(seconds=1), wanted.version: datetime.now(UTC)}
    with platform.postgres(PROJECT) as session:
        for version, moment in moments.items():
            found = session.execute("SELECT version FROM champion_at(%s, %s)", (STAGE, moment)).fetchall()
            assert found == [(version,)]


def test_a_query_without_data_fails_and_says_so(project: Project) -> None:
    gates = [{"prometheus": {"query": "no_such_metric_of_anybody", "min": "0"}}]
    project.apply(promotion("unmeasured", MODEL, stage="unmeasured", gates=gates))
    seen = project.await_reason(PROMOTION, "unmeasured", "Ready", "GateFailed")
    assert seen.status is ConditionStatus.FALSE
    assert seen.message.startswith(
        "spec.gates[0]: prometheus no_such_metric_of_anybody: no data, required is ≥ 0"
    )


def _train(project: Project, name: str, estimator: str = "DecisionTreeClassifier", **more: object) -> None:
    params: Document = {"random_state": 7}
    if "max_depth" in more:
        params["max_depth"] = more.pop("max_depth")
    job = training_job(
        name,
        "tumours",
        target="diagnosis",
        pipeline={"estimator": {"class": estimator, "params": params}},
        register={"modelName": MODEL},
        **more,
    )
    project.apply(job)
    project.await_true(TRAINING_JOB, name, "Succeeded")


def _gates(project: Project) -> list[GateResult]:
    candidate = project.promotion(STAGE).status.candidate
    assert candidate
    return candidate.gates
