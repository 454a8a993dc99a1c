"""The protocol's gRPC half, asked by a client of grpcio: the answers are those of the HTTP half."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from modelyard_api.contract.monitoring import LogSettings, MonitoringSettings
from modelyard_api.contract.route import Trial, TrialMode
from modelyard_server.dialects.binary import values_of
from modelyard_server.grpc_service.messages import SERVICE, Messages
from tests.support.bundles import build_compiled, iris, matrix_of
from tests.support.ports import free_port
from tests.support.s3 import S3Server
from tests.support.server_process import fresh_project, running_server
from tests.support.waiting import until

MESSAGES = Messages()
FITTED = iris()
MATRIX = matrix_of(FITTED.inputs, FITTED.rows)
KEY = "shop-7c1d44b0e2aa49d1"
EXPECTED = [label.encode() for label in FITTED.model.predict(MATRIX).tolist()]


class Client:
    """Calls methods by name."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def call(self, method: str, metadata: Sequence[tuple[str, str]] = (), **fields: Any) -> Any:  # noqa: ANN401
        return self._ask(method)(MESSAGES.of(f"{method}Request")(**fields), timeout=30, metadata=metadata)

    def name(self, metadata: Sequence[tuple[str, str]] = (), **fields: Any) -> str:  # noqa: ANN401
        """The name that a prediction is logged under unless its message brings one."""
        message = MESSAGES.of("ModelInferRequest")(**fields)
        _, call = self._ask("ModelInfer").with_call(message, timeout=30, metadata=metadata)
        return str(dict(call.trailing_metadata())["x-request-id"])

    def _ask(self, method: str) -> Any:  # noqa: ANN401
        return self._channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=MESSAGES.of(f"{method}Response").FromString,
        )


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


def health(channel: grpc.Channel, service: str) -> int:
    """What the health service of gRPC says, read as a client with the published file reads it."""
    ask = channel.unary_unary("/grpc.health.v1.Health/Check")
    asked = b"\n" + bytes([len(service)]) + service.encode() if service else b""
    field, status = ask(asked, timeout=30)
    assert field == 0b1000, "field 1, a number"
    return int(status)


