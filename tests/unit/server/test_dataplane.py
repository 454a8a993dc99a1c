"""Parse, validate, predict and encode with predictors that answer what a test wants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest

from modelyard_api.contract.route import Route
from modelyard_server.dataplane import answer
from modelyard_server.dialects.inference import InferenceDialect
from modelyard_server.dialects.mlflow import MLflowDialect
from modelyard_server.dialects.typed import TypedDialect
from modelyard_server.errors import RequestError
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import Role, Serving
from modelyard_server.web.openapi import describe
from tests.support.predictors import ROW, Constant, served

BODY = orjson.dumps(ROW)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_no_number_is_refused_with_its_row(value: float) -> None:
    model = served(Constant(Answer(np.array([1.0, value]))))
    with pytest.raises(RequestError, match="row 1: the prediction is not a finite number") as refusal:
        answer(model, TypedDialect(), orjson.dumps({"rows": [ROW, ROW]}))
    assert refusal.value.status == 422


def test_what_the_model_says_of_bad_values_is_told_in_one_line() -> None:
    model = served(Constant(ValueError("Input X contains\n  infinity " + "x" * 1000)))
    with pytest.raises(RequestError, match="Input X contains infinity") as refusal:
        answer(model, TypedDialect(), BODY)
    assert refusal.value.status == 422
    assert len(refusal.value.message) < 400


def test_a_fault_of_the_model_is_not_the_clients() -> None:
    with pytest.raises(ZeroDivisionError):
        answer(served(Constant(ZeroDivisionError())), TypedDialect(), BODY)


@pytest.mark.parametrize(
    ("values", "datatype"),
    [
        (np.array([1.5]), "FP64"),
        (np.array([3]), "INT64"),
        (np.array([True]), "BOOL"),
        (np.array(["a"]), "BYTES"),
        (np.array(["a"], dtype=object), "BYTES"),
    ],
)
def test_labels_of_every_type_are_encoded_in_every_dialect(values: np.ndarray, datatype: str) -> None:
    model = served(Constant(Answer(values)))
    assert orjson.loads(answer(model, TypedDialect(), BODY))["predictions"] == values.tolist()
    invocation = orjson.dumps({"instances": [ROW]})
    assert orjson.loads(answer(model, MLflowDialect(), invocation)) == {"predictions": values.tolist()}
    tensor = {"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}
    infer = orjson.loads(answer(model, InferenceDialect(), orjson.dumps({"inputs": [tensor]})))
    assert infer["outputs"] == [
        {"name": "predictions", "shape": [1], "datatype": datatype, "data": values.tolist()}
    ]


def test_a_version_that_is_not_held_is_named_with_those_that_are() -> None:
    champion = served(Constant(Answer(np.array([1.0]))))
    previous = replace(
        champion, role=Role.PREVIOUS, routed=champion.routed.model_copy(update={"version": "6"})
    )
    serving = Serving(Route(model_name="forest", champion=champion.routed), champion, previous)
    assert serving.find("forest", "6") is previous
    with pytest.raises(RequestError, match=r'version "8" .* 7 and 6 are') as refusal:
        serving.find("forest", "8")
    assert refusal.value.status == 404


def test_the_description_of_a_server_without_a_model_has_no_predictions() -> None:
    assert "/predict" not in describe(None)["paths"]
