"""The same ingredients make the same key; whatever changes the result changes it, and is named."""

import hashlib
from typing import Any

import pytest

from modelyard_api.caching import (
    TEXT_LIMIT,
    Surroundings,
    differences,
    ingredients_of,
    is_pinned,
    key_of,
    pack,
    threads_of,
    unknown_ingredient,
    unpack,
)
from modelyard_api.v1alpha1.common import JobOptions, ResourceRequirements
from modelyard_api.v1alpha1.training_job import DatasetVersion, TrainingJobSpec

SPEC: dict[str, Any] = {
    "datasetRef": {"name": "houses", "variant": "v1"},
    "task": "Regression",
    "target": "price",
    "features": {"include": ["size", "age"]},
    "pipeline": {
        "preprocess": [
            {"name": "numbers", "columns": {"names": ["size"]}, "steps": [{"class": "StandardScaler"}]}
        ],
        "estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 10, "random_state": 1}},
    },
    "evaluation": {"primary": "rmse", "metrics": ["rmse", "mae"]},
    "register": {"modelName": "houses"},
}
DATA = DatasetVersion(
    variant="v1", sequence=3, digest="sha256:" + "1" * 64, uri="s3://a/b", split="0123456789abcdef"
)
SPACE = [{"parameter": "estimator.n_estimators", "integer": {"low": 1, "high": 9}}]
AROUND = Surroundings("trainer:0.1.0-0123456789ab", ResourceRequirements(), {"scikit-learn": "1.9.1"})


def made(
    spec: dict[str, Any] = SPEC, data: DatasetVersion = DATA, around: Surroundings = AROUND
) -> dict[str, str]:
    return ingredients_of(TrainingJobSpec.model_validate(spec), data, around)


