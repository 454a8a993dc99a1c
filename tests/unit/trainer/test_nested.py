"""Estimators made of others: built, fitted, stored, loaded by the server's rules, and explained where they fail."""

from typing import Any

import numpy as np
import pytest
import skops.io

from modelyard_api.metrics import Task
from modelyard_runtime.errors import DataError
from modelyard_server.models.archive import inspect_archive
from modelyard_server.models.integrity import check_integrity
from modelyard_trainer.functions import INVERSES
from modelyard_trainer.threads import set_threads
from tests.support.fitting import fit_in_memory, version_of
from tests.unit.trainer.test_fitting import CLASSES, ROWS, offers, refusal, regression
from tests.unit.trainer.test_storing import packed

RIDGE = {"class": "Ridge"}
TREE = {"class": "DecisionTreeRegressor", "params": {"max_depth": 3}}
FOREST = {"class": "RandomForestRegressor", "params": {"n_estimators": 5}}
LOGISTIC = {"class": "LogisticRegression"}
BAYES = {"class": "GaussianNB"}


def named(*documents: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": f"m{number}", **document} for number, document in enumerate(documents)]


def job(class_: str, params: dict[str, Any], task: Task = Task.REGRESSION) -> dict[str, Any]:
    spec = regression() if task is Task.REGRESSION else CLASSES
    return {**spec, "pipeline": {"estimator": {"class": class_, "params": params}}}


@pytest.mark.parametrize(
    ("class_", "params"),
    [
        ("VotingRegressor", {"estimators": named(RIDGE, TREE, FOREST), "weights": [1, 2, 1]}),
        ("StackingRegressor", {"estimators": named(RIDGE, FOREST), "final_estimator": TREE, "passthrough": True}),
        ("BaggingRegressor", {"estimator": RIDGE}),
        ("AdaBoostRegressor", {"estimator": TREE}),
        ("RANSACRegressor", {"estimator": {"class": "LinearRegression"}}),
        ("TransformedTargetRegressor", {"regressor": FOREST, "func": "log1p"}),
        ("TransformedTargetRegressor", {"regressor": RIDGE, "transformer": {"class": "StandardScaler"}}),
    ],
)  # fmt: skip
def test_a_regressor_made_of_others_is_trained_stored_and_served(class_: str, params: dict[str, Any]) -> None:
    fitted = fit_in_memory(job(class_, params), version_of(offers()), threads=2)
    assert fitted.metrics["r2"] > 0.8
    set_threads(fitted.model, None)
    content = packed(fitted).files["model.skops"]
    loaded = skops.io.loads(content, trusted=sorted(inspect_archive(content)))
    check_integrity(loaded)
    assert (loaded.predict(fitted.data.test.X) == fitted.model.predict(fitted.data.test.X)).all()


@pytest.mark.parametrize(
    ("class_", "params"),
    [
        ("VotingClassifier", {"estimators": named(LOGISTIC, BAYES), "voting": "soft"}),
        ("StackingClassifier", {"estimators": named(LOGISTIC, {"class": "DecisionTreeClassifier"})}),
        ("CalibratedClassifierCV", {"estimator": {"class": "LinearSVC"}, "method": "isotonic"}),
        ("CalibratedClassifierCV", {"estimator": BAYES, "method": "temperature"}),
        ("OneVsRestClassifier", {"estimator": LOGISTIC}),
        ("OneVsOneClassifier", {"estimator": LOGISTIC}),
        ("OutputCodeClassifier", {"estimator": LOGISTIC, "code_size": 4}),
        ("FixedThresholdClassifier", {"estimator": LOGISTIC, "threshold": 0.4, "pos_label": "flat"}),
        ("BaggingClassifier", {"estimator": BAYES}),
        ("AdaBoostClassifier", {"estimator": {"class": "DecisionTreeClassifier"}}),
    ],
)
def test_a_classifier_made_of_others_is_trained_stored_and_served(
    class_: str, params: dict[str, Any]
) -> None:
    fitted = fit_in_memory(job(class_, params, Task.CLASSIFICATION), version_of(offers()))
    set_threads(fitted.model, None)
    content = packed(fitted, Task.CLASSIFICATION).files["model.skops"]
    loaded = skops.io.loads(content, trusted=sorted(inspect_archive(content)))
    check_integrity(loaded)
    assert loaded.predict(fitted.data.test.X).tolist() == fitted.model.predict(fitted.data.test.X).tolist()


def test_threads_go_to_the_innermost_and_fitted_copies_are_set_back_too() -> None:
    spec = job("VotingRegressor", {"estimators": named(FOREST)})
    model = fit_in_memory(spec, version_of(offers()), threads=2).model
    vote = model[-1]
    assert vote.n_jobs is None
    assert vote.estimators_[0].n_jobs == 2
    set_threads(model, None)
    assert vote.estimators_[0].n_jobs is None
    assert vote.estimators[0][1].n_jobs is None


def test_a_seed_reaches_every_estimator() -> None:
    model = fit_in_memory(job("StackingRegressor", {"estimators": named(TREE)}), version_of(offers())).model
    assert model[-1].estimators_[0].random_state == 0


@pytest.mark.parametrize("name", INVERSES)
def test_every_function_of_a_target_is_undone_by_its_inverse(name: str) -> None:
    values = np.array([0.5, 1.0, 2.0, 30.0])
    function = INVERSES[name]
    assert np.allclose(function.inverse(function.forward(values)), values, rtol=1e-12)


@pytest.mark.parametrize(("func", "lowest"), [("log", 0.0), ("log1p", -1.0), ("log2", -3.0), ("sqrt", -0.5)])
def test_a_target_that_its_transform_is_not_defined_for_is_refused(func: str, lowest: float) -> None:
    transformed = {"class": "TransformedTargetRegressor", "params": {"regressor": RIDGE, "func": func}}
    spec = job("VotingRegressor", {"estimators": named(transformed)})
    error = refusal(spec, offers(price=np.full(ROWS, lowest) + np.arange(ROWS) // 30))
    assert isinstance(error, DataError)
    assert "estimator.params.estimators.params.func" in error.message
    assert f"goes down to {lowest:g}" in error.message
    assert "arcsinh" in error.remedy


def test_selected_columns_are_those_that_the_nested_estimator_finds_useful() -> None:
    step = {"class": "SelectFromModel", "params": {"estimator": {"class": "Lasso", "params": {"alpha": 1}}}}
    branch = {"name": "numbers", "columns": {"types": ["Numeric"]}, "steps": [step]}
    fitted = fit_in_memory(regression(preprocess=[branch]), version_of(offers()))
    assert fitted.model[0].transformers_[0][1][-1].get_support().tolist() == [True, False]
    content = packed(fitted).files["model.skops"]
    check_integrity(skops.io.loads(content, trusted=sorted(inspect_archive(content))))
