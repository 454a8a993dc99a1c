"""Messages of the protocol's gRPC half, by the numbers that are published, and as the documents of the HTTP half."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from modelyard_server.dataplane import answer
from modelyard_server.dialects.binary import values_of
from modelyard_server.dialects.inference import InferenceDialect
from modelyard_server.errors import RequestError
from modelyard_server.grpc_service.messages import Messages
from modelyard_server.grpc_service.translating import document_of, fill
from modelyard_server.models.predictor import Answer
from tests.support.predictors import Constant, served

MESSAGES = Messages()


def request(**changes: object) -> bytes:
    made = MESSAGES.of("ModelInferRequest")(model_name="forest", id="42", **changes)
    wire: bytes = made.SerializeToString()
    return wire


def test_a_request_lies_on_the_wire_under_the_published_numbers() -> None:
    made = MESSAGES.of("ModelInferRequest")(model_name="m", model_version="7", raw_input_contents=[b"ab"])
    made.inputs.add(name="x", datatype="FP64", shape=[1, 3])
    made.parameters["k"].string_param = "v"
    # Field number and wire type, length, content.
    assert made.SerializeToString(deterministic=True) == (
        b"\x0a\x01m"
        b"\x12\x017"
        b"\x22\x08\x0a\x01k\x12\x03\x1a\x01v"
        b"\x2a\x0d\x0a\x01x\x12\x04FP64\x1a\x02\x01\x03"
        b"\x3a\x02ab"
    )


def test_contents_given_by_type_or_raw_ask_for_the_same() -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 3]}
    typed = {**tensor, "contents": {"fp64_contents": [1.0, 2.0, float("nan")]}}
    raw = np.array([1.0, 2.0, np.nan]).tobytes()
    read = MESSAGES.of("ModelInferRequest").FromString
    one = document_of(read(request(inputs=[typed], outputs=[{"name": "predictions"}])))
    other = document_of(
        read(request(inputs=[tensor], outputs=[{"name": "predictions"}], raw_input_contents=[raw]))
    )
    assert (
        one
        == other
        == {
            "id": "42",
            "inputs": [{**tensor, "data": [1.0, 2.0, None]}],
            "outputs": [{"name": "predictions"}],
        }
    )


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (np.array([1.5]), "fp64_contents"),
        (np.array([3]), "int64_contents"),
        (np.array([True]), "bool_contents"),
        (np.array(["schön"]), "bytes_contents"),
    ],
)
def test_answers_of_every_type_go_into_a_message(values: np.ndarray, field: str) -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}
    body = orjson.dumps({"id": "42", "inputs": [tensor]})
    document = orjson.loads(answer(served(Constant(Answer(values))), InferenceDialect(), body))
    wire = fill(MESSAGES.of("ModelInferResponse")(), document).SerializeToString()
    told = MESSAGES.of("ModelInferResponse").FromString(wire)
    assert (told.id, told.model_name, told.model_version) == ("42", "forest", "7")
    (output,) = told.outputs
    expected = [value.encode() if isinstance(value, str) else value for value in values.tolist()]
    assert list(getattr(output.contents, field)) == expected
    assert (output.name, list(output.shape)) == ("predictions", [1])
    raw = fill(MESSAGES.of("ModelInferResponse")(), document, raw=True)
    (content,) = raw.raw_output_contents
    assert values_of(raw.outputs[0].datatype, content, "predictions") == values.tolist()
    assert not raw.outputs[0].HasField("contents")


def test_contents_that_are_none_are_refused() -> None:
    tensor = {"name": "x", "datatype": "BYTES", "shape": [1]}
    read = MESSAGES.of("ModelInferRequest").FromString
    with pytest.raises(RequestError, match="2 raw contents are given for 1 inputs"):
        document_of(read(request(inputs=[tensor], raw_input_contents=[b"", b""])))
    with pytest.raises(RequestError, match="not UTF-8"):
        document_of(read(request(inputs=[{**tensor, "contents": {"bytes_contents": [b"\xff"]}}])))
    with pytest.raises(RequestError, match="FP16 is given raw"):
        document_of(read(request(inputs=[{**tensor, "datatype": "FP16"}])))
