"""Candidates that are broken, with a real server, a real registry and a real store: they get their share, and give way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from modelyard_api.contract.route import RoutedModel
from tests.support import plain
from tests.support.asking import Clients
from tests.support.broken import BROKEN, ROW, another, of_other_rows, sound, without_number
from tests.support.gate import Gate
from tests.support.kubeapi import POD, PROMOTION, Document
from tests.support.operating import condition
from tests.support.promoting import Stage
from tests.support.resources import promotion
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess
from tests.support.waiting import until

NAMESPACE = "breaking"
SETTINGS = {"ROLLOUT_LOAD_SECONDS": "30", "RESYNC_SECONDS": "1"}
PERCENT = 20
CANARY = {
    "canary": {
        "steps": [{"percent": PERCENT, "seconds": 600}],
        "maxErrorPercent": "1",
        "maxLatencySeconds": "0.01",
    }
}


@pytest.fixture(scope="module")
def champion(minio_server: S3Server) -> RoutedModel:
    return sound().write(minio_server.store(NAMESPACE))


@contextmanager
def _serving(
    stage: Stage,
    directory: Path,
    minio: S3Server,
    champion: RoutedModel,
    model: str,
    s3_url: str | None = None,
    **spec: Any,  # noqa: ANN401  JSON
) -> Iterator[ServerProcess]:
    """The champion in charge of a real server, which sees the operator's route as a kubelet would show it."""
    server = ServerProcess(directory, minio, NAMESPACE, model, port=stage.pods.port, s3_url=s3_url)
    ended = threading.Event()

    def mount() -> None:
        shown = ""
        while not ended.wait(0.1):
            route = stage.pods.route()
            text = json.dumps(route.to_wire()) if route is not None else ""
            if text != shown:
                server.write_route(text)
                shown = text

    mounting = threading.Thread(target=mount)
    try:
        server.start()
        old = stage.registry.register(model, champion)
        wanted = {"rollout": CANARY, **spec}
        stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName=model, **wanted))
        mounting.start()
        stage.pods.become_ready()
        stage.await_champion(old, 120)
        yield server
    finally:
        ended.set()
        if mounting.is_alive():
            mounting.join(30)
        server.kill()


def _given_up(stage: Stage, server: ServerProcess, reason: str) -> Document:
    """The promotion once its candidate was given up, and the champion has the server for itself again."""
    seen = stage.await_reason("RolledBack", reason)
    until(lambda: (route := stage.pods.route()) and route.candidate is None, 30, "the champion's route")
    route = stage.pods.route()
    assert route is not None
    server.await_route(route)
    assert seen["status"]["champion"]["version"] == server.state().version
    assert seen["status"]["candidate"]["refused"]
    return seen


def _rollbacks(stage: Stage, reason: str) -> bool:
    told = stage.operator.get("/metrics").text
    return (
        f'modelyard_promotion_rollbacks_total{{namespace="{NAMESPACE}",promotion="housing",reason="{reason}"}}'
        in told
    )


@pytest.mark.parametrize("name", BROKEN)
def test_a_candidate_gets_no_more_than_its_share_and_is_given_up_if_it(
    unserved: Stage, minio_server: S3Server, champion: RoutedModel, tmp_path: Path, name: str
) -> None:
    broken, model = BROKEN[name], name.replace(" ", "-").lower()
    candidate = broken.build().write(minio_server.store(NAMESPACE))
    with _serving(unserved, tmp_path, minio_server, champion, model) as server:
        with Clients(server, ROW, threads=1, pause=0.02) as clients:
            new = unserved.registry.register(model, candidate)
            seen = _given_up(unserved, server, broken.reason)
        assert set(clients.codes) == {200}, clients.codes
        assert clients.versions[new] <= PERCENT / 100 * clients.versions.total() + 1
        assert broken.told in condition(seen, "RolledBack")["message"]
        assert broken.shown in plain.get(f"{server.url}/metrics").text
    assert _rollbacks(unserved, broken.reason)


