"""Candidates beside the champion: who answers, what is counted, and what a client sees of a broken one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace

import httpx
import numpy as np
import pytest

from modelyard_api.contract.route import RoleCounts, Route, Trial, TrialMode
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer, Predictor
from modelyard_server.monitoring.tap import Tap
from modelyard_server.serving import Role, Serving, Tried
from modelyard_server.share import Share
from modelyard_server.state import ServerState
from modelyard_server.trial import agree
from modelyard_server.web.admin import make_admin
from modelyard_server.web.application import Application, Parts
from modelyard_server.web.replies import Reply
from tests.support.predictors import ROW, Constant, served

SHORT = [(b"content-type", b"application/json"), (b"content-length", b"30")]
ONES, TWOS = Constant(Answer(np.ones(1))), Constant(Answer(np.full(1, 2.0)))


class Server:
    """A server with a champion (version 7) and a candidate (version 8)."""

    def __init__(self, champion: Predictor, candidate: Predictor, mode: TrialMode, percent: int) -> None:
        self.state, self.metrics = ServerState(), ServerMetrics()
        self.tap = Tap(1_000_000)
        role = Role.SHADOW if mode is TrialMode.SHADOW else Role.CANDIDATE
        first = replace(served(champion), tap=self.tap)
        second = replace(served(candidate, version="8", role=role), tap=self.tap)
        trial = Trial(
            model=second.routed, mode=mode, percent=percent, max_latency_seconds="5", tolerance="0.1"
        )
        route = Route(model_name="forest", champion=first.routed, candidate=trial)
        self.state.serving = Serving(route, first, tried=Tried.of(second, trial))
        parts = Parts(
            self.state,
            self.metrics,
            Admission(AdmissionLimits(), self.metrics),
            1_000_000,
            never,
            make_admin(self.state),
        )
        self.application = Application(parts)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.application), base_url="http://server"
        )

    async def ask(self, request_id: str = "", path: str = "/predict") -> tuple[int, str]:
        headers = {"x-request-id": request_id} if request_id else {}
        answer = await self.client.post(path, json=ROW, headers=headers)
        return answer.status_code, answer.headers.get("x-modelyard-model-version", "")

    async def unanswered(self, before: Predictor | None, *, at_once: bool) -> RoleCounts:
        """Counts of the champion, which is in charge after ``before``, once it was asked three times in vain."""
        assert self.state.serving is not None
        previous = served(before, version="6", role=Role.PREVIOUS) if before is not None else None
        self.state.serving = replace(self.state.serving, tried=None, previous=previous)
        for _ in range(3):
            if at_once:
                way = self.application.way("/predict", SHORT)
                turn = None if way is None else way.turn()
                assert turn is not None
                replies: list[Reply] = []
                turn(json.dumps(ROW).encode(), replies.append)
                assert [reply.status for reply in replies] == [422]
            else:
                assert (await self.ask())[0] == 422
        await self.application.trials.idle()
        return self.state.route_state().counts[0]

    def logged(self) -> list[tuple[str, str, str]]:
        """Request id, version and role of each answer that was left to the log since it was last asked."""
        entries, _ = self.tap.take()
        return [(each.request_id, each.served.version, str(each.served.role)) for each in entries]

    @property
    def candidate(self) -> RoleCounts:
        return self.state.route_state().counts[1]


async def never() -> None:
    """Keeps no route."""


def test_a_request_id_is_always_on_the_same_side_and_stays_there_as_the_share_grows() -> None:
    ids = [f"request-{number}".encode() for number in range(2000)]
    tenth, half = Share(10), Share(50)
    chosen = {each for each in ids if tenth.takes(each)}
    assert chosen == {each for each in ids if tenth.takes(each)}
    assert chosen < {each for each in ids if half.takes(each)}
    assert 150 <= len(chosen) <= 250
    assert all(Share(100).takes(each) for each in ids)


@pytest.mark.parametrize("percent", [1, 7, 10, 50, 100])
def test_requests_without_an_id_are_shared_exactly(percent: int) -> None:
    share = Share(percent)
    assert sum(share.takes(b"") for _ in range(1000)) == 10 * percent


async def test_a_canary_answers_its_share_and_says_so() -> None:
    server = Server(ONES, TWOS, TrialMode.CANARY, percent=20)
    versions = [(await server.ask())[1] for _ in range(50)]
    assert versions.count("8") == 10
    assert (server.candidate.requests, server.candidate.errors) == (10, 0)
    assert server.state.route_state().counts[0].requests == 40


async def test_the_log_names_the_version_that_answered_and_a_shadow_beside_it() -> None:
    canary = Server(ONES, TWOS, TrialMode.CANARY, percent=100)
    await canary.ask("a")
    assert canary.logged() == [("a", "8", "candidate")]
    broken = Server(ONES, Constant(RuntimeError("crash")), TrialMode.CANARY, percent=100)
    await broken.ask("b")
    assert broken.logged() == [("b", "7", "champion")]
    shadow = Server(ONES, TWOS, TrialMode.SHADOW, percent=100)
    await shadow.ask("c")
    await shadow.application.trials.idle()
    assert shadow.logged() == [("c", "7", "champion"), ("c", "8", "shadow")]


def test_what_is_answered_at_once_is_the_champions_own_and_counts_for_it() -> None:
    server = Server(ONES, TWOS, TrialMode.CANARY, percent=100)
    way = server.application.way("/predict", SHORT)
    named = server.application.way("/v2/models/forest/versions/7/infer", SHORT)
    assert way is not None
    assert way.turn() is None, "the candidate's share decides"
    assert named is not None
    assert named.turn() is not None
    assert server.state.serving is not None
    server.state.serving = replace(server.state.serving, tried=None, slow_seconds=0.0)
    replies: list[Reply] = []
    for body in (json.dumps(ROW).encode(), b"{}"):
        turn = way.turn()
        assert turn is not None
        turn(body, replies.append)
    assert [reply.status for reply in replies] == [200, 400]
    counts = server.state.route_state().counts[0]
    assert (counts.requests, counts.errors, counts.slow) == (2, 0, 1)


@pytest.mark.parametrize("mode", list(TrialMode))
async def test_rows_that_are_gathered_are_asked_of_one_version(mode: TrialMode) -> None:
    server = Server(ONES, TWOS, mode, percent=50)
    serving = server.state.serving
    assert serving is not None
    assert serving.tried is not None
    for each in (serving.champion, serving.tried.served):
        object.__setattr__(each, "model", replace(each.model, gathers=True))
    answers = await asyncio.gather(*(server.ask() for _ in range(20)))
    wanted = {"7": 10, "8": 10} if mode is TrialMode.CANARY else {"7": 20}
    assert Counter(version for _, version in answers) == wanted


@pytest.mark.parametrize(
    "broken",
    [Constant(RuntimeError("crash")), Constant(ValueError("no")), Constant(Answer(np.full(1, np.nan)))],
)
async def test_what_a_canary_cannot_answer_the_champion_does(broken: Predictor) -> None:
    server = Server(ONES, broken, TrialMode.CANARY, percent=100)
    assert [await server.ask() for _ in range(3)] == [(200, "7")] * 3
    assert (server.candidate.requests, server.candidate.errors) == (3, 3)
    assert server.state.errors == 0
    text = server.metrics.exposition().decode()
    assert 'modelyard_server_candidate_failures_total{model="forest",version="8"} 3.0' in text


async def test_a_request_that_nobody_can_answer_does_not_count_against_the_canary() -> None:
    picky = Constant(ValueError("these rows are not taken"))
    server = Server(picky, picky, TrialMode.CANARY, percent=100)
    assert (await server.ask())[0] == 422
    assert (server.candidate.requests, server.candidate.errors) == (0, 0)


NOT_A_NUMBER = Constant(Answer(np.full(1, np.nan)))


@pytest.mark.parametrize("champion", [NOT_A_NUMBER, Constant(ValueError("no"))])
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_champion_without_an_answer_where_the_version_before_has_one_is_at_fault(
    champion: Predictor, *, at_once: bool
) -> None:
    server = Server(champion, TWOS, TrialMode.CANARY, percent=1)
    counts = await server.unanswered(before=ONES, at_once=at_once)
    assert (counts.requests, counts.errors) == (3, 3)


@pytest.mark.parametrize("before", [NOT_A_NUMBER, None])
async def test_rows_that_nobody_can_answer_are_no_fault_of_the_champion(before: Predictor | None) -> None:
    server = Server(NOT_A_NUMBER, TWOS, TrialMode.CANARY, percent=1)
    for at_once in (True, False):
        counts = await server.unanswered(before, at_once=at_once)
        assert counts.errors == 0


async def test_a_version_that_is_asked_for_by_its_number_answers_whatever_the_share() -> None:
    server = Server(ONES, TWOS, TrialMode.CANARY, percent=100)
    body = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}
    answer = await server.client.post("/v2/models/forest/versions/7/infer", json=body)
    assert answer.headers["x-modelyard-model-version"] == "7"


async def test_a_shadow_is_compared_off_the_path_of_the_request() -> None:
    server = Server(ONES, TWOS, TrialMode.SHADOW, percent=50)
    assert [await server.ask() for _ in range(10)] == [(200, "7")] * 10
    await server.application.trials.idle()
    counts = server.candidate
    assert (counts.role, counts.requests, counts.compared, counts.disagreed) == (Role.SHADOW, 5, 5, 5)


async def test_answers_of_the_champion_that_take_too_long_are_counted() -> None:
    server = Server(ONES, TWOS, TrialMode.SHADOW, percent=1)
    assert server.state.serving is not None
    await server.ask()
    server.state.serving = replace(server.state.serving, slow_seconds=0.0)
    await server.ask()
    champion = server.state.route_state().counts[0]
    assert (champion.requests, champion.slow) == (2, 1)


async def test_a_shadow_that_breaks_disagrees_and_nobody_notices() -> None:
    server = Server(ONES, Constant(RuntimeError("crash")), TrialMode.SHADOW, percent=100)
    assert await server.ask() == (200, "7")
    await server.application.trials.idle()
    counts = server.candidate
    assert (counts.errors, counts.compared, counts.disagreed) == (1, 1, 1)


@pytest.mark.parametrize(
    ("ours", "theirs", "tolerance", "same"),
    [
        (np.array([1.0, 2.0]), np.array([1.05, 2.5]), 0.1, [True, False]),
        (np.array([0.0]), np.array([0.0]), 0.0, [True]),
        (np.array([1.0]), np.array([np.nan]), 0.5, [False]),
        (np.array(["a", "b"]), np.array(["a", "c"]), 0.5, [True, False]),
        (np.array([1, 2]), np.array([1, 3]), 0.9, [True, False]),
        (np.array([1.0, 2.0]), np.array([1.0]), 0.5, [False, False]),
    ],
)
def test_labels_agree_when_they_are_equal_and_numbers_when_they_are_close(
    ours: np.ndarray,
    theirs: np.ndarray,
    tolerance: float,
    same: list[bool],
) -> None:
    assert agree(ours, theirs, tolerance).tolist() == same
