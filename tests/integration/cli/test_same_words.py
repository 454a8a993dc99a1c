"""Files are judged offline as the API server judges them: every fault, at the same field, in the same words."""

import json
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from bringup.paths import REPOSITORY
from modelyard_cli.validation.documents import parse, read_files
from modelyard_cli.validation.judge import judge
from tests.integration.api import test_acceptance, test_bad_datasets
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import OWN_KINDS, Document, KubeApi, kube_api
from tests.support.operating import install
from tests.support.resources import dataset, promotion, training_job

NAMESPACE = "words"
"""Of its own: what is there already would be refused for that alone."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLES = sorted((REPOSITORY / "manifests" / "samples").glob("*.yaml"))


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[KubeApi]:
    with kube_api(control_plane.kubeconfig) as api:
        install(api, [NAMESPACE])
        yield api


def rule(**fields: object) -> Document:
    """A Dataset with one rule."""
    return dataset("houses", NAMESPACE, validation=[fields])


def transformed(*transforms: object) -> Document:
    """A Dataset with one variant."""
    return dataset("houses", NAMESPACE, variants=[{"name": "v1", "transforms": list(transforms)}])


def replay(**spec: object) -> Document:
    """A TrainingJob that makes a run again."""
    document = training_job("again", NAMESPACE)
    return {**document, "spec": {"replay": {"runId": "ab" * 16}, **spec}}


def tuned(*space: object, **tuning: object) -> Document:
    """A TrainingJob that searches for parameters."""
    return training_job("tuned", NAMESPACE, tuning={"trials": 4, "space": list(space), **tuning})


DEPTH = {"parameter": "estimator.max_depth", "integer": {"low": 2, "high": 9}}
MORE = [
    ("more pods than trials", tuned(DEPTH, parallelism=5)),
    ("a parameter that is searched twice", tuned(DEPTH, DEPTH)),
    ("a range that is turned around", tuned({"parameter": "estimator.a", "integer": {"low": 9, "high": 2}})),
    (
        "a logarithm of nothing",
        tuned({"parameter": "estimator.a", "number": {"low": "0", "high": "1", "log": True}}),
    ),
    ("a range of text", tuned({"parameter": "estimator.a", "number": {"low": "little", "high": "much"}})),
    ("a parameter of two kinds", tuned({**DEPTH, "choice": {"values": [1, 2]}})),
    ("nothing to search", tuned()),
    (
        "a replay that names data",
        replay(target="MedHouseVal", datasetRef={"name": "houses", "variant": "v1"}),
    ),
    ("a replay with a pipeline", replay(pipeline={"estimator": {"class": "Ridge"}})),
    ("a replay of what is no run", replay(replay={"runId": "latest"})),
    ("neither pipeline nor replay", {**replay(), "spec": {"suspend": True}}),
    ("a pipeline without data", {**replay(), "spec": {"pipeline": {"estimator": {"class": "Ridge"}}}}),
    ("a rule without its column", rule(rule="nullValues")),
    ("a rule with bounds that are turned around", rule(rule="range", column="a", min="10", max="9")),
    ("a range of one number", rule(rule="rowCount", mustBeBetween=["1"])),
    ("a range of words", rule(rule="rowCount", mustBeBetween=["one", "two"])),
    ("a rule that asks nothing", rule(rule="sql", unit="percent")),
    ("a percent in words", dataset("houses", NAMESPACE, split={"testPercent": "half"})),
    ("a percent of nothing", dataset("houses", NAMESPACE, split={"testPercent": None})),
    ("no spec", {**dataset("houses", NAMESPACE), "spec": None}),
    ("a spec of text", {**dataset("houses", NAMESPACE), "spec": "all of it"}),
    ("a list in place of an object", dataset("houses", NAMESPACE, source=["iris"])),
    ("an object in place of a list", dataset("houses", NAMESPACE, variants={"name": "v1"})),
    ("text in place of a list", dataset("houses", NAMESPACE, primaryKey="id")),
    ("a number in place of text", dataset("houses", NAMESPACE, primaryKey=[5])),
    ("a fraction in place of a whole number", training_job("forest", NAMESPACE, backoffLimit=1.5)),
    ("text in place of a switch", training_job("forest", NAMESPACE, suspend="no")),
    ("a quantity that is a switch", training_job("forest", NAMESPACE, resources={"limits": {"cpu": True}})),
    ("a very long name of a column", training_job("forest", NAMESPACE, target="a" * 64)),
    ("umlauts in a column", training_job("forest", NAMESPACE, target="Größe")),
    (
        "too many labels of nodes",
        training_job("forest", NAMESPACE, nodeSelector={f"l{n}": "" for n in range(33)}),
    ),
    ("an edge without a middle", transformed({"bin": {"column": "a", "into": "b"}})),
    ("a constant without a value", transformed({"fillMissing": {"columns": ["a"], "strategy": "Constant"}})),
    ("an unknown strategy", transformed({"fillMissing": {"columns": ["a"], "strategy": "Magic"}})),
    (
        "a count of a column",
        transformed(
            {"aggregate": {"by": ["a"], "columns": [{"function": "Count", "column": "a", "as": "n"}]}}
        ),
    ),
    ("unknown fields in a list", transformed({"dropMissing": {"all": True}}, {"filter": {"were": "a"}})),
    (
        "many faults at once",
        dataset("houses", NAMESPACE, primaryKey=["a b", "c d"], split={"testPercent": "0"}),
    ),
    (
        "faults that hide others",
        dataset("houses", NAMESPACE, source={}, columns=[{"name": "a", "type": "Decimal"}]),
    ),
    ("two rollouts", promotion("housing", NAMESPACE, rollout={})),
    ("weights that are the target", training_job("forest", NAMESPACE, sampleWeightColumn="MedHouseVal")),
    (
        "a sampler for numbers",
        training_job(
            "forest",
            NAMESPACE,
            pipeline={"resample": {"class": "SMOTE"}, "estimator": {"class": "Ridge"}},
        ),
    ),
    ("capitals in a name", dataset("Houses", NAMESPACE)),
    ("an underscore in a name", dataset("my_houses", NAMESPACE)),
]
GOOD = [
    ("a tuning", tuned(DEPTH, {"parameter": "estimator.max_features", "choice": {"values": ["sqrt", 0.5]}})),
    ("a replay", replay()),
    ("a Dataset", dataset("houses", NAMESPACE)),
    ("a TrainingJob", training_job("forest", NAMESPACE)),
    ("a ModelPromotion", promotion("housing", NAMESPACE)),
    ("a whole number written as a fraction", training_job("forest", NAMESPACE, backoffLimit=1.0)),
    ("a quantity as a number", training_job("forest", NAMESPACE, resources={"limits": {"cpu": 1}})),
    (
        "parameters of every type",
        training_job(
            "forest",
            NAMESPACE,
            pipeline={
                "estimator": {
                    "class": "RandomForestRegressor",
                    "params": {"max_depth": None, "max_features": 0.5, "bootstrap": True},
                }
            },
        ),
    ),
]
TABLE = [
    *((f"acceptance: {case[0]}", case[1]) for case in test_acceptance.REFUSED),
    *((f"datasets: {case[0]}", case[1]) for case in test_bad_datasets.REFUSED),
    *MORE,
    *GOOD,
]


def of_the_api_server(answer: httpx.Response) -> set[tuple[str, str]]:
    """Field and words of every fault; none where the resource is taken."""
    if answer.is_success:
        return set()
    status = answer.json()
    _, strict, unknown = status["message"].partition("strict decoding error: ")
    if strict:
        return {(text.split('"')[1], text) for text in unknown.split(", ")}
    causes = status.get("details", {}).get("causes", [])
    assert causes, status["message"]
    return {(cause["field"], cause["message"]) for cause in causes}


def offline(document: Document) -> set[tuple[str, str]]:
    """The same of the command line; the API server tells no other faults beside unknown fields."""
    faults = judge(document, NOW).faults
    unknown = [fault for fault in faults if fault.message.startswith("unknown field")]
    return {(fault.field or "<nil>", fault.message) for fault in unknown or faults}


@pytest.mark.parametrize(("document"), [case[1] for case in TABLE], ids=[case[0] for case in TABLE])
def test_the_same_faults_in_the_same_words(kube: KubeApi, document: Document) -> None:
    asked = deepcopy(document)
    asked["metadata"]["namespace"] = NAMESPACE
    answer = kube.create(OWN_KINDS[document["kind"]], asked, dry_run=True)
    assert offline(document) == of_the_api_server(answer)


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_samples_are_well(file: Path) -> None:
    for document in read_files([str(file)]):
        assert judge(document.content, NOW).faults == ()


WORDS = [
    *("y", "N", "yes", "Off", "true", "~", "null", "2026-01-31", "2026-01-31T10:00:00Z", "12:30", "1:30.5"),
    *("5", "5.0", "0.5", "1e3", "1.5e-3", "0x10", "010", "1_000", "'40'", ".5", "-3", "+3", "abc", "1.2.3"),
]


def test_files_are_read_as_kubectl_reads_them(control_plane: ControlPlane, kubectl: Path) -> None:
    entries = "".join(f"  k{number}: {word}\n" for number, word in enumerate(WORDS))
    text = f"apiVersion: modelyard.dev/v1alpha1\nkind: Dataset\nmetadata:\n  name: a\nspec:\n{entries}"
    done = subprocess.run(
        [
            *(kubectl, f"--kubeconfig={control_plane.kubeconfig}", "create", "--dry-run=client"),
            *("--validate=false", "-o", "json", "-f", "-"),
        ],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    (document,) = parse(text, "-")
    assert isinstance(document.content, dict)
    ours = dict(zip(WORDS, document.content["spec"].values(), strict=True))
    theirs = dict(
        zip(WORDS, (json.loads(done.stdout)["spec"][f"k{n}"] for n in range(len(WORDS))), strict=True)
    )
    assert ours == theirs
    assert yaml.safe_dump(ours) == yaml.safe_dump(theirs)
