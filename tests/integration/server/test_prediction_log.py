"""The prediction log of a running server: what is on S3 when it stops, and what its metrics say before."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.monitoring import (
    DriftSettings,
    LogSettings,
    MonitoringSettings,
    feedback_prefix,
    predictions_prefix,
)
from tests.support.bundles import build_compiled, iris
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until

ROWS = iris().rows
MONITORING = MonitoringSettings(log=LogSettings(), drift=DriftSettings(window_rows=100))


@pytest.fixture
def server(minio_server: S3Server, tmp_path: Path) -> Iterator[ServerProcess]:
    """Logs every prediction."""
    with running_server(tmp_path, minio_server, fresh_project(), monitoring=MONITORING) as started:
        started.await_route(started.route(build_compiled(iris()).write(started.store, "3")))
        yield started


def tables(server: ServerProcess, prefix: str) -> pa.Table:
    """All rows below a prefix."""
    store = server.store
    found = [pq.read_table(io.BytesIO(store.read(key))) for key in store.keys(prefix)]
    return pa.concat_tables(found)


def test_what_was_answered_and_labelled_is_on_s3_when_the_server_stops(server: ServerProcess) -> None:
    names = []
    with server.client() as client:
        for row in ROWS:
            answer = client.post("/predict", json=row)
            names.append(answer.headers["x-request-id"])
        named = client.post(
            "/invocations", json={"dataframe_records": ROWS}, headers={"x-request-id": "mine"}
        )
        assert named.status_code == 200, named.text
        label = {"request_id": "mine", "row": 1, "label": named.json()["predictions"][1]}
        assert client.post("/feedback", json=label).status_code == 202
        until(lambda: correct(client) == 1, 10, "the label being judged")
    assert server.stop() == 0
    prefix = server.s3.endpoint(server.project).prefix
    logged = tables(server, predictions_prefix(prefix, "test"))
    assert sorted(logged["request_id"].to_pylist()) == sorted([*names, *["mine"] * len(ROWS)])
    assert set(logged["version"].to_pylist()) == {"3"}
    first = next(row for row in logged.to_pylist() if row["request_id"] == names[0])
    assert {name: first[f"input_{name}"] for name in ROWS[0]} == ROWS[0]
    assert first["confidence"] is not None
    (told,) = tables(server, feedback_prefix(prefix, "test")).to_pylist()
    assert (told["request_id"], told["row"], told["label"]) == ("mine", 1, label["label"])


def test_days_whose_time_is_over_are_removed_and_nothing_else(minio_server: S3Server, tmp_path: Path) -> None:
    project, today = fresh_project(), datetime.now(UTC).date()
    prefix, store = minio_server.endpoint(project).prefix, minio_server.store(project)
    days = {age: f"date={today - timedelta(days=age)}" for age in (0, 29, 30, 31, 400)}
    roots = [each(prefix, "test") for each in (predictions_prefix, feedback_prefix)]
    kept = {f"{root}/{days[age]}/a.parquet" for root in roots for age in (0, 29, 30)}
    kept |= {f"{roots[0]}/date=someday/a.parquet", f"{roots[0]}/a.parquet"}
    kept.add(f"{predictions_prefix(prefix, 'another')}/{days[400]}/a.parquet")
    over = {f"{root}/{days[age]}/{name}.parquet" for root in roots for age in (31, 400) for name in "ab"}
    for key in kept | over:
        store.create(key, b"rows")
    monitoring = MonitoringSettings(log=LogSettings(retention_days=30))
    with running_server(tmp_path, minio_server, project, monitoring=monitoring) as server:
        until(lambda: not over & set(store.keys(prefix)), 30, "old days being removed")
        assert kept <= set(store.keys(prefix))
        told = f"modelyard_server_prediction_log_removed_total {len(over)}.0"
        with server.client() as client:
            until(lambda: told in client.get("/metrics").text, 10, "their number being told")


def correct(client: httpx.Client) -> float:
    """Answers that were the true label."""
    lines = client.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("modelyard_server_feedback_correct_total{")]
    return float(found[0].split()[-1]) if found else 0.0
