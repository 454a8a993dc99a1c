"""What a real API server takes of our kinds, and in which words it refuses the rest."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bringup.paths import REPOSITORY
from modelyard_api.crd.definition import KINDS
from modelyard_api.v1alpha1.reasons import DatasetCondition, PromotionCondition, TrainingJobCondition
from tests.integration.api.conftest import NAMESPACE
from tests.support.kubeapi import CRD, OWN_KINDS, Document, KubeApi
from tests.support.resources import dataset, promotion, replay, training_job

SAMPLES = [
    file
    for file in sorted((REPOSITORY / "manifests" / "samples").rglob("*.yaml"))
    if file.parent.name != "workflows"
]


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_sample_is_accepted(kube: KubeApi, file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        document["metadata"]["namespace"] = NAMESPACE
        answer = kube.attempt(OWN_KINDS[document["kind"]], document, dry_run=True)
        assert answer.is_success, answer.text


def with_spec(document: Document, path: str, value: Any) -> Document:  # noqa: ANN401  JSON
    """A copy with one field of the spec set, or removed for None; the path has dots between its parts."""
    changed = deepcopy(document)
    place = changed["spec"]
    *parents, last = path.split(".")
    for part in parents:
        place = place.setdefault(part, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


def named(document: Document, name: str) -> Document:
    """A copy under another name."""
    changed = deepcopy(document)
    changed["metadata"]["name"] = name
    return changed


DATASET = dataset("houses", NAMESPACE)
TRAINING = training_job("forest", NAMESPACE)
OWN_CODE = named(
    with_spec(
        with_spec(TRAINING, "container", {"image": "registry/own:1", "command": ["train"]}), "pipeline", None
    ),
    "forest-of-own-code",
)
REPLAY = replay("again", NAMESPACE)
PROMOTION = promotion("housing", NAMESPACE)

REFUSED = [
    ("a name of 60 characters", named(TRAINING, "a" * 60), "must have at most 52 characters"),
    ("a name that begins with a digit", named(DATASET, "1-houses"), "begins with a letter"),
    ("a name with a dot", named(DATASET, "my.houses"), "DNS label"),
    (
        "no source",
        with_spec(DATASET, "source", {}),
        "exactly one of builtin, s3, http, sql, upload, dataset must be set",
    ),
    (
        "an unknown kind of source",
        with_spec(DATASET, "source", {"magic": {}}),
        ".spec.source.magic: field not declared in schema",
    ),
    (
        "an unknown built-in data set",
        with_spec(DATASET, "source", {"builtin": {"name": "titanic"}}),
        'Unsupported value: "titanic"',
    ),
    ("an unknown field", with_spec(DATASET, "colour", "blue"), "field not declared in schema"),
    (
        "a variant from none",
        with_spec(DATASET, "variants", [{"name": "v2", "from": "v1"}]),
        "from must name another variant",
    ),
    (
        "a variant from itself",
        with_spec(DATASET, "variants", [{"name": "v1", "from": "v1"}]),
        "a variant cannot start from itself",
    ),
    (
        "two variants of one name",
        with_spec(DATASET, "variants", [{"name": "v1"}, {"name": "v1"}]),
        "names of variants must be unique",
    ),
    ("no variants", with_spec(DATASET, "variants", []), "at least 1 items"),
    (
        "21 variants",
        with_spec(DATASET, "variants", [{"name": f"v{n}"} for n in range(21)]),
        "at most 20 items",
    ),
    (
        "two transforms in one step",
        with_spec(
            DATASET,
            "variants",
            [{"name": "v1", "transforms": [{"dropMissing": {}, "filter": {"where": "a"}}]}],
        ),
        "exactly one of filter, derive, bin, dropMissing, fillMissing, select, rename",
    ),
    ("a percent with a sign", with_spec(DATASET, "split.testPercent", "40%"), "should match"),
    ("a percent of 0", with_spec(DATASET, "split.testPercent", "0"), "more than 0 and at most 100"),
    ("a percent of 101", with_spec(DATASET, "split.testPercent", "101"), "more than 0 and at most 100"),
    ("a percent as a number", with_spec(DATASET, "split.testPercent", 40), "expected string"),
    (
        "two ways to split",
        with_spec(with_spec(DATASET, "split.stratifyBy", "kind"), "split.groupBy", "shop"),
        "only one of split.stratifyBy, split.groupBy and split.timeColumn may be set",
    ),
    (
        "a column with a space",
        with_spec(DATASET, "primaryKey", ["my id"]),
        "should match",
    ),
    ("an unknown task", with_spec(TRAINING, "task", "Clustering"), 'Unsupported value: "Clustering"'),
    ("no target", with_spec(TRAINING, "target", None), "datasetRef, task and target must be set"),
    (
        "neither pipeline nor replay",
        with_spec(TRAINING, "pipeline", None),
        "exactly one of pipeline, container, replay must be",
    ),
    (
        "pipeline and replay",
        with_spec(TRAINING, "replay", {"runId": "0" * 32}),
        "exactly one of pipeline, container, replay must be set",
    ),
    (
        "pipeline and container",
        with_spec(TRAINING, "container", {"image": "registry/own:1"}),
        "exactly one of pipeline, container, replay must be set",
    ),
    (
        "a container without an image",
        with_spec(OWN_CODE, "container", {"args": ["x"]}),
        "image: Required value",
    ),
    (
        "folds of a container",
        with_spec(OWN_CODE, "evaluation", {"crossValidation": {"folds": 3}}),
        "a container does that itself",
    ),
    (
        "a variable of a pipeline",
        with_spec(TRAINING, "environment", [{"name": "A", "value": "b"}]),
        "environment is for a container",
    ),
    (
        "a variable with two values",
        with_spec(
            OWN_CODE, "environment", [{"name": "A", "value": "b", "secret": {"name": "a", "key": "b"}}]
        ),
        "exactly one of value, secret must be set",
    ),
    (
        "a variable of Modelyard's",
        with_spec(OWN_CODE, "environment", [{"name": "MODELYARD_STEP", "value": "{}"}]),
        "names that begin with MODELYARD_ are Modelyard's own",
    ),
    (
        "a replay of other data",
        with_spec(with_spec(TRAINING, "replay", {"runId": "0" * 32}), "pipeline", None),
        "replay takes these from its run, leave them out: datasetRef, task, target",
    ),
    ("a replay of no run id", with_spec(REPLAY, "replay", {"runId": "my-run"}), "should match"),
    (
        "include and exclude",
        with_spec(TRAINING, "features", {"include": ["a"], "exclude": ["b"]}),
        "exactly one of include, exclude must be set",
    ),
    (
        "columns by pattern and by type",
        with_spec(
            TRAINING,
            "pipeline.preprocess",
            [
                {
                    "name": "a",
                    "columns": {"pattern": "x.*", "types": ["Text"]},
                    "steps": [{"class": "OneHotEncoder"}],
                }
            ],
        ),
        "exactly one of types, names, pattern must be set",
    ),
    (
        "weights by the target",
        with_spec(TRAINING, "sampleWeightColumn", TRAINING["spec"]["target"]),
        "sampleWeightColumn must not be the target",
    ),
    (
        "classes of a number evened out",
        with_spec(TRAINING, "pipeline.resample", {"class": "SMOTE"}),
        "pipeline.resample is for task Classification",
    ),
    (
        "made rows with weights",
        with_spec(
            with_spec(with_spec(TRAINING, "task", "Classification"), "pipeline.resample", {"class": "SMOTE"}),
            "sampleWeightColumn",
            "weight",
        ),
        "pipeline.resample makes rows that have no weight",
    ),
    (
        "early stopping after no round",
        with_spec(TRAINING, "pipeline.earlyStopping", {"rounds": 0}),
        "greater than or equal to 1",
    ),
    ("a digest that is none", with_spec(TRAINING, "datasetRef.digest", "latest"), "should match"),
    ("a negative deadline", with_spec(TRAINING, "activeDeadlineSeconds", -1), "greater than or equal to 1"),
    ("a large backoff limit", with_spec(TRAINING, "backoffLimit", 11), "less than or equal to 10"),
    (
        "a model name with capitals",
        with_spec(TRAINING, "register", {"modelName": "Housing"}),
        "should match",
    ),
]


@pytest.mark.parametrize(
    ("document", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_is_wrong_is_refused_in_words(kube: KubeApi, document: Document, words: str) -> None:
    answer = kube.attempt(OWN_KINDS[document["kind"]], document, dry_run=True)
    assert not answer.is_success
    assert words in answer.json()["message"], answer.json()["message"]


def test_a_spec_of_2_mib_is_refused(kube: KubeApi) -> None:
    large = with_spec(TRAINING, "pipeline.estimator.params", {"alpha": "x" * 2 * 1024 * 1024})
    answer = kube.attempt(OWN_KINDS["TrainingJob"], large)
    assert answer.status_code in {400, 413, 422, 500}
    assert any(word in answer.text for word in ("too large", "limit", "larger than max")), answer.text


IMMUTABLE = [
    (DATASET, "source", {"builtin": {"name": "iris"}}, "source is immutable: make a new Dataset"),
    (DATASET, "primaryKey", ["other"], "primaryKey is immutable: make a new Dataset"),
    (TRAINING, "target", "MedInc", "target is immutable: make a new TrainingJob"),
    (TRAINING, "task", "Classification", "task is immutable: make a new TrainingJob"),
    (REPLAY, "replay", {"runId": "1" * 32}, "replay is immutable: make a new TrainingJob"),
    (OWN_CODE, "container.image", "registry/own:2", "container is immutable: make a new TrainingJob"),
    (
        OWN_CODE,
        "environment",
        [{"name": "A", "value": "b"}],
        "environment is immutable: make a new TrainingJob",
    ),
    (TRAINING, "datasetRef.variant", "v2", "datasetRef is immutable: make a new TrainingJob"),
    (
        TRAINING,
        "pipeline.estimator.params",
        {"n_estimators": 11},
        "pipeline is immutable: make a new TrainingJob",
    ),
    (TRAINING, "register.modelName", "other", "register is immutable: make a new TrainingJob"),
    (TRAINING, "sampleWeightColumn", "weight", "sampleWeightColumn is immutable: make a new TrainingJob"),
    (TRAINING, "features", {"exclude": ["id"]}, "features is immutable: make a new TrainingJob"),
    (TRAINING, "evaluation", {"primary": "mae"}, "evaluation is immutable: make a new TrainingJob"),
    (PROMOTION, "modelName", "other", "modelName is immutable: make a new ModelPromotion"),
    (PROMOTION, "stage", "staging", "stage is immutable: make a new ModelPromotion"),
]


@pytest.mark.parametrize(
    ("document", "path", "value", "words"), IMMUTABLE, ids=[f"{c[0]['kind']}.{c[1]}" for c in IMMUTABLE]
)
def test_what_is_decided_cannot_be_edited(
    kube: KubeApi,
    document: Document,
    path: str,
    value: Any,  # noqa: ANN401  JSON
    words: str,
) -> None:
    kind = OWN_KINDS[document["kind"]]
    kube.apply(kind, document)
    answer = kube.attempt(kind, with_spec(document, path, value))
    assert answer.status_code == 422
    assert words in answer.json()["message"]


def test_work_may_be_suspended_and_given_more_memory(kube: KubeApi) -> None:
    kube.apply(OWN_KINDS["TrainingJob"], TRAINING)
    edited = with_spec(with_spec(TRAINING, "suspend", value=True), "resources", {"limits": {"memory": "4Gi"}})
    assert kube.attempt(OWN_KINDS["TrainingJob"], edited).is_success


def test_a_stage_that_is_left_out_can_be_read_by_everyone(kube: KubeApi) -> None:
    unnamed = named(with_spec(PROMOTION, "stage", None), "housing-unstaged")
    assert (
        kube.attempt(OWN_KINDS["ModelPromotion"], unnamed, dry_run=True).json()["spec"]["stage"]
        == "production"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_is_described(kube: KubeApi, kind: Any) -> None:  # noqa: ANN401  of the generator
    crd = kube.read(CRD, None, f"{kind.plural}.modelyard.dev") or {}
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    missing = [
        path
        for part in ("spec", "status")
        for path, node in _fields(schema["properties"][part], part)
        if not node.get("description")
    ]
    assert missing == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_condition_that_a_column_picks_is_one_that_is_set(kind: Any) -> None:  # noqa: ANN401

    known = {
        "Dataset": DatasetCondition,
        "TrainingJob": TrainingJobCondition,
        "ModelPromotion": PromotionCondition,
    }[kind.name]
    picked = {
        column.path.split('"')[1] for column in kind.columns if column.path.startswith(".status.conditions")
    }
    assert picked
    assert picked <= set(known)
    assert not any("[-1" in column.path for column in kind.columns)


def _fields(node: Document, path: str) -> list[tuple[str, Document]]:
    found = []
    for name, child in node.get("properties", {}).items():
        found.append((f"{path}.{name}", child))
        found += _fields(child, f"{path}.{name}")
        found += _fields(child.get("items", {}), f"{path}.{name}[]")
    return found