def spec(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {**SPEC, **changes}


def pipeline(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {**SPEC["pipeline"], **changes}


def forest(
    n_estimators: float = 10, random_state: int = 1, class_: str = "RandomForestRegressor"
) -> dict[str, Any]:
    return {"class": class_, "params": {"n_estimators": n_estimators, "random_state": random_state}}


def around(**changes: Any) -> Surroundings:  # noqa: ANN401  fields
    return Surroundings(**{**vars(AROUND), **changes})


CHANGES = {
    "rows": (made(data=DATA.model_copy(update={"digest": "sha256:" + "2" * 64})), ["data.digest"]),
    "split": (made(data=DATA.model_copy(update={"split": "f" * 16})), ["data.split"]),
    "task": (made(spec(task="Classification")), ["task"]),
    "target": (made(spec(target="rent")), ["target"]),
    "a feature more": (made(spec(features={"include": ["size", "age", "rooms"]})), ["features.include[2]"]),
    "another way to name features": (
        made(spec(features={"exclude": ["rooms"]})),
        ["features.exclude", "features.include"],
    ),
    "estimator": (
        made(spec(pipeline=pipeline(estimator=forest(class_="ExtraTreesRegressor")))),
        ["pipeline.estimator.class"],
    ),
    "parameter": (
        made(spec(pipeline=pipeline(estimator=forest(20)))),
        ["pipeline.estimator.params.n_estimators"],
    ),
    "seed": (
        made(spec(pipeline=pipeline(estimator=forest(10, 2)))),
        ["pipeline.estimator.params.random_state"],
    ),
    "type of a value": (
        made(spec(pipeline=pipeline(estimator=forest(10.0)))),
        ["pipeline.estimator.params.n_estimators"],
    ),
    "no preprocessing": (made(spec(pipeline=pipeline(preprocess=[]))), ["pipeline.preprocess"]),
    "resampling": (
        made(spec(pipeline=pipeline(resample={"class": "SMOTE"}))),
        ["pipeline.resample"],
    ),
    "early stopping": (
        made(spec(pipeline=pipeline(earlyStopping={"rounds": 5}))),
        ["pipeline.earlyStopping"],
    ),
    "weights of rows": (made(spec(sampleWeightColumn="weight")), ["sampleWeightColumn"]),
    "a search": (
        made(spec(tuning={"trials": 4, "space": SPACE})),
        ["tuning"],
    ),
    "folds": (
        made(spec(evaluation={**SPEC["evaluation"], "crossValidation": {"folds": 5}})),
        ["evaluation.crossValidation"],
    ),
    "metrics": (made(spec(evaluation={"primary": "rmse", "metrics": ["rmse"]})), ["evaluation.metrics[1]"]),
    "model": (made(spec(register={"modelName": "homes"})), ["register.modelName"]),
    "no model": (made({key: value for key, value in SPEC.items() if key != "register"}), ["register"]),
    "image": (made(around=around(image="trainer:0.1.0-ba9876543210")), ["image"]),
    "library": (made(around=around(libraries={"scikit-learn": "1.9.2"})), ["libraries.scikit-learn"]),
    "threads": (made(spec(resources={"limits": {"cpu": "2"}})), ["threads"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_another_key_and_is_named(change: str) -> None:
    changed, named = CHANGES[change]
    assert key_of(changed) != key_of(made())
    assert sorted(differences(changed, made())) == sorted(named)


@pytest.mark.parametrize(
    "change",
    [
        {"suspend": True},
        {"backoffLimit": 5},
        {"activeDeadlineSeconds": 60},
        {"ttlSecondsAfterFinished": 60},
        {"cachePolicy": "Refresh"},
        {"resources": {"requests": {"cpu": "2"}, "limits": {"memory": "4Gi"}}},
        {"nodeSelector": {"disk": "fast"}},
        {"priorityClassName": "high"},
        {"datasetRef": {"name": "other", "variant": "v9"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_where_and_how_a_pod_runs_and_what_data_are_called_do_not_count(change: dict[str, Any]) -> None:
    assert key_of(made(spec(**change))) == key_of(made())


def test_every_option_of_the_pod_is_left_out_and_nothing_else() -> None:
    counted = {path.split(".")[0].split("[")[0] for path in made()}
    assert counted == {
        *("keySchema", "data", "image", "libraries", "threads"),
        *("task", "target", "features", "pipeline", "evaluation", "register"),
    }
    assert not counted & {name for name in JobOptions.model_fields if name != "resources"}


def test_the_order_of_fields_does_not_count() -> None:
    assert key_of(made(dict(reversed(SPEC.items())))) == key_of(made())


def test_what_is_packed_comes_back() -> None:
    assert unpack(pack(made())) == made()
    assert unpack("no such thing") is None


def test_many_ingredients_are_packed_by_field_and_still_compared() -> None:
    names = [
        f"column_{hashlib.sha256(bytes([number % 256, number // 256])).hexdigest()[:30]}"
        for number in range(1000)
    ]
    much = made(spec(features={"include": names}))
    packed = unpack(pack(much))
    assert len(pack(much)) <= TEXT_LIMIT
    assert packed is not None
    assert differences(much, packed) == []
    assert differences(made(spec(features={"include": names[1:]})), packed) == ["features"]


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("registry.example.org:5000/trainer@sha256:" + "a" * 64, True),
        ("modelyard/trainer:0.1.0-0123456789ab", True),
        ("modelyard/trainer:0.1.0", False),
        ("modelyard/trainer:latest", False),
        ("modelyard/trainer", False),
        ("registry.example.org:5000/my-0123456789ab/trainer", False),
    ],
)
def test_an_image_is_pinned_by_a_digest_or_by_a_tag_of_its_content(image: str, *, pinned: bool) -> None:
    assert is_pinned(image) is pinned


def test_an_unknown_ingredient_is_named() -> None:
    given = TrainingJobSpec.model_validate(SPEC)
    assert unknown_ingredient(given, DATA, AROUND) is None
    assert "looks up" in (unknown_ingredient(given, None, AROUND) or "")
    assert "split" in (unknown_ingredient(given, DATA.model_copy(update={"split": None}), AROUND) or "")
    assert "trainer:latest" in (unknown_ingredient(given, DATA, around(image="trainer:latest")) or "")
    tuning = {"trials": 4, "space": SPACE, "warmStart": {"trainingJob": "before"}}
    warm = TrainingJobSpec.model_validate(spec(tuning=tuning))
    assert "tuning.warmStart" in (unknown_ingredient(warm, DATA, AROUND) or "")


@pytest.mark.parametrize(
    ("limit", "threads"), [(None, "node"), ("500m", "1"), ("2500m", "2"), ("2", "2"), (4, "4"), ("1.5", "1")]
)
def test_threads_are_those_that_the_trainer_takes(limit: str | int | None, threads: str) -> None:
    limits = {} if limit is None else {"cpu": limit}
    assert threads_of(ResourceRequirements(limits=limits)) == threads
