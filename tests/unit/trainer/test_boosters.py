"""XGBoost and LightGBM: built, fitted, stored, and loaded by the server's rules."""

import json
from typing import Any

import numpy as np
import pytest
import skops.io

from modelyard_api.metrics import Task
from modelyard_server.errors import BundleError
from modelyard_server.models.archive import inspect_archive
from modelyard_server.models.boosters import check_lightgbm, check_xgboost
from modelyard_server.models.integrity import check_integrity
from modelyard_trainer.threads import set_threads
from tests.support.fitting import fit_in_memory, version_of
from tests.unit.trainer.test_fitting import CLASSES, ROWS, offers, regression
from tests.unit.trainer.test_storing import packed

SMALL = {"n_estimators": 5}


def job(class_: str, **params: object) -> dict[str, Any]:
    spec = CLASSES if class_.endswith("Classifier") else regression()
    return {**spec, "pipeline": {"estimator": {"class": class_, "params": {**SMALL, **params}}}}


def served(content: bytes) -> Any:  # noqa: ANN401  a pipeline
    model = skops.io.loads(content, trusted=sorted(inspect_archive(content)))
    check_integrity(model)
    return model


@pytest.mark.parametrize("class_", ["XGBRegressor", "XGBRFRegressor", "LGBMRegressor"])
def test_a_boosted_regressor_is_trained_twice_alike_stored_and_served(class_: str) -> None:
    first, second = (
        fit_in_memory(job(class_, max_depth=3), version_of(offers()), threads=2) for _ in range(2)
    )
    for fitted in (first, second):
        set_threads(fitted.model, None)
    made = packed(first)
    assert made.digest == packed(second).digest
    loaded = served(made.files["model.skops"])
    assert (loaded.predict(first.data.test.X) == first.model.predict(first.data.test.X)).all()


@pytest.mark.parametrize("class_", ["XGBClassifier", "XGBRFClassifier", "LGBMClassifier"])
@pytest.mark.parametrize(
    ("target", "classes"),
    [("kind", ["flat", "house"]), ("rooms", [0, 1, 2, 3, 4]), ("garden", [False, True])],
)
def test_a_boosted_classifier_answers_with_labels_of_every_type(
    class_: str, target: str, classes: list[object]
) -> None:
    fitted = fit_in_memory({**job(class_), "target": target}, version_of(offers()))
    set_threads(fitted.model, None)
    assert fitted.model.classes_.tolist() == classes
    loaded = served(packed(fitted, Task.CLASSIFICATION).files["model.skops"])
    assert loaded.predict(fitted.data.test.X).tolist() == fitted.model.predict(fitted.data.test.X).tolist()
    assert set(loaded.predict(fitted.data.test.X).tolist()) <= set(classes)


def test_parameters_that_lightgbm_hands_on_reach_it() -> None:
    more = {"max_bin": 15, "extra_trees": True, "path_smooth": 1.5, "verbose": -1}
    model = fit_in_memory(job("LGBMRegressor", **more), version_of(offers())).model
    text = model[-1].booster_.model_to_string()
    assert "[max_bin: 15]" in text
    assert "[extra_trees: 1]" in text
    assert "[path_smooth: 1.5]" in text


def test_the_libraries_of_a_booster_are_named_only_with_its_models() -> None:
    names = [
        {own.name for own in packed(fit_in_memory(spec, version_of(offers()))).bundle.libraries}
        for spec in (regression(), job("XGBRegressor"), job("LGBMRegressor"))
    ]
    assert [each & {"xgboost-cpu", "lightgbm"} for each in names] == [set(), {"xgboost-cpu"}, {"lightgbm"}]


def test_rows_with_missing_features_need_no_imputer() -> None:
    size = [None, *np.arange(2.0, ROWS + 1)]
    for class_ in ("XGBRegressor", "LGBMRegressor"):
        assert "r2" in fit_in_memory(job(class_), version_of(offers(size=size))).metrics


def test_a_booster_counts_rows_by_their_weights() -> None:
    for class_ in ("XGBRegressor", "LGBMRegressor"):
        price = np.arange(ROWS) % 2 * 10.0
        weights = np.where(price, 1.0, 0.0)
        spec = {**job(class_, min_child_weight=0), "sampleWeightColumn": "weight"}
        spec["features"] = {"include": ["size"]}
        fitted = fit_in_memory(spec, version_of(offers(price=price, weight=weights)))
        assert fitted.model.predict(fitted.data.test.X).min() > 9.0


@pytest.mark.parametrize(
    ("part", "position", "value"),
    [
        ("categories_nodes", slice(0), [0]),
        ("split_indices", 0, 7),
        ("left_children", 0, 9999),
        ("left_children", 0, 0),
        ("right_children", 0, -7),
    ],
)
def test_trees_of_xgboost_that_point_outside_of_themselves_are_refused(
    part: str, position: int | slice, value: object
) -> None:
    booster = fit_in_memory(job("XGBRegressor"), version_of(offers())).model[-1].get_booster()
    check_xgboost(booster)
    document = json.loads(bytes(booster.save_raw("json")))
    document["learner"]["gradient_booster"]["model"]["trees"][0][part][position] = value

    class Changed:
        """Answers with changed trees, which the library itself may refuse to load."""

        def save_raw(self, _: str) -> bytes:
            return json.dumps(document).encode()

        def num_features(self) -> int:
            return int(booster.num_features())

    with pytest.raises(BundleError, match="points outside of itself"):
        check_xgboost(Changed())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        "left_child=999",
        "left_child=0",
        "split_feature=7",
        "split_feature=-1",
        "right_child=-99",
        "num_cat=1",
        "is_linear=1",
    ],
)
def test_trees_of_lightgbm_that_point_outside_of_themselves_are_refused(line: str) -> None:
    spec = job("LGBMRegressor", min_child_samples=1, num_leaves=8)
    booster = fit_in_memory(spec, version_of(offers())).model[-1].booster_
    check_lightgbm(booster)
    name, value = line.split("=")
    found = booster.model_to_string()
    start = found.index(f"{name}=") + len(name) + 1
    end = min(found.index(each, start) for each in (" ", "\n"))

    class Changed:
        """Answers with changed trees, which the library itself may refuse to load."""

        def model_to_string(self, **_: object) -> str:
            return f"{found[:start]}{value}{found[end:]}"

        def num_feature(self) -> int:
            return int(booster.num_feature())

    with pytest.raises(BundleError, match="points outside of itself"):
        check_lightgbm(Changed())  # type: ignore[arg-type]
