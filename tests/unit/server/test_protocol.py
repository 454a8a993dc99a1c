"""A connection without a socket: what comes too slowly, too long or too often, and what is never read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from modelyard_server.errors import RequestError
from modelyard_server.web.answering import AnsweringProtocol
from modelyard_server.web.asgi import ClientGoneError, Receive, RequestHead, Scope, Send, read_body, respond
from modelyard_server.web.protocol import BoundedProtocol, WireLimits

LIMITS = WireLimits(
    head_bytes=2000, head_seconds=0.05, message_seconds=0.15, unread_seconds=0.05, connections=2
)
PATIENT = replace(LIMITS, head_seconds=30, message_seconds=60, unread_seconds=30)
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"


class Line(asyncio.Transport):
    """The other end of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.state = "open"

    def write(self, data: Any) -> None:  # noqa: ANN401  bytes of any kind
        self.written += bytes(data)

    def close(self) -> None:
        if self.state == "open":
            self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"

    def is_closing(self) -> bool:
        return self.state != "open"

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  asyncio's own
        del name
        return default

    def pause_reading(self) -> None:
        """Nothing is read here anyway."""

    def resume_reading(self) -> None:
        """Nothing is read here anyway."""


class Host:
    """A server's connections, and an application that answers how many bytes it was sent."""

    def __init__(self, limits: WireLimits = LIMITS) -> None:
        self.limits = limits
        self.let = asyncio.Event()
        self.let.set()
        self.gone = 0
        self._config = uvicorn.Config(
            self._answer, log_config=None, lifespan="off", interface="asgi3", timeout_keep_alive=30
        )
        self.state = ServerState()

    def connect(self) -> tuple[BoundedProtocol, Line]:
        kind = type("Limited", (AnsweringProtocol,), {"limits": self.limits})
        protocol: BoundedProtocol = kind(config=self._config, server_state=self.state, app_state={})
        line = Line()
        protocol.connection_made(line)
        return protocol, line

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(RequestHead.of(scope), receive, 1_000_000)
        except ClientGoneError:
            self.gone += 1
            return
        except RequestError as error:
            await respond(send, error.status, b"{}")
            return
        await self.let.wait()
        await respond(send, 200, str(len(body)).encode())


async def soon(holds: Callable[[], object]) -> None:
    """Waits until something holds."""

    async def ask() -> None:
        while not holds():  # noqa: ASYNC110  what a protocol did is no event
            await asyncio.sleep(0)

    await asyncio.wait_for(ask(), 5)


