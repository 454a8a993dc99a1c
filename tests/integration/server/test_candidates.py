"""Candidates in a real server: canaries and shadows under load, and broken ones that no client notices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_api.contract.route import RoleCounts, RoutedModel, Trial, TrialMode
from tests.support.asking import Clients
from tests.support.bundles import build_compiled, iris, titles
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until

FLOWER = iris().rows[0]


@pytest.fixture
def server(minio_server: S3Server, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server without a route."""
    with running_server(tmp_path, minio_server, fresh_project()) as running:
        yield running


def canary(model: RoutedModel, percent: int) -> Trial:
    return Trial(model=model, mode=TrialMode.CANARY, percent=percent, max_latency_seconds="5")


def shadow(model: RoutedModel) -> Trial:
    return Trial(model=model, mode=TrialMode.SHADOW, percent=100, tolerance="0.1")


def counts(server: ServerProcess, version: str) -> RoleCounts:
    return next(each for each in server.state().counts if each.version == version)


def test_a_canary_gets_its_share_takes_charge_and_goes_back_under_load_without_a_failed_request(
    server: ServerProcess,
) -> None:
    old, new = (build_compiled(iris(seed)).write(server.store, str(seed + 1)) for seed in range(2))
    server.await_route(server.route(old))
    with Clients(server, FLOWER, pause=0.005) as clients:
        for percent in (10, 50):
            server.await_route(server.route(old, candidate=canary(new, percent)))
            until(lambda: counts(server, "2").requests >= 50, what="requests of the candidate")
            seen = {each.version: each for each in server.state().counts}
            asked = seen["2"].requests
            assert asked / (asked + seen["1"].requests) == pytest.approx(percent / 100, rel=0.1)
            assert seen["2"].errors == 0
        server.await_route(server.route(new, old))
        until(lambda: counts(server, "2").requests >= 50, what="requests of the new champion")
        server.await_route(server.route(old))
        until(lambda: counts(server, "1").requests >= 50, what="requests of the old champion")
    assert set(clients.codes) == {200}, clients.codes
    assert set(clients.versions) == {"1", "2"}
    state = server.state()
    assert (state.errors, state.rollout_errors) == (0, 0)


def test_a_request_id_meets_the_same_version_again_and_again(server: ServerProcess) -> None:
    old, new = (build_compiled(iris(seed)).write(server.store, str(seed + 1)) for seed in range(2))
    server.await_route(server.route(old, candidate=canary(new, 50)))

    def versions() -> list[str]:
        with server.client() as client:
            return [
                client.post("/predict", json=FLOWER, headers={"X-Request-Id": f"request-{n}"}).json()[
                    "model_version"
                ]
                for n in range(40)
            ]

    first = versions()
    assert set(first) == {"1", "2"}
    assert versions() == first


def test_a_canary_of_another_signature_costs_no_client_its_answer(server: ServerProcess) -> None:
    good = build_compiled(iris()).write(server.store, "1")
    other = build_compiled(titles()).write(server.store, "2")
    server.await_route(server.route(good, candidate=canary(other, 50)))
    with server.client() as client:
        answers = [client.post("/predict", json=FLOWER) for _ in range(20)]
    assert [(each.status_code, each.json()["model_version"]) for each in answers] == [(200, "1")] * 20
    found = counts(server, "2")
    assert (found.requests, found.errors) == (10, 10)


def test_a_canary_that_cannot_be_loaded_leaves_the_champion_alone(server: ServerProcess) -> None:
    good = build_compiled(iris()).write(server.store, "1")
    broken = good.model_copy(update={"version": "2", "model_digest": "sha256:" + "0" * 64})
    server.route(good, candidate=canary(broken, 50))
    state = server.await_error("version 2 of model iris")
    assert state.version == "1"
    with server.client() as client:
        assert client.get("/v2/health/ready").status_code == 200
        assert client.post("/predict", json=FLOWER).json()["model_version"] == "1"


def test_a_shadow_is_compared_and_never_seen(server: ServerProcess) -> None:
    champion = build_compiled(iris()).write(server.store, "1")
    twin = champion.model_copy(update={"version": "2"})
    server.await_route(server.route(champion, candidate=shadow(twin)))
    with server.client() as client:
        answers = [client.post("/predict", json=FLOWER) for _ in range(20)]
        assert {each.json()["model_version"] for each in answers} == {"1"}
        found = until(
            lambda: seen if (seen := counts(server, "2")).compared >= 20 else None, what="comparisons"
        )
        assert (found.disagreed, found.errors) == (0, 0)
        assert 'modelyard_server_shadow_rows_total{result="agreed"} 20.0' in client.get("/metrics").text
