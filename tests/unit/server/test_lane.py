"""The short way answers as the long one does, and leaves to it whatever is out of the ordinary."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard_server.keys import Keyring
from modelyard_server.metrics import ServerMetrics
from modelyard_server.monitoring.tap import Tap
from modelyard_server.web.application import Application
from modelyard_server.web.guarding import Guard, KeyMetrics
from modelyard_server.web.lane import short_enough
from tests.support.predictors import Constant
from tests.support.turns import turns_until
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
    sent,
)

HEAVY_SECONDS = 1.0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", BODY),
        ("/predict", b"{"),
        ("/predict", b'{"a": "x", "b": 1, "c": 1}'),
        ("/invocations", b'{"instances": [[1, 2, 3]]}'),
        (
            "/v2/models/forest/infer",
            b'{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}',
        ),
        ("/v2/models/forest/versions/7/infer", b'{"inputs": []}'),
    ],
)
async def test_both_ways_answer_the_same(path: str, body: bytes) -> None:
    headers = [*ORDINARY[:2], ("Content-Length", str(len(body))), NAMED]
    answers = []
    for short in (True, False):
        protocol, wire = connected(application()[0], short=short)
        protocol.data_received(request(path, headers, body))
        assert bool(wire.sent) is short, "the short way answers before it returns"
        answers.append(await sent(wire))
    one, other = answers
    assert (one.status, one.body, one.headers) == (other.status, other.body, other.headers)
    assert one.complete == 1


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("of-somebody-else-1", 401), (KEY, 200)])
@pytest.mark.parametrize("path", ["/predict", "/invocations"])
async def test_both_ways_ask_for_a_key_first(tmp_path: Path, path: str, key: str | None, status: int) -> None:
    (tmp_path / "shop").write_text(KEY)
    headers = [*ORDINARY, NAMED, *([("X-API-Key", key)] if key else [])]
    body = BODY if path == "/predict" else b'{"instances": [[1, 2, 3]]}    '
    answers = []
    for short in (True, False):
        app, state = application()
        metrics = ServerMetrics()
        guard = Guard(app, Keyring(tmp_path), KeyMetrics(metrics.registry))
        protocol, wire = connected(guard, short=short)
        protocol.data_received(request(path, headers, body))
        assert bool(wire.sent) is short
        answers.append(await sent(wire))
        assert state.requests == (status == 200)
        told = metrics.exposition().decode()
        assert ('modelyard_server_key_requests_total{key="shop"} 1.0' in told) is (status == 200)
    one, other = answers
    assert (one.status, one.body, one.headers) == (other.status, other.body, other.headers)
    assert one.status == status


async def test_what_is_answered_on_the_short_way_is_left_to_those_who_look_at_answers() -> None:
    app, state = application()
    assert state.serving is not None
    tap = Tap(1_000_000)
    state.serving = replace(state.serving, champion=replace(state.serving.champion, tap=tap))
    protocol, wire = connected(app)
    found = []
    for named in ((), (NAMED,)):
        wire.sent = b""
        protocol.data_received(request(headers=[*ORDINARY, *named]))
        entries, _ = tap.take()
        found += entries
        assert [entry.request_id.encode() for entry in entries] == [
            Response(wire.sent).headers[b"x-request-id"]
        ]
        assert entries[0].matrix.tolist() == [[1.0, 2.0, 3.0]]
    assert found[1].request_id == "mine"


async def test_a_fault_is_told_as_on_the_long_way() -> None:
    protocol, wire = connected(application(Constant(RuntimeError("secret")))[0])
    protocol.data_received(request())
    assert Response(wire.sent).status == 500
    assert b"secret" not in wire.sent


async def test_a_request_in_pieces_is_answered_when_its_last_byte_is_there() -> None:
    app, state = application()
    protocol, wire = connected(app)
    for byte in request()[:-1]:
        protocol.data_received(bytes([byte]))
    assert not wire.sent
    protocol.data_received(request()[-1:])
    assert Response(wire.sent).status == 200
    assert state.requests == 1


async def test_a_body_beyond_the_limit_is_refused_on_the_long_way() -> None:
    protocol, wire = connected(application(most=len(BODY) - 1)[0])
    protocol.data_received(request())
    assert (await sent(wire)).status == 413


async def test_requests_behind_one_another_are_answered_in_order_also_behind_a_slow_one() -> None:
    protocol, wire = connected(application()[0])
    protocol.data_received(request() + request())
    assert wire.sent.count(b"HTTP/1.1 200 OK") == 2
    wire.sent = b""
    get = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    protocol.data_received(get + request())
    await turns_until(lambda: wire.sent.count(b"HTTP/1.1 200 OK") == 2)
    assert wire.sent.index(b'"live"') < wire.sent.index(b'"predictions"')


@pytest.mark.parametrize(
    "unusual",
    [
        request(line="POST {} HTTP/1.0"),
        request(headers=[*ORDINARY, ("Connection", "close")]),
        request(headers=[*ORDINARY, ("Expect", "100-continue")]),
        request(headers=[*ORDINARY, ("Content-Encoding", "identity")]),
        request(headers=[ORDINARY[0], ("Content-Type", "application/json; charset=utf-8"), ORDINARY[2]]),
        request(
            headers=[*ORDINARY[:2], ("Transfer-Encoding", "chunked")],
            body=b"1e\r\n" + BODY + b"\r\n0\r\n\r\n",
        ),
        request("/predict?x=1"),
    ],
    ids=["HTTP 1.0", "last", "asks first", "encoded", "charset", "chunked", "query"],
)
async def test_what_is_out_of_the_ordinary_takes_the_long_way_and_is_answered(unusual: bytes) -> None:
    protocol, wire = connected(application()[0])
    protocol.data_received(unusual)
    assert not wire.sent
    answer = await sent(wire)
    await turns_until(lambda: b"predictions" in wire.sent)
    assert answer.status in (100, 200)


async def test_a_heavy_model_and_a_server_that_is_about_to_stop_take_the_long_way() -> None:
    def short(app: Application, path: str = "/predict") -> bool:
        way = app.way(path, PLAIN)
        return way is not None and way.turn() is not None

    assert not short(application(seconds=HEAVY_SECONDS)[0])
    app, state = application()
    assert short(app)
    assert not short(app, "/v2/models/other/infer")
    state.draining = True
    assert not short(app)


async def test_a_request_that_is_being_read_when_the_server_stops_is_answered_last() -> None:
    protocol, wire = connected(application()[0])
    protocol.data_received(request()[:-1])
    protocol.shutdown()
    assert not wire.closed
    protocol.data_received(request()[-1:])
    assert Response(wire.sent).headers[b"connection"] == b"close"
    assert wire.closed


async def test_answers_that_nobody_takes_off_are_not_piled_up() -> None:
    protocol, wire = connected(application()[0])
    protocol.pause_writing()
    protocol.data_received(request())
    await asyncio.sleep(0)
    assert not wire.sent
    protocol.resume_writing()
    assert (await sent(wire)).status == 200


@pytest.mark.parametrize("length", [b"", b"-1", b"16385", b"99999999999999999999", b"1_0"])
def test_a_body_that_is_long_or_of_no_length_is_none_for_the_short_way(length: bytes) -> None:
    assert not short_enough([(b"content-type", b"application/json"), (b"content-length", length)])
