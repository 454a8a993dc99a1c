"""The protocol's gRPC half, asked by a client of grpcio: the answers are those of the HTTP half."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from modelyard_server.grpc_service.messages import SERVICE, Messages
from tests.support.bundles import build_compiled, iris, matrix_of
from tests.support.ports import free_port
from tests.support.s3 import S3Server
from tests.support.server_process import fresh_project, running_server

MESSAGES = Messages()
FITTED = iris()
MATRIX = matrix_of(FITTED.inputs, FITTED.rows)
EXPECTED = [label.encode() for label in FITTED.model.predict(MATRIX).tolist()]


class Client:
    """Calls methods by name."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def call(self, method: str, **fields: Any) -> Any:  # noqa: ANN401
        ask = self._channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=MESSAGES.of(f"{method}Response").FromString,
        )
        return ask(MESSAGES.of(f"{method}Request")(**fields), timeout=30)


@pytest.fixture(scope="module")
def client(minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    port = free_port()
    directory: Path = tmp_path_factory.mktemp("grpc")
    with running_server(directory, minio_server, fresh_project(), grpc_port=port) as server:
        server.await_route(server.route(build_compiled(FITTED).write(server.store, "3")))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Client(channel)


def tensor(**changes: object) -> dict[str, object]:
    return {"name": "rows", "datatype": "FP64", "shape": list(MATRIX.shape), **changes}


def test_health_and_metadata_are_those_of_the_http_half(client: Client) -> None:
    assert client.call("ServerLive").live
    assert client.call("ServerReady").ready
    assert client.call("ModelReady", name="iris", version="3").ready
    assert client.call("ServerMetadata").name == "modelyard"
    model = client.call("ModelMetadata", name="iris")
    assert (model.platform, list(model.versions)) == ("modelyard_compiled", ["3"])
    assert [column.name for column in model.inputs] == [column.name for column in FITTED.inputs]


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "by type"])
def test_contents_of_either_form_are_answered(client: Client, raw: bool) -> None:  # noqa: FBT001
    asked: dict[str, Any] = {"model_name": "iris", "id": "42"}
    if raw:
        asked |= {"inputs": [tensor()], "raw_input_contents": [MATRIX.tobytes()]}
    else:
        asked |= {"inputs": [tensor(contents={"fp64_contents": MATRIX.ravel().tolist()})]}
    told = client.call("ModelInfer", **asked)
    labels, likely = told.outputs
    assert (told.id, told.model_version) == ("42", "3")
    assert list(labels.contents.bytes_contents) == EXPECTED
    found = np.array(likely.contents.fp64_contents).reshape(list(likely.shape))
    assert found == pytest.approx(FITTED.model.predict_proba(MATRIX))


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"model_name": "other"}, grpc.StatusCode.NOT_FOUND, "other"),
        ({"model_version": "9"}, grpc.StatusCode.NOT_FOUND, "9"),
        ({"inputs": []}, grpc.StatusCode.INVALID_ARGUMENT, "inputs"),
        ({"raw_input_contents": [b"\x00" * 8]}, grpc.StatusCode.INVALID_ARGUMENT, "values"),
    ],
)
def test_what_is_wrong_has_a_code_and_says_what(
    client: Client, changes: dict[str, Any], code: grpc.StatusCode, words: str
) -> None:
    asked = {"model_name": "iris", "inputs": [tensor()], "raw_input_contents": [MATRIX.tobytes()], **changes}
    with pytest.raises(grpc.RpcError) as refusal:
        client.call("ModelInfer", **asked)
    assert refusal.value.code() is code
    assert words in refusal.value.details()
