"""One pool of connections that asks at a bounded rate, counts what fails, and keeps what was answered by which version.

Nothing is sent twice but for one case: a connection that a pod took with it when it was removed is made anew, and what was
asked on it is asked again, while `Removals` says that a pod is being removed.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

VERSION = b"x-modelyard-model-version"
_PATIENCE = 10.0
"""Seconds for one answer."""
_AFTERMATH = 5.0
"""Seconds after a pod is gone in which a connection to it may still turn out to be dead."""
_PAUSE = 0.05
_BURST_SECONDS = 0.1
_KEPT_FAILURES = 50


class Removals:
    """When pods are being removed; set by whoever removes them."""

    def __init__(self) -> None:
        self._open = 0
        self._closed_at = float("-inf")

    @contextmanager
    def one(self) -> Iterator[None]:
        """The time of a removal."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._closed_at = time.monotonic()

    @property
    def under_way(self) -> bool:
        """Whether a connection may be lost to one."""
        return self._open > 0 or time.monotonic() - self._closed_at < _AFTERMATH


@dataclass
class Tally:
    """What became of the requests."""

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Requests without a good answer, by what went wrong."""
    failures: list[str] = field(default_factory=list)
    """The first of them, in words."""
    re_established: int = 0
    """Requests asked once more because the pod that had them was removed."""
    connections: int = 0
    seconds: array[float] = field(default_factory=lambda: array("d"))
    """How long each answer took."""
    versions: Counter[str] = field(default_factory=Counter)
    answers: dict[tuple[str, int], Counter[bytes]] = field(default_factory=dict)
    """How often each body came, by version and number of the request's body."""

    @property
    def asked(self) -> int:
        """Requests that are over."""
        return self.answered + self.failed.total()

    def take(self, number: int, answer: Answer, seconds: float) -> None:
        """Counts a whole answer."""
        if answer.status != 200:
            self.fail(f"status {answer.status}", answer.body[:200].decode(errors="replace"))
        elif len(answer.versions) != 1:
            self.fail("not one version", f"{answer.versions!r}")
        else:
            version = answer.versions[0].decode()
            self.answered += 1
            self.seconds.append(seconds)
            self.versions[version] += 1
            self.answers.setdefault((version, number), Counter())[answer.body] += 1

    def fail(self, kind: str, words: str) -> None:
        """Counts a request without a good answer."""
        self.failed[kind] += 1
        if len(self.failures) < _KEPT_FAILURES:
            self.failures.append(f"{time.strftime('%H:%M:%S')} {kind}: {words}")


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    versions: list[bytes]
    """Every version that it names in its head."""
    body: bytes
    last: bool
    """Whether the server closes the connection after it."""


class LostError(Exception):
    """A connection ended with a request on it, or could not be made."""


@dataclass(frozen=True)
class Load:
    """What is asked of whom."""

    host: str
    port: int
    path: str
    bodies: Sequence[bytes]
    rate: float
    """Requests a second at most."""
    connections: int


class Pool:
    """Connections that share one schedule. Runs in one event loop."""

    def __init__(self, load: Load, removals: Removals, tally: Tally) -> None:
        self.tally = tally
        self._load = load
        self._removals = removals
        self._requests = [_request(load, body) for body in load.bodies]
        self._sent = 0
        self._due = 0.0

    async def ask(self, goes_on: Callable[[int], bool]) -> None:
        """Asks for as long as ``goes_on`` says of the number of requests sent; returns when all are over."""
        self._due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._load.connections):
                group.create_task(self._connection(goes_on))

    async def _connection(self, goes_on: Callable[[int], bool]) -> None:
        line = _Line(self._load.host, self._load.port, self.tally)
        try:
            while goes_on(self._sent):
                number = self._sent
                self._sent += 1
                # What a slow answer held up is not made up for: the rate is a bound.
                self._due = max(self._due + 1 / self._load.rate, time.monotonic() - _BURST_SECONDS)
                early = self._due - time.monotonic()
                if early > 0:
                    await asyncio.sleep(early)
                await self._one(line, number % len(self._requests))
        finally:
            line.close()

    async def _one(self, line: _Line, number: int) -> None:
        start = time.monotonic()
        again = False
        while True:
            try:
                answer = await asyncio.wait_for(line.ask(self._requests[number]), _PATIENCE)
            except (LostError, TimeoutError) as error:
                line.close()
                if not self._removals.under_way or time.monotonic() - start > 2 * _PATIENCE:
                    self.tally.fail("no answer", repr(error))
                    return
                self.tally.re_established += not again
                again = True
                await asyncio.sleep(_PAUSE)
                continue
            self.tally.take(number, answer, time.monotonic() - start)
            if answer.last:
                line.close()
            return


class _Line:
    """One connection, made when it is needed."""

    def __init__(self, host: str, port: int, tally: Tally) -> None:
        self._host = host
        self._port = port
        self._tally = tally
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """The answer to a request. Raises LostError."""
        try:
            if self._streams is not None and self._streams[0].at_eof():
                # It was closed while nothing was asked on it, as any server may.
                self.close()
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
                self._tally.connections += 1
            reader, writer = self._streams
            writer.write(request)
            await writer.drain()
            return await _answer(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise LostError(repr(error)) from error

    def close(self) -> None:
        """Lets the connection go."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    length = int(next(value for name, value in fields if name == b"content-length"))
    return Answer(
        status=int(first.split(b" ")[1]),
        versions=[value for name, value in fields if name == VERSION],
        body=await reader.readexactly(length),
        last=(b"connection", b"close") in fields,
    )


def _request(load: Load, body: bytes) -> bytes:
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: {load.host}:{load.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
