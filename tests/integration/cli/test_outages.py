"""A resource is followed through an API server that fails for a while; a server that plays one breaks on cue."""

import json
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest

from modelyard_cli.cluster.client import Cluster
from modelyard_cli.cluster.kinds import DATASET
from modelyard_cli.cluster.kubectl import Kubectl
from modelyard_cli.errors import TimeoutPassedError, UnavailableError
from tests.support.http_server import FileServer, Page, serving_files

PLACE = "/apis/modelyard.dev/v1alpha1/namespaces/demo/datasets"
WATCH = f"{PLACE}?watch=true&fieldSelector=metadata.name%3Da&resourceVersion=1&timeoutSeconds=60"
EVENT = {"type": "MODIFIED", "object": {"metadata": {"resourceVersion": "2"}}}


class _Demo:
    """The part of kubectl that is asked for a namespace."""

    def namespace(self) -> str:
        return "demo"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving_files() as server:
        server.pages[f"{PLACE}/a"] = Page(json.dumps({"metadata": {"resourceVersion": "1"}}).encode())
        server.pages[WATCH] = Page(json.dumps(EVENT).encode() + b"\n")
        yield server


@pytest.fixture
def cluster(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr("modelyard_cli.cluster.client._PAUSE", 0.01)
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        yield Cluster(http, cast("Kubectl", _Demo()))


def versions(changes: Iterator[dict[str, Any]], count: int) -> list[str]:
    return [next(changes)["metadata"]["resourceVersion"] for _ in range(count)]


def test_a_watch_that_ends_begins_again_with_a_look(cluster: Cluster) -> None:
    assert versions(cluster.follow(DATASET, "a", 300), 4) == ["1", "2", "1", "2"]


@pytest.mark.parametrize("path", [f"{PLACE}/a", WATCH], ids=["object", "watch"])
@pytest.mark.parametrize("status", [502, 503, 500])
def test_a_failure_that_passes_is_waited_out(
    cluster: Cluster, server: FileServer, path: str, status: int
) -> None:
    server.pages[path].statuses = [status, status]
    assert "2" in versions(cluster.follow(DATASET, "a", 300), 4)
    assert server.pages[path].statuses == []


def test_a_watch_that_breaks_off_is_begun_again(cluster: Cluster, server: FileServer) -> None:
    server.pages[WATCH].breaks = [10]
    assert versions(cluster.follow(DATASET, "a", 300), 3) == ["1", "1", "2"]


def test_a_version_that_is_too_old_to_watch_from_is_read_anew(cluster: Cluster, server: FileServer) -> None:
    server.pages[WATCH].statuses = [410]
    assert versions(cluster.follow(DATASET, "a", 300), 3) == ["1", "1", "2"]


def test_a_server_that_stays_away_ends_the_command(
    cluster: Cluster, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard_cli.cluster.client._PATIENCE", 0.05)
    server.pages[f"{PLACE}/a"].statuses = [503] * 1000
    with pytest.raises(UnavailableError, match="HTTP 503"):
        next(cluster.follow(DATASET, "a", 300))


def test_a_lack_of_rights_ends_the_command_at_once(cluster: Cluster, server: FileServer) -> None:
    server.pages[f"{PLACE}/a"].statuses = [403, 200]
    with pytest.raises(UnavailableError, match="HTTP 403"):
        next(cluster.follow(DATASET, "a", 300))
    assert server.pages[f"{PLACE}/a"].statuses == [200]


def test_the_time_ends_a_watch_that_goes_on(cluster: Cluster, server: FileServer) -> None:
    server.pages[WATCH.replace("=60", "=1")] = Page()
    with pytest.raises(TimeoutPassedError):
        list(cluster.follow(DATASET, "a", 0.5))
