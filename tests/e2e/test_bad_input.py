"""What is wrong is refused at once or said in a condition, with field, value and remedy; never tried over and over."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from modelyard_api.labels import DATASET as DATASET_LABEL
from modelyard_api.labels import TRAINING_JOB as TRAINING_JOB_LABEL
from tests.support.kubeapi import DATASET, OWN_KINDS, TRAINING_JOB, Document
from tests.support.kubectl import Command
from tests.support.manifests import PROJECT, Project, dataset, promotion, training_job
from tests.support.platform import Platform, jobs_of, operator_restarts
from tests.support.waiting import throughout

TWO_MEBIBYTES = 2 * 1024 * 1024
QUIET_SECONDS = 20.0


def _estimator(class_: str, **params: object) -> dict[str, object]:
    return {"estimator": {"class": class_, "params": params}}


def _variant(*transforms: dict[str, object]) -> list[dict[str, object]]:
    return [{"name": "v1", "transforms": list(transforms)}]


@dataclass(frozen=True)
class Wrong:
    """A resource that cannot be carried out, and what its condition says."""

    document: Document
    condition: str
    reason: str
    words: tuple[str, ...]
    """Field, value and remedy."""

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def label(self) -> str:
        return DATASET_LABEL if self.document["kind"] == "Dataset" else TRAINING_JOB_LABEL


CASES = (
    Wrong(
        training_job("unknown-class", pipeline=_estimator("RandomForestClasifier")),
        "Succeeded",
        "InvalidSpec",
        ("pipeline.estimator.class", "RandomForestClasifier", "RandomForestClassifier"),
    ),
    Wrong(
        training_job("class-not-allowed", pipeline=_estimator("os.system")),
        "Succeeded",
        "InvalidSpec",
        ("pipeline.estimator.class", "os.system"),
    ),
    Wrong(
        training_job("unknown-parameter", pipeline=_estimator("DecisionTreeClassifier", max_dept=3)),
        "Succeeded",
        "InvalidSpec",
        ("pipeline.estimator.params", "max_dept", "max_depth"),
    ),
    Wrong(
        training_job("unknown-target", target="specie"),
        "Succeeded",
        "InvalidSpec",
        ("target", "specie", "species"),
    ),
    Wrong(
        dataset("unknown-column", variants=_variant({"filter": {"where": "petal_lenght > 1"}})),
        "Ready",
        "InvalidSpec",
        ("variants", "petal_lenght", "petal_length"),
    ),
    Wrong(
        dataset(
            "function-not-allowed", variants=_variant({"derive": {"column": "x", "as": "getenv('HOME')"}})
        ),
        "Ready",
        "InvalidSpec",
        ("variants", "getenv"),
    ),
    Wrong(
        dataset("second-statement", variants=_variant({"filter": {"where": "1 = 1; DROP TABLE iris"}})),
        "Ready",
        "InvalidSpec",
        ("variants", "where"),
    ),
    Wrong(
        promotion(
            "gate-fails",
            "good-tree",
            gates=[{"metric": {"name": "accuracy", "min": "1.01"}}],
        ),
        "Ready",
        "GateFailed",
        ("spec.gates[0]", "accuracy", "1.01", "better version"),
    ),
    Wrong(
        promotion("no-such-version", "good-tree", stage="other", candidate={"version": "77"}),
        "Ready",
        "CandidateNotFound",
        ("77", "good-tree"),
    ),
    Wrong(
        promotion("no-such-model", "never-trained"),
        "Ready",
        "CandidateNotFound",
        ("never-trained",),
    ),
)


@pytest.fixture(scope="module")
def project(platform: Platform) -> Project:
    """A project with iris, one good model, and every wrong resource applied at the same time."""
    project = Project(platform.api, PROJECT)
    project.apply(dataset("iris"))
    project.apply(training_job("good-tree"))
    project.await_true(DATASET, "iris", "Ready")
    project.await_true(TRAINING_JOB, "good-tree", "Succeeded")
    for case in CASES:
        project.apply(case.document)
    return project


@dataclass(frozen=True)
class Settled:
    """Every wrong resource once it was told what is wrong."""

    at: float
    """By the monotonic clock."""
    versions: dict[str, str]


def versions_of_all(project: Project) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in CASES:
        seen = project.api.read(OWN_KINDS[case.document["kind"]], project.name, case.name)
        assert seen
        found[case.name] = seen["metadata"]["resourceVersion"]
    return found


@pytest.fixture(scope="module")
def settled(project: Project) -> Settled:
    for case in CASES:
        project.await_reason(OWN_KINDS[case.document["kind"]], case.name, case.condition, case.reason)
    return Settled(time.monotonic(), versions_of_all(project))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_condition_names_field_value_and_remedy(project: Project, case: Wrong) -> None:
    kind = OWN_KINDS[case.document["kind"]]
    condition = project.await_reason(kind, case.name, case.condition, case.reason)
    assert condition.status == "False"
    for word in case.words:
        assert word in condition.message


def test_no_wrong_input_ends_the_operator(platform: Platform, settled: Settled) -> None:
    del settled
    pod = platform.operator_pod()
    assert pod
    assert operator_restarts(pod) == 0


def test_a_training_job_waits_for_its_dataset_and_then_goes_on(project: Project) -> None:
    project.apply(training_job("early-bird", "late-iris"))
    waiting = project.await_reason(TRAINING_JOB, "early-bird", "Succeeded", "WaitingForDataset")
    assert waiting.status == "Unknown"
    assert "late-iris" in waiting.message
    project.apply(dataset("late-iris"))
    project.await_true(TRAINING_JOB, "early-bird", "Succeeded")


def test_a_mended_dataset_becomes_ready(project: Project) -> None:
    project.apply(dataset("mended", variants=_variant({"filter": {"where": "petal_lenght > 1"}})))
    project.await_reason(DATASET, "mended", "Ready", "InvalidSpec")
    project.apply(dataset("mended", variants=_variant({"filter": {"where": "petal_length > 1"}})))
    project.await_true(DATASET, "mended", "Ready")


def test_a_name_of_60_characters_is_refused(project: Project, kubectl: Command) -> None:
    refused = _apply(kubectl, project.placed(dataset("a" * 60)))
    assert refused
    assert "52 characters" in refused


def test_a_spec_of_2_mebibytes_is_refused(project: Project, kubectl: Command) -> None:
    much = dataset("much", variants=_variant({"filter": {"where": "x" * TWO_MEBIBYTES}}))
    refused = _apply(kubectl, project.placed(much))
    assert refused
    assert "where" in refused or "too large" in refused


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (dataset("iris", "wine"), "source"),
        (training_job("good-tree", target="other"), "target"),
        (promotion("gate-fails", "other-model"), "modelName"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_edit_of_an_immutable_field_is_refused(project: Project, changed: Document, field: str) -> None:
    answer = project.api.attempt(OWN_KINDS[changed["kind"]], project.placed(changed))
    assert answer.status_code == 422, answer.text
    message = answer.json()["message"]
    assert field in message
    assert "immutable" in message


def test_an_unknown_field_is_refused_by_its_name(project: Project, kubectl: Command) -> None:
    document = project.placed(training_job("unknown-field", piepline={}))
    done = kubectl.attempt("create", "--validate=strict", "-f", "-", text=json.dumps(document))
    assert done.returncode
    assert "piepline" in done.stderr


def test_nothing_wrong_was_tried_over_and_over_while_the_others_were_tested(
    platform: Platform, project: Project, settled: Settled
) -> None:
    rest = settled.at + QUIET_SECONDS - time.monotonic()
    throughout(
        lambda: versions_of_all(project) == settled.versions, rest, "every wrong resource being left alone"
    )
    assert versions_of_all(project) == settled.versions
    for case in CASES:
        assert len(jobs_of(platform.api, project.name, case.label, case.name)) <= 1, case.name


def _apply(kubectl: Command, document: dict[str, Any]) -> str:
    """What kubectl says where it is refused; empty where it is not."""
    done = kubectl.attempt("apply", "--server-side", "-f", "-", text=json.dumps(document))
    return done.stderr if done.returncode else ""
