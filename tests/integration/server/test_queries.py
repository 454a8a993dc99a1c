"""Rules and dashboards of the chart, asked of a real Prometheus that scrapes a real server."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modelyard_api.contract.monitoring import LogSettings, MonitoringSettings
from tests.support.bundles import build_compiled, iris
from tests.support.prometheus import running_prometheus
from tests.support.queries import Query, of_dashboards, of_rules
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until

ROW = iris().rows[0]
MONITORING = MonitoringSettings(log=LogSettings())
SERVERS = ("modelyard_server_", "modelyard_predictions_", "modelyard_prediction_")
"""How names of series begin that the server of this test has, and the operator has not."""
SILENT = ("absolute_error", "squared_error", "candidate_failures", "refused_total", "drift")
"""Series of regressions, canaries, keys and bundles with a reference: there are none here."""


@pytest.fixture(scope="module")
def server(minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Watches every prediction."""
    directory = tmp_path_factory.mktemp("server")
    with running_server(directory, minio_server, fresh_project(), monitoring=MONITORING) as started:
        started.await_route(started.route(build_compiled(iris()).write(started.store, "3")))
        yield started


@pytest.fixture(scope="module")
def prometheus(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), server.port) as client:
        yield client


def asked(prometheus: httpx.Client, query: Query) -> list[Any]:
    """What Prometheus answers; it says so where it cannot read a query."""
    told = prometheus.get("/api/v1/query", params={"query": query.text}).json()
    assert told["status"] == "success", f"{query.place}: {told.get('error')}"
    return list(told["data"]["result"])


@pytest.mark.parametrize(
    "query", [*of_rules("record"), *of_rules("alert"), *of_dashboards()], ids=lambda query: query.place
)
def test_prometheus_understands_every_query(prometheus: httpx.Client, query: Query) -> None:
    asked(prometheus, query)


def test_a_query_that_is_wrong_would_be_found(prometheus: httpx.Client) -> None:
    with pytest.raises(AssertionError, match="parse error"):
        asked(prometheus, Query("wrong", "rate(modelyard_predictions_total)) by (model)"))


def test_what_is_asked_of_servers_has_an_answer_once_they_are_used(
    server: ServerProcess, prometheus: httpx.Client
) -> None:
    wanted = [
        query
        for query in of_dashboards()
        if any(name in query.text for name in SERVERS) and not any(name in query.text for name in SILENT)
    ]
    assert len(wanted) >= 10

    def answered() -> bool:
        with server.client() as client:
            told = client.post("/predict", json={"rows": [ROW] * 100})
            name, right = told.headers["x-request-id"], told.json()["predictions"][0]
            client.post("/feedback", json={"request_id": name, "label": right})
        silent = [query for query in wanted if not asked(prometheus, query)]
        assert not silent
        return True

    until(answered, 60, "an answer to every query")


def test_every_rule_is_evaluated_without_an_error(prometheus: httpx.Client) -> None:
    names = {query.place for query in (*of_rules("record"), *of_rules("alert"))}

    def evaluated() -> bool:
        groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
        health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
        return names <= set(health) and set(health.values()) == {"ok"}

    until(evaluated, 30, "every rule being evaluated")
