"""Heads that come again are not parsed again, and what comes with them is answered as ever; alone, or with others."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from modelyard_server.keys import Keyring
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import Serving
from modelyard_server.state import ServerState
from modelyard_server.web.application import Application
from modelyard_server.web.guarding import Guard, KeyMetrics
from modelyard_server.web.lane import Known, Lane
from tests.support.predictors import Constant, served
from tests.support.wires import (
    BODY,
    KEY,
    NAMED,
    ORDINARY,
    PLAIN,
    Response,
    application,
    connected,
    request,
)


class Silent:
    """A parser that is never to be asked."""

    def feed_data(self, data: bytes) -> None:
        raise AssertionError(f"{data!r} was parsed")


async def test_a_head_that_was_read_before_is_not_parsed_again() -> None:
    protocol, wire = connected(application()[0])
    protocol.data_received(request())
    first, wire.sent = Response(wire.sent), b""
    protocol.parser = Silent()  # type: ignore[assignment]
    protocol.data_received(request(body=BODY.replace(b"1.0", b"7.0")))
    again = Response(wire.sent)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers[b"x-request-id"] != first.headers[b"x-request-id"]
    with pytest.raises(AssertionError, match="was parsed"):
        protocol.data_received(request(headers=[*ORDINARY, NAMED]))


@pytest.mark.parametrize(
    "pieces",
    [
        [request()[:-1], request()[-1:]],
        [request() + request()],
        [request() + request()[:50], request()[50:]],
        [b"\r\n" + request(), request()],
    ],
    ids=["in two pieces", "two at once", "one and a half", "behind an empty line"],
)
async def test_requests_with_a_known_head_are_answered_however_they_are_cut(pieces: list[bytes]) -> None:
    app, state = application()
    protocol, wire = connected(app)
    protocol.data_received(request())
    wire.sent = b""
    for piece in pieces:
        protocol.data_received(piece)
    wanted = b"".join(pieces).count(b"POST")
    assert wire.sent.count(b"HTTP/1.1 200 OK") == wanted
    assert state.requests == wanted + 1


async def test_a_known_head_with_a_body_of_another_length_is_parsed() -> None:
    protocol, wire = connected(application()[0])
    protocol.data_received(request())
    wire.sent = b""
    protocol.data_received(request() + b"GARBAGE\r\n\r\n")
    assert wire.sent.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 400" in wire.sent
    assert wire.closed


async def test_a_known_head_meets_the_model_and_the_keys_of_the_moment(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text(KEY)
    app, state = application()
    now = [0.0]
    guard = Guard(app, Keyring(tmp_path, lambda: now[0]), KeyMetrics(ServerMetrics().registry))
    protocol, wire = connected(guard)
    known = request(headers=[*ORDINARY, ("X-API-Key", KEY)])

    def told() -> Response:
        wire.sent = b""
        protocol.data_received(known)
        return Response(wire.sent)

    assert told().status == 200
    assert state.serving is not None
    other = served(Constant(Answer(np.array([2.5]))), version="8")
    state.serving = Serving(state.serving.route, other)
    assert (told().headers[b"x-modelyard-model-version"], b"2.5" in wire.sent) == (b"8", True)
    (tmp_path / "shop").write_text(KEY[::-1])
    now[0] += 60.0
    assert told().status == 401


async def test_remembered_heads_hold_no_model_that_is_not_served_any_more() -> None:
    app, state = application()
    protocol, _ = connected(app)
    protocol.data_received(request())
    assert state.serving is not None
    old = weakref.ref(state.serving.champion)
    state.serving = Serving(state.serving.route, served(Constant(Answer(np.array([2.5]))), version="8"))
    gc.collect()
    assert old() is None


def test_no_more_heads_are_remembered_than_fit_and_none_that_is_long() -> None:
    app, _ = application()
    lane, way = Lane(app), app.way("/predict", PLAIN)
    assert way is not None
    for number in range(2000):
        lane.learn(b"%d" % number, Known(way, 1))
    assert 0 < len(lane.known) <= 512
    before = len(lane.known)
    lane.learn(b"x" * 5000, Known(way, 1))
    assert len(lane.known) == before


async def test_a_connection_that_only_brought_known_heads_is_closed_when_it_rested_for_too_long() -> None:
    protocol, wire = connected(application()[0])
    protocol.data_received(request())
    clock = protocol.timeout_keep_alive_task
    assert clock is not None
    protocol.data_received(request())
    assert protocol.timeout_keep_alive_task is clock, "it runs on, so that a request costs no clock"
    protocol.timeout_keep_alive_handler()
    assert not wire.closed, "it was used since the clock was set"
    protocol.timeout_keep_alive = 0
    protocol.timeout_keep_alive_handler()
    assert wire.closed


@dataclass
class Adding:
    """The sum of each row, and how many rows each call had."""

    calls: list[int] = field(default_factory=list)
    gives_probabilities: bool = False

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        del probabilities
        self.calls.append(len(matrix))
        if (matrix < 0).any():
            raise ValueError("a row is negative")
        return Answer(matrix.sum(axis=1))


def gathering() -> tuple[Adding, Application, ServerState]:
    adding = Adding()
    app, state = application(adding)
    assert state.serving is not None
    champion = state.serving.champion
    gathers = replace(champion, model=replace(champion.model, gathers=True))
    state.serving = Serving(state.serving.route, gathers)
    return adding, app, state


def summing(value: float) -> bytes:
    return request(body=BODY.replace(b"1.0", f"{value:.1f}".encode()))


async def test_rows_of_several_connections_are_asked_together_on_the_short_way() -> None:
    adding, app, state = gathering()
    lines = [connected(app) for _ in range(4)]
    for place, (protocol, _) in enumerate(lines):
        protocol.data_received(summing(float(place)))
    assert not any(wire.sent for _, wire in lines)
    await asyncio.sleep(0)
    assert adding.calls == [4]
    for place, (_, wire) in enumerate(lines):
        assert f'"predictions":[{5.0 + place}]'.encode() in wire.sent
    assert state.requests == 4


async def test_a_row_that_the_model_does_not_take_spoils_no_other_of_the_short_way() -> None:
    adding, app, _ = gathering()
    (one, good), (other, bad) = connected(app), connected(app)
    one.data_received(summing(1.0))
    other.data_received(summing(-1.0).replace(b"-1.0,", b" -1,"))
    await asyncio.sleep(0)
    assert adding.calls == [2, 1, 1]
    assert (Response(good.sent).status, Response(bad.sent).status) == (200, 422)


async def test_what_comes_behind_a_gathered_request_has_it_answered_first() -> None:
    adding, app, _ = gathering()
    protocol, wire = connected(app)
    protocol.data_received(summing(1.0) + summing(2.0) + b"GARBAGE\r\n\r\n")
    assert adding.calls == [1, 1]
    assert wire.sent.index(b"[6.0]") < wire.sent.index(b"[7.0]") < wire.sent.index(b"HTTP/1.1 400")


async def test_a_server_that_stops_answers_what_it_gathered_and_then_closes() -> None:
    _, app, _ = gathering()
    protocol, wire = connected(app)
    protocol.data_received(summing(1.0))
    assert not protocol.rests, "it would be closed in favour of another connection"
    protocol.shutdown()
    assert Response(wire.sent).headers[b"connection"] == b"close"
    assert wire.closed
