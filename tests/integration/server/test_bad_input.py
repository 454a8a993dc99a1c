"""Whatever is wrong with a request, the answer is 4xx and says where and what to do; none is a fault of the server."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.bundles import iris, titles
from tests.support.server_process import ServerProcess

FLOWER: dict[str, Any] = iris().rows[0]
TITLE: dict[str, Any] = titles().rows[1]
JSON = {"Content-Type": "application/json"}
INFER = "/v2/models/iris/infer"
PATHS = ("/predict", "/invocations", INFER)
FIFTY_MEGABYTES = 50 * 1000 * 1000


@dataclass(frozen=True)
class Case:
    """A request to one path, and what its refusal must say."""

    path: str
    body: Any
    status: int
    words: tuple[str, ...]


def tensor(name: str, **changes: object) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": "FP64", "data": [FLOWER.get(name, 1.0)]} | changes


def tensors(**changes: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": [tensor(name, **changes.get(name, {})) for name in FLOWER]}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in FLOWER.items() if key != name}


CASES = {
    "a missing column": Case("/predict", without("petal_width"), 400, ("petal_width", "missing")),
    "a missing column of the second row": Case(
        "/predict", {"rows": [FLOWER, without("petal_width")]}, 400, ("row 1", "petal_width")
    ),
    "an extra column": Case("/predict", {"rows": [FLOWER | {"colour": 1}]}, 400, ("colour", "not an input")),
    "a misspelt column": Case(
        "/predict", without("petal_width") | {"petal_widht": 1}, 400, ("petal_widht", "petal_width")
    ),
    "a text for a number": Case(
        "/predict",
        {"rows": [FLOWER, FLOWER | {"petal_width": "wide"}]},
        400,
        ("petal_width", "row 1", "wide"),
    ),
    "a boolean for a number": Case("/predict", FLOWER | {"petal_width": True}, 400, ("petal_width", "true")),
    "a list for a number": Case("/predict", FLOWER | {"petal_width": [1]}, 400, ("petal_width", "[1]")),
    "a missing value": Case("/predict", FLOWER | {"petal_width": None}, 400, ("petal_width", "missing")),
    "no rows": Case("/predict", {"rows": []}, 400, ("no rows",)),
    "rows that are not a list": Case("/predict", {"rows": FLOWER}, 400, ("rows", "list")),
    "rows that are not objects": Case("/predict", {"rows": [FLOWER, 1]}, 400, ("row 1", "object")),
    "a field beside the rows": Case("/predict", {"rows": [FLOWER], "row": 1}, 400, ('"row"', "rows")),
    "a list instead of an object": Case("/predict", [FLOWER], 400, ("JSON object",)),
    "an infinite sum": Case("/predict", FLOWER | {"petal_width": 1.7e308}, 422, ("model does not take",)),
    "two forms at once": Case(
        "/invocations", {"instances": [FLOWER], "inputs": [FLOWER]}, 400, ("exactly one", "it has 2")
    ),
    "no form": Case("/invocations", {}, 400, ("exactly one", "dataframe_split")),
    "an unknown form": Case("/invocations", {"data": []}, 400, ('"data"', "instances")),
    "a short row": Case("/invocations", {"instances": [[1, 2, 3]]}, 400, ("row 0", "3 values", "4")),
    "a split with a wrong column": Case(
        "/invocations",
        {"dataframe_split": {"columns": ["a", "b", "c", "d"], "data": [[1, 2, 3, 4]]}},
        400,
        ('"a"', "sepal_length"),
    ),
    "a split with a column given twice": Case(
        "/invocations",
        {"dataframe_split": {"columns": [*FLOWER, "petal_width"], "data": [[1, 2, 3, 4, 5]]}},
        400,
        ("petal_width", "twice"),
    ),
    "a split with columns that are no names": Case(
        "/invocations", {"dataframe_split": {"columns": [1, [2]], "data": [[1]]}}, 400, ("column names",)
    ),
    "columns of different lengths": Case(
        "/invocations",
        {"inputs": {name: [1.0, 2.0] for name in FLOWER} | {"petal_width": [1.0]}},
        400,
        ("petal_width", "1 values"),
    ),
    "an unknown tensor": Case(INFER, {"inputs": [tensor("input0")]}, 400, ("input0", "sepal_length")),
    "a tensor of the wrong datatype": Case(
        INFER, tensors(petal_width={"datatype": "BYTES"}), 400, ("petal_width", "BYTES", "FP64")
    ),
    "a tensor that lies about its shape": Case(
        INFER, tensors(petal_width={"shape": [2]}), 400, ("petal_width", "1 values", "2")
    ),
    "a tensor of the wrong rank": Case(
        INFER, tensors(petal_width={"shape": [1, 1, 1]}), 400, ("petal_width",)
    ),
    "a tensor with a missing value": Case(
        INFER, tensors(petal_width={"data": [None]}), 400, ("petal_width", "missing")
    ),
    "a tensor without data": Case(
        INFER, {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64"}]}, 400, ("data",)
    ),
    "a tensor with a negative shape": Case(INFER, tensors(petal_width={"shape": [-1]}), 400, ("shape",)),
    "a tensor given twice": Case(
        INFER, {"inputs": [*tensors()["inputs"], tensor("petal_width")]}, 400, ("twice",)
    ),
    "a matrix of another width": Case(
        INFER,
        {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [[1, 2, 3]]}]},
        400,
        ("3 columns", "4"),
    ),
    "an unknown output": Case(
        INFER, tensors() | {"outputs": [{"name": "scores"}]}, 400, ("scores", "predictions")
    ),
    "an id that is no text": Case(INFER, tensors() | {"id": 7}, 400, ('"id"',)),
    "no inputs": Case(INFER, {"inputs": []}, 400, ("inputs",)),
    "an unknown model": Case("/v2/models/other/infer", tensors(), 404, ("other", "iris")),
    "an unknown version": Case("/v2/models/iris/versions/77/infer", tensors(), 404, ("77", "3")),
    "a version that is no number": Case("/v2/models/iris/versions/x/infer", tensors(), 404, ('"x"',)),
}


@pytest.fixture(autouse=True)
def no_fault_of_the_server(iris_server: ServerProcess) -> Iterator[None]:
    yield
    assert iris_server.state().errors == 0


@pytest.mark.parametrize("name", CASES)
def test_the_answer_says_what_is_wrong_with(client: httpx.Client, name: str) -> None:
    case = CASES[name]
    refused(client.post(case.path, json=case.body), case.status, *case.words)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_have_is_refused_with_its_position(
    client: httpx.Client, path: str, value: str
) -> None:
    body = '{"rows": [{"sepal_length": ' + value + "}]}"
    refused(client.post(path, content=body, headers=JSON), 400, "not JSON", "column 2")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'["\\ud800"]', b"[" * 100_000, b"rows=1"])
def test_what_is_not_json_is_refused(client: httpx.Client, path: str, body: bytes) -> None:
    refused(client.post(path, content=body, headers=JSON), 400, "not JSON")


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_body_is_refused(client: httpx.Client, path: str) -> None:
    refused(client.post(path, content=b"", headers=JSON), 400, "the body is empty")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["text/csv", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused_by_its_name(client: httpx.Client, path: str, kind: str) -> None:
    answer = client.post(path, content=b"{}", headers={"Content-Type": kind})
    refused(answer, 415, kind, "application/json")


def test_only_clients_of_the_open_inference_protocol_need_not_say_what_they_send(
    client: httpx.Client,
) -> None:
    for path in ("/predict", "/invocations"):
        refused(client.post(path, content=b"{}"), 415, "none", "application/json")
    assert client.post(INFER, content=json.dumps(tensors()).encode()).status_code == 200


def test_a_compressed_body_is_refused(client: httpx.Client) -> None:
    refused(client.post("/predict", content=b"{}", headers=JSON | {"Content-Encoding": "gzip"}), 415, "gzip")


@pytest.mark.parametrize("path", PATHS)
def test_a_body_of_50_megabytes_is_refused_and_the_connection_stays(client: httpx.Client, path: str) -> None:
    body = b'{"rows": [' + b" " * FIFTY_MEGABYTES + b"]}"
    refused(client.post(path, content=body, headers=JSON), 413, "fewer rows")
    assert client.post("/predict", json=FLOWER).status_code == 200


def test_a_body_of_50_megabytes_without_a_length_is_refused(client: httpx.Client) -> None:
    chunks = (b" " * 1_000_000 for _ in range(50))
    refused(client.post("/predict", content=chunks, headers=JSON), 413, "fewer rows")


def test_another_method_is_refused(client: httpx.Client) -> None:
    answer = client.get("/predict")
    refused(answer, 405, "POST")
    assert answer.headers["allow"] == "POST"


def test_an_unknown_path_is_refused(client: httpx.Client) -> None:
    refused(client.get("/v3"), 404, "/v3", "/docs")
    refused(client.get("/v2/models/iris/nothing"), 404, "nothing")


WRONG_TITLES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a number for a text": ({"title": 5}, ("title", "5", "a text")),
    "a fraction for a whole number": ({"pages": 1.5}, ("pages", "1.5", "a whole number")),
    "a number for a boolean": ({"stocked": 1}, ("stocked", "true or false")),
    "a missing text": ({"title": None}, ("title", "missing")),
    "a number beyond all bounds": ({"pages": 10**400}, ("not JSON",)),
}


@pytest.mark.parametrize("name", WRONG_TITLES)
def test_a_column_of_its_type_refuses(titles_client: httpx.Client, name: str) -> None:
    change, words = WRONG_TITLES[name]
    body = json.dumps({"rows": [TITLE, TITLE | change]})
    refused(titles_client.post("/predict", content=body, headers=JSON), 400, *words)


@pytest.mark.parametrize(
    "change", [{"price": None}, {"title": ""}, {"pages": 3.0}, {"title": "\u0000 ünïcode 🎈"}]
)
def test_a_column_of_its_type_takes(titles_client: httpx.Client, change: dict[str, Any]) -> None:
    answer = titles_client.post("/predict", json=TITLE | change)
    assert answer.status_code == 200, answer.text


def refused(answer: httpx.Response, status: int, *words: str) -> None:
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    body = answer.json()
    message = body.get("error") or body["message"]
    assert all(word in message for word in words), message