async def past(seconds: float) -> None:
    """Waits until the loop's own timers of this time have fired."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()


def status(line: Line) -> bytes:
    return line.written[9:12]


async def test_a_request_that_comes_at_once_is_answered_and_its_connection_stays() -> None:
    host = Host()
    protocol, line = host.connect()
    for _ in range(3):
        line.written = b""
        protocol.data_received(HEAD + b"0123456789")
        await soon(lambda: line.written.endswith(b"10"))
        assert status(line) == b"200"
    await past(3 * LIMITS.head_seconds)
    assert line.state == "open"


async def test_a_head_that_comes_byte_by_byte_is_refused_with_408() -> None:
    protocol, line = Host().connect()
    protocol.data_received(b"POST /predict HT")
    await soon(line.is_closing)
    assert status(line) == b"408"
    assert b"did not come whole within 0.05 s" in line.written
    protocol.data_received(b"TP/1.1\r\n\r\n")


async def test_a_body_that_does_not_end_is_refused_with_408_and_its_request_is_given_up() -> None:
    host = Host()
    protocol, line = host.connect()
    start = asyncio.get_running_loop().time()
    protocol.data_received(HEAD + b"0123")
    await soon(line.is_closing)
    assert asyncio.get_running_loop().time() - start >= LIMITS.message_seconds - 0.01
    assert status(line) == b"408"
    protocol.connection_lost(None)
    await soon(lambda: host.gone == 1)


async def test_a_body_that_goes_on_slowly_after_its_answer_gets_no_second_one() -> None:
    protocol, line = Host().connect()
    protocol.data_received(HEAD.replace(b": 10", b": 9000000") + b"0123")
    await soon(lambda: line.written)
    assert status(line) == b"413"
    await soon(line.is_closing)
    assert line.written.count(b"HTTP/1.1") == 1


async def test_a_request_may_take_less_time_than_a_head_might() -> None:
    protocol, line = Host(replace(PATIENT, message_seconds=0.05)).connect()
    protocol.data_received(HEAD + b"0123")
    await soon(line.is_closing)
    assert b"did not come whole within 0.05 s" in line.written


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n\r\n"])
async def test_a_connection_that_never_begins_to_ask_is_closed(sent: bytes) -> None:
    protocol, line = Host().connect()
    protocol.data_received(sent)
    await soon(line.is_closing)
    assert line.written == b""


async def test_empty_lines_after_an_answer_do_not_keep_a_connection() -> None:
    protocol, line = Host().connect()
    protocol.data_received(HEAD + b"0123456789")
    await soon(lambda: line.written)
    protocol.data_received(b"\r\n")
    await soon(line.is_closing)
    assert status(line) == b"200"


@pytest.mark.parametrize(
    ("pieces", "ended"),
    [(1, True), (100, True), (100, False)],
    ids=["at once", "in pieces", "without an end"],
)
async def test_a_head_that_is_too_long_is_refused_with_431(pieces: int, ended: bool) -> None:  # noqa: FBT001
    protocol, line = Host(PATIENT).connect()
    head = b"GET /predict HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * 3000 + (b"\r\n\r\n" if ended else b"")
    size = -(-len(head) // pieces)
    for start in range(0, len(head), size):
        protocol.data_received(head[start : start + size])
    assert line.state == "closed"
    assert status(line) == b"431"
    assert line.written.count(b"HTTP/1.1") == 1


async def test_a_long_body_beside_a_short_head_is_no_long_head() -> None:
    protocol, line = Host(PATIENT).connect()
    protocol.data_received(HEAD.replace(b": 10", b": 5000") + b"0" * 5000)
    await soon(lambda: line.written)
    assert line.written.endswith(b"5000")


async def test_a_request_behind_one_that_is_being_answered_is_not_blamed_for_waiting() -> None:
    host = Host()
    host.let.clear()
    protocol, line = host.connect()
    protocol.data_received(HEAD + b"0123456789" + HEAD[:20])
    await past(4 * LIMITS.head_seconds)
    assert (line.state, line.written) == ("open", b"")
    host.let.set()
    await soon(lambda: line.written)
    assert status(line) == b"200"


async def test_an_answer_that_nobody_reads_ends_its_connection() -> None:
    protocol, line = Host().connect()
    protocol.pause_writing()
    await soon(lambda: line.state == "aborted")


async def test_an_answer_that_is_read_slowly_but_read_does_not() -> None:
    protocol, line = Host().connect()
    protocol.data_received(HEAD + b"0123456789")
    await soon(lambda: line.written)
    protocol.pause_writing()
    protocol.resume_writing()
    await past(2 * LIMITS.unread_seconds)
    assert line.state == "open"


async def test_one_connection_too_many_takes_the_place_of_the_one_that_rests_longest() -> None:
    host = Host(PATIENT)
    first, second, third = (host.connect() for _ in range(3))
    assert [line.state for _, line in (first, second, third)] == ["closed", "open", "open"]


async def test_one_connection_too_many_is_refused_where_all_others_are_at_work() -> None:
    host = Host(PATIENT)
    busy = [host.connect() for _ in range(2)]
    for protocol, _ in busy:
        protocol.data_received(HEAD)
    _, line = host.connect()
    assert (line.state, status(line)) == ("closed", b"503")
    assert b"retry-after: 1" in line.written
    assert all(held.state == "open" for _, held in busy)
