"""Several processes of one pod, here in one process: whichever is asked answers for all."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelyard_api.contract.route import RoleCounts, RouteState, ServedRole
from modelyard_server.processes.siblings import Own, Siblings, Told, of_pod
from modelyard_server.processes.supervisor import Place, listening, pause
from modelyard_server.series import Counter, Registry
from tests.support.ports import free_port


@dataclass
class OneOfThree:
    """A process with a count and a state."""

    number: int
    directory: Path
    route: str = "sha256:1"
    ready: bool = True

    def __post_init__(self) -> None:
        self.registry = Registry()
        self.rows = Counter("rows_total", "Rows", registry=self.registry)
        with socket.socket() as listener:
            place = Place(self.number, 3, listener, self.directory)
        self.siblings = Siblings(place, Own(self.registry, lambda: self.ready, self.state))

    def state(self) -> RouteState:
        return RouteState(route_digest=self.route, wanted_digest=self.route, requests=10, errors=self.number)


async def rows(asked: OneOfThree) -> float:
    others = await asked.siblings.counted()
    metrics = {metric.name: metric for metric in asked.registry.metrics(each.held for each in others)}
    return float(metrics["rows"].samples[0].value)


async def test_any_of_them_tells_the_counts_of_all_and_what_a_dead_one_told_last(tmp_path: Path) -> None:
    three = [OneOfThree(number, tmp_path) for number in range(3)]
    async with AsyncExitStack() as alive:
        for number, each in enumerate(three):
            await alive.enter_async_context(each.siblings.telling())
            each.rows.inc(number + 1)
        assert [await rows(each) for each in three] == [6, 6, 6]
        three[0].rows.inc(4)
        assert await rows(three[2]) == 10
    # Nobody answers any more; what they told stays counted.
    assert await rows(three[2]) == 10
    fresh = OneOfThree(0, tmp_path)
    fresh.siblings.resume()
    assert await rows(fresh) == 10
    fresh.rows.inc()
    assert await rows(fresh) == 11


async def test_a_process_that_does_not_answer_is_told_apart(tmp_path: Path) -> None:
    first, second = OneOfThree(0, tmp_path), OneOfThree(1, tmp_path, ready=False)
    async with second.siblings.telling():
        answer, missing = await first.siblings.told()
    assert missing is None
    assert answer is not None
    assert (answer.ready, answer.state) == (False, second.state())


def told(state: RouteState) -> Told:
    return Told(pid=1, ready=True, state=state)


NEW = RouteState(route_digest="new", wanted_digest="new", version="2", requests=5, errors=1)
OLD = RouteState(route_digest="old", wanted_digest="old", version="1", requests=7)
LOADING = RouteState(route_digest="old", wanted_digest="new", version="1", requests=7)
FAILED = RouteState(route_digest="old", wanted_digest="new", version="1", error="it is broken", requests=7)


@pytest.mark.parametrize(
    ("others", "route", "error"),
    [
        ([told(NEW)], "new", None),
        ([told(LOADING), told(NEW)], "old", None),
        ([told(OLD), told(NEW)], "old", None),
        ([told(NEW), told(FAILED), told(LOADING)], "old", "it is broken"),
        ([told(NEW), None], None, None),
    ],
    ids=["all of them", "one loads", "one has not looked", "one fails", "one is not there"],
)
def test_a_pod_serves_a_route_when_all_of_its_processes_do(
    others: list[Told | None], route: str | None, error: str | None
) -> None:
    state = of_pod(NEW, others)
    assert (state.route_digest, state.error, state.wanted_digest) == (route, error, "new")
    present = [each.state for each in others if each is not None]
    assert state.requests == 5 + sum(each.requests for each in present)
    assert state.errors == 1 + sum(each.errors for each in present)


def test_what_versions_did_under_the_route_of_the_pod_is_added_up() -> None:
    def one(requests: int, **changes: object) -> RouteState:
        champion = RoleCounts(role=ServedRole.CHAMPION, version="1", requests=requests, slow=1)
        shadow = RoleCounts(role=ServedRole.SHADOW, version="2", compared=requests, disagreed=2)
        shadow = shadow.model_copy(update={"windows": 4, "drifted": 1, "drifting": ["a", f"b{requests}"]})
        counts = {"counts": [champion, shadow], "rollout_requests": requests, "rollout_errors": 1}
        return NEW.model_copy(update={**counts, **changes})

    pod = of_pod(one(5), [told(one(7)), told(one(11))])
    assert (pod.rollout_requests, pod.rollout_errors) == (23, 3)
    assert [(each.version, each.requests, each.slow) for each in pod.counts] == [("1", 23, 3), ("2", 0, 0)]
    assert (pod.counts[1].compared, pod.counts[1].disagreed) == (23, 6)
    assert (pod.counts[1].windows, pod.counts[1].drifted) == (12, 3)
    assert pod.counts[1].drifting == ["a", "b5", "b7", "b11"]
    behind = of_pod(one(5), [told(one(7, route_digest="old"))])
    assert (behind.route_digest, behind.counts[0].requests) == ("old", 7)


def test_a_process_alone_speaks_for_itself() -> None:
    assert of_pod(NEW, []) == NEW


def test_processes_that_are_killed_again_and_again_are_started_ever_later() -> None:
    assert [pause(restarts) for restarts in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]


def test_several_sockets_listen_on_one_port() -> None:
    port = free_port()
    with listening(port), listening(port), socket.create_connection(("127.0.0.1", port), 10):
        pass
