"""Rows that count more or less than others."""

import math
from typing import Any

import numpy as np
import pytest

from modelyard_api.catalog import check_pipeline
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.pipeline import Pipeline
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.features import make_plan
from tests.support.fitting import fit_in_memory, spec_of, version_of
from tests.unit.trainer.test_fitting import ROWS, offers, refusal, regression

CONSTANT = {"class": "DummyRegressor"}


def weighed(estimator: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {**regression(), "sampleWeightColumn": "weight", "pipeline": {"estimator": estimator}, **changes}


@pytest.mark.parametrize(
    "estimator",
    [
        CONSTANT,
        {"class": "VotingRegressor", "params": {"estimators": [{"name": "a", **CONSTANT}]}},
        {"class": "StackingRegressor", "params": {"estimators": [{"name": "a", **CONSTANT}], "final_estimator": CONSTANT}},
        {"class": "TransformedTargetRegressor", "params": {"regressor": CONSTANT}},
    ],
)  # fmt: skip
def test_weights_reach_the_estimator_through_those_around_it(estimator: dict[str, Any]) -> None:
    price = np.arange(ROWS) % 2 * 10.0
    fitted = fit_in_memory(weighed(estimator), version_of(offers(price=price, weight=np.where(price, 3, 0))))
    assert fitted.model.predict(fitted.data.test.X[:1]).tolist() == [10.0]


def test_the_column_of_weights_is_no_feature() -> None:
    table = offers(weight=np.ones(ROWS))
    plan = make_plan(
        version_of(table).manifest,
        spec_of(weighed(CONSTANT, features={"exclude": ["title", "kind"]})),
    )
    assert "weight" not in {column.name for column in plan.inputs}
    error = refusal(weighed(CONSTANT, features={"include": ["weight"]}), table)
    assert "is the weight of rows and cannot be a feature" in error.message


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("wait", "is not a column of the data"),
        ("title", "is a column of type Text, weights are Integer or Number"),
        ("row", "is part of the key"),
        ("price", "is the target"),
    ],
)
def test_a_column_that_cannot_be_weights_is_refused(column: str, said: str) -> None:
    error = refusal(weighed(CONSTANT, sampleWeightColumn=column), offers(weight=np.ones(ROWS)))
    assert isinstance(error, InvalidSpecError)
    assert error.message.startswith(f"spec.sampleWeightColumn = '{column}': {said}")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None, *[1.0] * (ROWS - 1)], "misses its value in 1 of"),
        ([math.nan] * ROWS, "misses its value in "),
        ([-1.0] * ROWS, "is negative or infinite in "),
        ([math.inf] * ROWS, "is negative or infinite in "),
        ([0.0] * ROWS, "is 0 in every training row"),
    ],
)
def test_weights_that_no_row_can_have_are_refused(values: list[float | None], said: str) -> None:
    rows = offers(weight=values)
    error = refusal(weighed(CONSTANT), rows)
    assert isinstance(error, DataError)
    assert f"weight weight: {said}" in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("estimator", "weights", "faults"),
    [
        ({"class": "KNeighborsRegressor"}, True, ["spec.pipeline.estimator.class"]),
        ({"class": "KNeighborsRegressor"}, False, []),
        ({"class": "Ridge"}, True, []),
        ({"class": "BaggingRegressor", "params": {"estimator": {"class": "KNeighborsRegressor"}}}, True,
         ["spec.pipeline.estimator.params.estimator.class"]),
        ({"class": "TransformedTargetRegressor", "params": {"regressor": {"class": "Ridge"},
          "transformer": {"class": "QuantileTransformer"}}}, True, []),
    ],
)  # fmt: skip
def test_an_estimator_that_takes_no_weights_is_refused_before_any_pod(
    estimator: dict[str, Any], weights: object, faults: list[str]
) -> None:
    pipeline = Pipeline.model_validate({"estimator": estimator})
    found = check_pipeline(pipeline, Task.REGRESSION, weights=bool(weights))
    assert [problem.path for problem in found] == faults