def test_a_candidate_that_is_not_loaded_in_time_is_given_up_while_the_champion_answers(
    unserved: Stage, minio_server: S3Server, champion: RoutedModel, tmp_path: Path
) -> None:
    held = another("slow").write(minio_server.store(NAMESPACE))
    with (
        Gate.before(minio_server.port, _named(held)) as gate,
        _serving(unserved, tmp_path, minio_server, champion, "slow-to-load", gate.url) as server,
    ):
        with Clients(server, ROW, threads=1, pause=0.1) as clients:
            unserved.registry.register("slow-to-load", held)
            seen = _given_up(unserved, server, "ModelUnusable")
        assert gate.reached.is_set()
        assert set(clients.codes) == {200}, clients.codes
        assert set(clients.versions) == {seen["status"]["champion"]["version"]}
        assert "is not served by all pods after 30 s" in condition(seen, "RolledBack")["message"]
    assert _rollbacks(unserved, "ModelUnusable")


def test_a_version_that_took_charge_at_once_and_answers_with_no_number_gives_way(
    unserved: Stage, minio_server: S3Server, champion: RoutedModel, tmp_path: Path
) -> None:
    candidate = without_number().write(minio_server.store(NAMESPACE))
    spec: dict[str, Any] = {"rollout": {"immediate": {}}, "rollback": {"onErrorPercent": "1"}}
    with _serving(unserved, tmp_path, minio_server, champion, "at-once", **spec) as server:
        before = server.state().version
        with Clients(server, ROW, threads=1, pause=0.02) as clients:
            unserved.registry.register("at-once", candidate)
            seen = unserved.await_reason("RolledBack", "TooManyErrors")
            until(lambda: server.state().version == before, 30, "the version before")
            in_vain = clients.codes[422]
            answered = clients.codes[200]
            until(lambda: clients.codes[200] > answered + 20, what="requests afterwards")
            assert clients.codes[422] == in_vain
        assert set(clients.codes) == {200, 422}, clients.codes
        assert set(clients.versions) == {before}
        assert "failed to answer" in condition(seen, "RolledBack")["message"]
    assert _rollbacks(unserved, "TooManyErrors")


def test_a_version_that_was_trained_on_other_rows_than_come_gives_way_where_drift_is_a_reason(
    unserved: Stage, minio_server: S3Server, champion: RoutedModel, tmp_path: Path
) -> None:
    candidate = of_other_rows().write(minio_server.store(NAMESPACE))
    spec: dict[str, Any] = {"rollout": {"immediate": {}}, "rollback": {"onDrift": True}}
    with _serving(unserved, tmp_path, minio_server, champion, "drifting", **spec) as server:
        before = server.state().version
        with Clients(server, {"rows": [ROW] * 50}, threads=1, pause=0.02) as clients:
            unserved.registry.register("drifting", candidate)
            seen = unserved.await_reason("RolledBack", "TrafficDrifted")
            until(lambda: server.state().version == before, 30, "the version before")
        assert set(clients.codes) == {200}, clients.codes
        message = condition(seen, "RolledBack")["message"]
        assert "windows of 500 rows, 1 % would without drift: a, b, c" in message
    assert _rollbacks(unserved, "TrafficDrifted")


def test_a_candidate_whose_loading_ends_the_server_is_given_up_and_the_champion_comes_back_without_it(
    unserved: Stage, minio_server: S3Server, champion: RoutedModel, tmp_path: Path
) -> None:
    held = another("deadly").write(minio_server.store(NAMESPACE))
    with (
        Gate.before(minio_server.port, _named(held)) as gate,
        _serving(unserved, tmp_path, minio_server, champion, "deadly", gate.url) as server,
    ):
        unserved.registry.register("deadly", held)
        assert gate.reached.wait(120)
        server.kill()
        _restarted(unserved)
        server.start()
        seen = _given_up(unserved, server, "ServerEnded")
        assert "a server's container ended 1 times while version" in condition(seen, "RolledBack")["message"]
        with server.client() as client:
            answer = client.post("/predict", json=ROW).json()
        assert answer["model_version"] == seen["status"]["champion"]["version"]
    assert _rollbacks(unserved, "ServerEnded")


def _named(bundle: RoutedModel) -> bytes:
    """What requests for a bundle's files hold."""
    return bundle.model_digest.removeprefix("sha256:").encode()


def _restarted(stage: Stage) -> None:
    """The kubelet's part: the container ended and was started again."""
    (pod,) = stage.api.items(POD, NAMESPACE, "modelyard.dev/promotion=housing")
    container = {"name": "server", "image": "any", "imageID": "", "ready": True, "restartCount": 1}
    change = {"status": {"containerStatuses": [container]}}
    answer = stage.api.merge(POD, NAMESPACE, f"{pod['metadata']['name']}/status", change)
    assert answer.is_success, answer.text