def test_the_health_service_of_grpc_answers_for_the_server_and_for_its_service(
    minio_server: S3Server, tmp_path: Path
) -> None:
    port = free_port()
    with (
        running_server(tmp_path, minio_server, fresh_project(), grpc_port=port) as server,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        assert [health(channel, service) for service in ("", SERVICE)] == [2, 2]
        server.await_route(server.route(build_compiled(FITTED).write(server.store, "3")))
        assert [health(channel, service) for service in ("", SERVICE)] == [1, 1]
        with pytest.raises(grpc.RpcError) as refusal:
            health(channel, "another.Service")
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_pod_is_ready_over_grpc_when_all_of_its_processes_are(
    minio_server: S3Server, tmp_path: Path
) -> None:
    port = free_port()
    with running_server(tmp_path, minio_server, fresh_project(), grpc_port=port, processes=2) as server:
        server.await_route(server.route(build_compiled(FITTED).write(server.store, "3")))
        assert server.process is not None
        parent = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        stopped = int(parent.read_text().split()[0])
        os.kill(stopped, signal.SIGSTOP)
        try:
            until(lambda: ready_over(port) is False, 60, "the pod not being ready")
        finally:
            os.kill(stopped, signal.SIGCONT)
        until(lambda: ready_over(port), 60, "the pod being ready again")


def ready_over(port: int) -> bool | None:
    """Over a connection of its own; None where the process that got it does not answer."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        ask = channel.unary_unary(
            f"/{SERVICE}/ServerReady", response_deserializer=MESSAGES.of("ServerReadyResponse").FromString
        )
        try:
            return bool(ask(b"", timeout=5).ready)
        except grpc.RpcError:
            return None


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
    if raw:
        # In the form in which it asked, and in that alone.
        given, numbers = told.raw_output_contents
        found = np.frombuffer(numbers)
        assert values_of(labels.datatype, given, "labels") == [label.decode() for label in EXPECTED]
        assert not labels.HasField("contents")
    else:
        found = np.array(likely.contents.fp64_contents)
        assert list(labels.contents.bytes_contents) == EXPECTED
        assert not told.raw_output_contents
    assert found.reshape(list(likely.shape)) == pytest.approx(FITTED.model.predict_proba(MATRIX))


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


def test_what_is_answered_is_logged_under_a_name_that_labels_can_be_sent_for(
    minio_server: S3Server, tmp_path: Path
) -> None:
    port = free_port()
    options: dict[str, Any] = {"grpc_port": port, "monitoring": MonitoringSettings(log=LogSettings())}
    with running_server(tmp_path, minio_server, fresh_project(), **options) as server:
        server.await_route(server.route(build_compiled(FITTED).write(server.store, "3")))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, server.client() as http:
            asked: dict[str, Any] = {"model_name": "iris", "inputs": [tensor()]}
            asked["raw_input_contents"] = [MATRIX.tobytes()]
            names = [Client(channel).name(**asked), Client(channel).name(**asked, id="mine")]
            assert Client(channel).name(metadata=[("x-request-id", "yours")], **asked) == "yours"
            for name in (names[0], "mine", "yours"):
                label = {"request_id": name, "row": 1, "label": EXPECTED[1].decode()}
                assert http.post("/feedback", json=label).status_code == 202
            right = 'modelyard_server_feedback_correct_total{model="iris",version="3"} 3.0'
            until(lambda: right in http.get("/metrics").text, 10, "the labels being judged")
            logged = 'modelyard_server_prediction_log_rows_total{model="iris",version="3"}'
            assert f"{logged} {3 * len(MATRIX)}.0" in http.get("/metrics").text


def test_a_candidate_gets_its_share(minio_server: S3Server, tmp_path: Path) -> None:
    port = free_port()
    with running_server(tmp_path, minio_server, fresh_project(), grpc_port=port) as server:
        old, new = (build_compiled(iris(seed)).write(server.store, str(seed + 3)) for seed in range(2))
        trial = Trial(model=new, mode=TrialMode.CANARY, percent=50)
        server.await_route(server.route(old, candidate=trial))
        asked: dict[str, Any] = {"model_name": "iris", "inputs": [tensor()]}
        asked["raw_input_contents"] = [MATRIX.tobytes()]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            client = Client(channel)
            shared = Counter(client.call("ModelInfer", **asked).model_version for _ in range(20))
            named = {client.call("ModelInfer", model_version="3", **asked).model_version for _ in range(4)}
        assert (shared, named) == ({"3": 10, "4": 10}, {"3"})
        seen = {each.version: each.requests for each in server.state().counts}
        assert seen == {"3": 14, "4": 10}


def test_only_who_brings_a_key_is_answered_and_probes_need_none(
    minio_server: S3Server, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "shop").write_text(KEY)
    port = free_port()
    options: dict[str, Any] = {"grpc_port": port, "keys_directory": str(keys)}
    with running_server(tmp_path / "server", minio_server, fresh_project(), **options) as server:
        server.await_route(server.route(build_compiled(FITTED).write(server.store, "3")))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            client = Client(channel)
            asked = {"model_name": "iris", "inputs": [tensor()], "raw_input_contents": [MATRIX.tobytes()]}
            assert client.call("ServerReady").ready
            assert client.call("ModelReady", name="iris").ready
            assert health(channel, "") == 1
            for method, fields in (("ModelInfer", asked), ("ModelMetadata", {"name": "iris"})):
                with pytest.raises(grpc.RpcError) as refusal:
                    client.call(method, **fields)
                assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
                assert refusal.value.details().startswith("KeyMissing")
            with pytest.raises(grpc.RpcError, match="KeyUnknown"):
                client.call("ModelInfer", metadata=[("x-api-key", KEY + "x")], **asked)
            for named in (("authorization", f"Bearer {KEY}"), ("x-api-key", KEY)):
                told = client.call("ModelInfer", metadata=[named], **asked)
                found = values_of("BYTES", told.raw_output_contents[0], "labels")
                assert [label.encode() for label in found] == EXPECTED
