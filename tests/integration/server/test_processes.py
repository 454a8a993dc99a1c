"""A server of two processes: one pod to whoever asks, also when one of them is killed."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.monitoring import LogSettings, MonitoringSettings, predictions_prefix
from tests.support.bundles import build_compiled, iris
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until

ROW = iris().rows[0]
CONNECTIONS = 20
LOGGING = MonitoringSettings(log=LogSettings())
LOGGED = "modelyard_server_prediction_log_rows_total"
ANSWERED = 'modelyard_server_requests_total{code="200",path="/predict"}'

CRASHED = 'modelyard_server_processes_ended_total{signal="SIGSEGV"}'


@pytest.fixture
def server(minio_server: S3Server, tmp_path: Path) -> Iterator[ServerProcess]:
    with running_server(
        tmp_path / "two", minio_server, fresh_project(), lean=True, processes=2, monitoring=LOGGING
    ) as started:
        started.await_route(started.route(build_compiled(iris()).write(started.store, "3")))
        yield started


def children(server: ServerProcess) -> list[int]:
    assert server.process is not None
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ask(server: ServerProcess) -> httpx.Response:
    """Over a connection of its own, which the kernel gives to either process."""
    with server.client() as client:
        return client.post("/predict", json=ROW)


def value(server: ServerProcess, series: str) -> float:
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series)), 0.0)


def test_whichever_process_is_asked_tells_what_both_have_counted(server: ServerProcess) -> None:
    assert {ask(server).status_code for _ in range(CONNECTIONS)} == {200}
    assert {value(server, ANSWERED) for _ in range(CONNECTIONS)} == {CONNECTIONS}
    assert {server.state().requests for _ in range(CONNECTIONS)} == {CONNECTIONS}
    assert value(server, "modelyard_server_model_compiled") == 1
    memory = value(server, "process_resident_memory_bytes")
    assert memory > 1.5 * max(_resident(pid) for pid in children(server))


def test_a_log_of_both_is_one_of_the_pod(server: ServerProcess) -> None:
    names = [ask(server).headers["x-request-id"] for _ in range(CONNECTIONS)]
    assert len(set(names)) == CONNECTIONS
    until(lambda: value(server, LOGGED) == CONNECTIONS, 10, "all rows in the log")
    assert {value(server, LOGGED) for _ in range(CONNECTIONS)} == {CONNECTIONS}
    assert server.stop() == 0
    keys = list(server.store.keys(predictions_prefix(server.s3.endpoint(server.project).prefix, "test")))
    tables = [pq.read_table(io.BytesIO(server.store.read(key))) for key in keys]
    logged = [name for table in tables for name in table["request_id"].to_pylist()]
    assert len(keys) == 2, "each process writes files of its own"
    assert sorted(logged) == sorted(names)


def test_a_route_is_served_when_both_processes_serve_it(server: ServerProcess) -> None:
    route = server.route(build_compiled(iris(seed=1)).write(server.store, "4"))
    server.await_route(route)
    answers = {ask(server).headers["x-modelyard-model-version"] for _ in range(CONNECTIONS)}
    assert answers == {"4"}


def test_a_process_that_crashes_is_replaced_and_counted_and_the_counts_do_not_fall(
    server: ServerProcess,
) -> None:
    for _ in range(CONNECTIONS):
        ask(server)
    assert value(server, ANSWERED) == CONNECTIONS
    assert value(server, CRASHED) == 0
    before = children(server)
    # As a library does that reads beyond its memory while it predicts.
    os.kill(before[0], signal.SIGSEGV)
    until(lambda: len(children(server)) == 2 and before[0] not in children(server), 60, "a replacement")

    def ready() -> bool:
        with server.client() as client:
            return client.get("/v2/health/ready").is_success

    until(ready, 60, "both processes being ready")
    assert value(server, ANSWERED) >= CONNECTIONS
    assert {ask(server).status_code for _ in range(CONNECTIONS)} == {200}
    assert value(server, ANSWERED) >= 2 * CONNECTIONS
    assert {value(server, CRASHED) for _ in range(CONNECTIONS)} == {1}, "whichever process is asked"
    assert before[1] in children(server), "the other one answered on"


def test_a_signal_ends_both(server: ServerProcess) -> None:
    pids = children(server)
    assert server.stop() == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
