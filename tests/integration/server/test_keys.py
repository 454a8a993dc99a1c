"""A server that demands keys, in a process of its own: over the wire, on every way that a request may take."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelyard_api.contract.route import STATE_PATH
from tests.support.bundles import build_compiled, iris
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until

ROW = iris().rows[0]
TENSORS = {
    "inputs": [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in ROW.items()
    ]
}
BODIES = {
    "/predict": ROW,
    "/invocations": {"dataframe_records": [ROW]},
    "/v2/models/iris/infer": TENSORS,
    "/v2/models/iris/versions/1/infer": TENSORS,
}
SHOP, PARTNER, NEXT = "shop-7c1d44b0e2aa49d1", "partner-90ab12cd34ef56", "shop-11dd88c37a5e0f42"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Secret's files."""
    directory = tmp_path_factory.mktemp("keys")
    (directory / "shop").write_text(SHOP)
    (directory / "partner").write_text(PARTNER)
    return directory


@pytest.fixture(scope="module")
def server(
    minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory, keys: Path
) -> Iterator[ServerProcess]:
    """Serves flowers by their compiled program, which answers on the event loop, to whoever has a key."""
    options: dict[str, Any] = {"keys_directory": str(keys), "max_rows": 3, "max_body_bytes": 4096}
    with running_server(
        tmp_path_factory.mktemp("closed"), minio_server, fresh_project(), **options
    ) as running:
        running.await_route(running.route(build_compiled(iris()).write(running.store, "1")))
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    """A client without a key of its own."""
    with server.client() as opened:
        yield opened


def ask(client: httpx.Client, key: str, path: str = "/predict") -> int:
    return client.post(path, json=BODIES[path], headers={"Authorization": f"Bearer {key}"}).status_code


@pytest.mark.parametrize("path", BODIES)
def test_no_way_to_a_prediction_goes_past_the_keys(client: httpx.Client, path: str) -> None:
    # Twice: a connection that has been let through once is asked for its key again.
    for _ in range(2):
        refused = client.post(path, json=BODIES[path])
        assert refused.status_code == 401
        assert "KeyMissing" in refused.text
        assert ask(client, SHOP, path) == 200
        assert ask(client, SHOP + "x", path) == 401
        assert client.post(path, json=BODIES[path], headers={"X-API-Key": PARTNER}).status_code == 200


def test_probes_scrapes_and_the_operator_need_none(client: httpx.Client) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/health", "/ping", "/metrics", STATE_PATH):
        assert client.get(path).status_code == 200, path
    assert client.get("/openapi.json").status_code == 401


def test_metrics_name_keys_and_neither_they_nor_the_log_hold_one(
    client: httpx.Client, server: ServerProcess
) -> None:
    assert ask(client, SHOP) == 200
    assert ask(client, "x" * 30) == 401
    told = client.get("/metrics").text
    assert 'modelyard_server_key_requests_total{key="shop"}' in told
    assert 'modelyard_server_refused_total{reason="KeyUnknown"}' in told
    assert not any(value in told + server.log for value in (SHOP, PARTNER, "x" * 30))


def test_a_key_is_replaced_while_the_server_runs(client: httpx.Client, keys: Path) -> None:
    (keys / "shop-next").write_text(NEXT)
    until(lambda: ask(client, NEXT) == 200, 10, "the new key")
    assert ask(client, SHOP) == 200
    (keys / "shop").unlink()
    try:
        until(lambda: ask(client, SHOP) == 401, 10, "the old key's end")
        assert ask(client, NEXT) == 200
    finally:
        (keys / "shop").write_text(SHOP)
        (keys / "shop-next").unlink()
    until(lambda: ask(client, SHOP) == 200, 10, "the key's return")


def test_limits_of_the_spec_hold(client: httpx.Client) -> None:
    own = {"X-API-Key": PARTNER}
    rows = client.post("/predict", json={"rows": [ROW] * 4}, headers=own)
    assert (rows.status_code, "at most 3 are answered at a time" in rows.text) == (413, True)
    assert client.post("/predict", json={"rows": [ROW] * 3}, headers=own).status_code == 200
    body = client.post("/predict", json={"rows": [ROW] * 100}, headers=own)
    assert (body.status_code, "longer than 4096 bytes" in body.text) == (413, True)


def test_a_server_whose_secret_is_missing_answers_nobody_and_is_ready(
    minio_server: S3Server, tmp_path: Path
) -> None:
    nothing = str(tmp_path / "nothing")
    with running_server(tmp_path / "server", minio_server, fresh_project(), keys_directory=nothing) as server:
        server.await_route(server.route(build_compiled(iris()).write(server.store, "1")))
        with server.client() as client:
            refused = client.post("/predict", json=ROW, headers={"X-API-Key": SHOP})
            assert (refused.status_code, "NoKeys" in refused.text) == (403, True)
            assert client.get("/v2/health/ready").status_code == 200
