"""Bad requests are answered with 4xx and the name of what is wrong, never with 500."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.kubeapi import DATASET, PROMOTION, TRAINING_JOB
from tests.support.manifests import PROJECT, Project, dataset, promotion, training_job
from tests.support.platform import Platform

MODEL = "strict-tree"
STAGE = "strict-production"
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
FIFTY_MEGABYTES = 50 * 1000 * 1000


@pytest.fixture(scope="module")
def server(platform: Platform) -> Iterator[httpx.Client]:
    project = Project(platform.api, PROJECT)
    project.apply(dataset("iris"))
    project.apply(training_job(MODEL))
    project.apply(promotion(STAGE, MODEL))
    project.await_true(DATASET, "iris", "Ready")
    project.await_true(TRAINING_JOB, MODEL, "Succeeded")
    project.await_true(PROMOTION, STAGE, "Ready")
    with platform.server(PROJECT, STAGE) as client:
        yield client


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in FLOWER.items() if key != name}


WRONG_ROWS = {
    "a wrong column": ({**_without("petal_width"), "petal_widht": 0.2}, "petal_widht"),
    "a missing column": (_without("petal_width"), "petal_width"),
    "a wrong type": ({**FLOWER, "petal_width": "wide"}, "petal_width"),
    "a list for a number": ({**FLOWER, "petal_width": [1, 2]}, "petal_width"),
}


def test_a_good_row_is_answered(server: httpx.Client) -> None:
    answer = server.post("/predict", json={"rows": [FLOWER]})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_predict_names_the_column_of(server: httpx.Client, case: str) -> None:
    row, word = WRONG_ROWS[case]
    refused(server.post("/predict", json={"rows": [row]}), word)


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_invocations_names_the_column_of(server: httpx.Client, case: str) -> None:
    row, word = WRONG_ROWS[case]
    refused(server.post("/invocations", json={"dataframe_records": [row]}), word)


def test_a_nan_is_refused_by_the_columns_name(server: httpx.Client) -> None:
    body = b'{"rows": [{"sepal_length": NaN, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]}'
    answer = server.post("/predict", content=body, headers={"Content-Type": "application/json"})
    refused(answer, "")
    inputs = [{"name": k, "shape": [1], "datatype": "FP64", "data": [v]} for k, v in FLOWER.items()]
    inputs[0]["data"] = [None]
    refused(server.post(f"/v2/models/{MODEL}/infer", json={"inputs": inputs}), "sepal_length")


def test_an_empty_body_is_refused(server: httpx.Client) -> None:
    for path in ("/predict", "/invocations", f"/v2/models/{MODEL}/infer"):
        refused(server.post(path, content=b"", headers={"Content-Type": "application/json"}), "body")


def test_a_body_of_50_megabytes_is_refused_as_too_large(server: httpx.Client) -> None:
    body = b'{"rows": [' + b" " * FIFTY_MEGABYTES + b"]}"
    answer = server.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert server.get("/v2/health/live").status_code == 200


def test_a_wrong_content_type_is_refused_by_its_name(server: httpx.Client) -> None:
    for path in ("/predict", "/invocations", f"/v2/models/{MODEL}/infer"):
        answer = server.post(path, content=b"<x/>", headers={"Content-Type": "application/xml"})
        assert answer.status_code == 415, answer.text
        assert "application/xml" in answer.text


def test_an_unknown_model_is_not_found_by_its_name(server: httpx.Client) -> None:
    answer = server.post("/v2/models/no-such-model/infer", json={"inputs": []})
    assert answer.status_code == 404
    assert "no-such-model" in answer.json()["error"]


def test_an_unknown_version_is_not_found_by_its_number(server: httpx.Client) -> None:
    answer = server.post(f"/v2/models/{MODEL}/versions/77/infer", json={"inputs": []})
    assert answer.status_code == 404
    assert "77" in answer.json()["error"]


def test_no_bad_request_was_an_error_of_the_server(server: httpx.Client) -> None:
    state = server.get("/admin/route").json()
    assert state["errors"] == 0


def refused(answer: httpx.Response, word: str) -> None:
    assert 400 <= answer.status_code < 500, f"{answer.status_code}: {answer.text}"
    assert word in answer.text
