"""Parse, validate, predict and encode with predictors that answer what a test wants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest
from jsonschema import Draft202012Validator

from modelyard_api.contract.route import Route
from modelyard_server.dataplane import answer
from modelyard_server.dialects.base import Dialect
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


def test_predict_answers_with_the_outputs_that_are_asked_for() -> None:
    model = served(Constant(Answer(np.array([1]), np.array([[0.25, 0.75]])), gives_probabilities=True))

    def outputs(*names: str) -> dict[str, object]:
        asked = {"rows": [ROW], "outputs": list(names)}
        found: dict[str, object] = orjson.loads(answer(model, TypedDialect(), orjson.dumps(asked)))
        return {name: value for name, value in found.items() if not name.startswith("model")}

    assert outputs("predictions", "probabilities") == {
        "predictions": [1],
        "labels": [],
        "probabilities": [[0.25, 0.75]],
    }
    assert outputs("probabilities") == {"labels": [], "probabilities": [[0.25, 0.75]]}


@pytest.mark.parametrize("outputs", [[], ["classes"], "predictions", [1], None])
def test_outputs_that_there_are_not_are_refused(outputs: object) -> None:
    with pytest.raises(RequestError, match='"outputs" must be a list of at least one of predictions'):
        answer(
            served(Constant(Answer(np.zeros(1)))),
            TypedDialect(),
            orjson.dumps({"rows": [ROW], "outputs": outputs}),
        )


def test_probabilities_of_a_model_that_has_none_are_refused() -> None:
    with pytest.raises(RequestError, match='has no "probabilities"'):
        answer(
            served(Constant(Answer(np.zeros(1)))),
            TypedDialect(),
            orjson.dumps({"rows": [ROW], "outputs": ["probabilities"]}),
        )


def test_predictions_alone_ask_the_model_for_no_probabilities() -> None:
    asked: list[bool] = []

    class Asking(Constant):
        def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
            asked.append(probabilities)
            return super().predict(matrix, probabilities=probabilities)

    answer(
        served(Asking(Answer(np.zeros(1)))),
        TypedDialect(),
        orjson.dumps({"rows": [ROW], "outputs": ["predictions"]}),
    )
    assert asked == [False]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_probability_that_is_no_number_is_refused_with_its_row(value: float) -> None:
    likely = np.array([[0.5, 0.5], [value, 0.5]])
    model = served(Constant(Answer(np.array([1, 1]), likely), gives_probabilities=True))
    with pytest.raises(RequestError, match="row 1: the prediction is not a finite number"):
        answer(model, TypedDialect(), orjson.dumps({"rows": [ROW, ROW]}))


def test_predictions_near_the_largest_number_there_is_are_answered() -> None:
    values = np.array([1.7e308, 1.7e308])
    found = orjson.loads(
        answer(served(Constant(Answer(values))), TypedDialect(), orjson.dumps({"rows": [ROW] * 2}))
    )
    assert found["predictions"] == values.tolist()


def test_every_wrong_column_is_told_by_its_name() -> None:
    with pytest.raises(RequestError) as refusal:
        answer(
            served(Constant(Answer(np.zeros(1)))), TypedDialect(), orjson.dumps({**ROW, "a": "x", "c": True})
        )
    assert refusal.value.message == 'column "a", row 0: \'x\' is not a number; also wrong: "c"'
    assert TypedDialect().refuse(refusal.value)["columns"] == {
        "a": "row 0: 'x' is not a number",
        "c": "row 0: true is not a number",
    }
    with pytest.raises(RequestError) as refusal:
        answer(served(Constant(Answer(np.zeros(1)))), TypedDialect(), orjson.dumps({"a": 1, "b": 2, "d": 3}))
    assert refusal.value.columns == {"c": "row 0: missing", "d": "row 0: not an input of this model"}


def test_the_description_has_all_dialects_with_examples_that_are_answered() -> None:
    model = served(Constant(Answer(np.zeros(3))))
    serving = Serving(Route(model_name="forest", champion=model.routed), model)
    dialects: dict[str, Dialect] = {
        "/predict": TypedDialect(),
        "/invocations": MLflowDialect(),
        "/v2/models/forest/infer": InferenceDialect(),
    }
    paths = describe(serving)["paths"]
    for path, dialect in dialects.items():
        body = paths[path]["post"]["requestBody"]["content"]["application/json"]
        Draft202012Validator.check_schema(body["schema"])
        for example in body["examples"].values():
            assert answer(model, dialect, orjson.dumps(example["value"]))
