"""Tensors as bytes behind the JSON: read like those in it, and refused with what is wrong."""

from __future__ import annotations

import struct
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from modelyard_api.contract.route import Route
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.dialects.binary import values_of
from modelyard_server.errors import RequestError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import Serving
from modelyard_server.state import ServerState
from modelyard_server.web.admin import make_admin
from modelyard_server.web.application import Application, Parts
from tests.support.predictors import served

PATH = "/v2/models/forest/infer"


class Sums:
    """The sum of each row."""

    gives_probabilities = False

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        del probabilities
        return Answer(matrix.sum(axis=1))


async def never() -> None:
    """Keeps no route."""


def client() -> httpx.AsyncClient:
    state, metrics = ServerState(), ServerMetrics()
    model = served(Sums())
    state.serving = Serving(Route(model_name="forest", champion=model.routed), model)
    parts = Parts(state, metrics, Admission(AdmissionLimits(), metrics), 10_000, never, make_admin(state))
    return httpx.AsyncClient(transport=httpx.ASGITransport(Application(parts)), base_url="http://server")


async def sent(document: dict[str, Any], content: bytes, length: int | str | None = None) -> httpx.Response:
    head = orjson.dumps(document)
    headers = {
        "Inference-Header-Content-Length": str(len(head) if length is None else length),
        "Content-Type": "application/octet-stream",
    }
    async with client() as asking:
        return await asking.post(PATH, content=head + content, headers=headers)


def tensor(name: str, content: bytes, shape: list[int], datatype: str = "FP64") -> dict[str, Any]:
    parameters = {"binary_data_size": len(content)}
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters}


async def test_a_matrix_of_bytes_is_answered() -> None:
    content = np.arange(6, dtype="<f4").tobytes()
    answer = await sent({"inputs": [tensor("x", content, [2, 3], "FP32")]}, content)
    assert (answer.status_code, answer.json()["outputs"][0]["data"]) == (200, [3, 12])


async def test_columns_of_bytes_lie_behind_one_another_beside_one_in_the_json() -> None:
    a, b = np.array([1.0, 2.0]).tobytes(), np.array([10, 20], dtype="<i8").tobytes()
    inputs = [
        tensor("b", b, [2], "INT64"),
        {"name": "c", "shape": [2], "datatype": "FP64", "data": [100, 200]},
        tensor("a", a, [2]),
    ]
    answer = await sent({"inputs": inputs, "parameters": {"binary_data_output": True}}, b + a)
    assert answer.json()["outputs"][0]["data"] == [111, 222]


async def test_what_is_wrong_with_bytes_is_told() -> None:
    content = np.zeros(3).tobytes()
    good = tensor("x", content, [1, 3])
    for document, rest, words in (
        ({"inputs": [good]}, content[:-1], "24 bytes are announced, 23 came"),
        ({"inputs": [good]}, content + b"x", "1 bytes behind the last tensor"),
        ({"inputs": [{**good, "data": [1]}]}, content, "not given together"),
        ({"inputs": [{**good, "datatype": "BF16"}]}, content, "BF16 has no binary form"),
        ({"inputs": [{**good, "shape": [2, 3]}]}, content, "has 3 values"),
        ({"inputs": [{**good, "parameters": {"binary_data_size": -1}}]}, content, "number of bytes"),
        ({"inputs": 1}, b"", "must be a list"),
        ([], b"", "JSON object"),
    ):
        answer = await sent(document, rest)  # type: ignore[arg-type]
        assert answer.status_code == 400, words
        assert words in answer.json()["error"]
    assert (await sent({"inputs": [good]}, content, "many")).status_code == 400
    assert (await sent({"inputs": [good]}, content, 5)).status_code == 400


def test_texts_have_their_length_before_them_and_missing_numbers_are_nan() -> None:
    words = [b"red", b"", "schön".encode()]
    content = b"".join(struct.pack("<I", len(word)) + word for word in words)
    assert values_of("BYTES", content, "here") == ["red", "", "schön"]
    assert values_of("FP32", np.array([1.5, np.nan], dtype="<f4").tobytes(), "here") == [1.5, None]
    assert values_of("BOOL", b"\x01\x00", "here") == [True, False]
    assert values_of("UINT64", b"\xff" * 8, "here") == [2**64 - 1]


@pytest.mark.parametrize(
    ("datatype", "content", "words"),
    [
        ("BYTES", b"\x05\x00\x00\x00red", "its last text is cut off"),
        ("BYTES", b"\x05\x00", "the length of its last text"),
        ("BYTES", b"\x01\x00\x00\x00\xff", "not UTF-8"),
        ("FP64", b"\x00" * 7, "7 bytes are no whole number of FP64"),
        (None, b"", "the datatype None"),
    ],
)
def test_bytes_that_are_no_values_are_refused(datatype: object, content: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        values_of(datatype, content, "here")
