"""uvicorn's HTTP protocol with the limits that it leaves out: how long and how large a request may be on its way in.

A client that sends nothing, sends slowly or does not read its answer keeps a connection for a bounded time, and there are
so many connections at most.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEADER_EXTRA = 4
"""Bytes of a header line besides its name and its value."""


@dataclass(frozen=True)
class WireLimits:
    """Bounds of connections and of requests on their way in."""

    head_bytes: int = 64 * 1024
    head_seconds: float = 15.0
    """From the first byte of a head to its last; also until the first byte of a connection."""
    message_seconds: float = 60.0
    """From the first byte of a request to its last, its head included."""
    unread_seconds: float = 30.0
    """For which an answer may wait for its client to read on."""
    connections: int = 2048

    @property
    def first_seconds(self) -> float:
        """For a head."""
        return min(self.head_seconds, self.message_seconds)


class BoundedProtocol(HttpToolsProtocol):
    """Refuses requests that do not end with 408, heads that do not with 431, and one connection too many with 503."""

    limits = WireLimits()
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _began = 0.0
    _chunk = 0
    _head_bytes = 0
    _in_head = False
    _in_message = False
    _handed_on = False
    """Whether the application has the request that is being read."""
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock: a connection must bring a request."""
        super().connection_made(transport)
        self._began = self.loop.time()
        if len(self.connections) > self.limits.connections and not self._make_room():
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many connections; try again")
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks."""
        self._disarm()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts the bytes of the head, and times whatever did not come whole."""
        if self._refused:
            return
        self._chunk = len(data)
        if self._in_head:
            self._head_bytes += self._chunk
        super().data_received(data)
        if self._in_head and self._head_bytes > self.limits.head_bytes:
            self._refuse_head()
        self._watch()

    def on_message_begin(self) -> None:
        """A request starts."""
        self._in_head = self._in_message = True
        self._handed_on = False
        self._head_bytes = 0
        self._began = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head = False
        # What came in one piece is only added up where it could be too much.
        if (
            self._head_bytes + self._chunk > self.limits.head_bytes
            and self._head_size() > self.limits.head_bytes
        ):
            self._refuse_head()
        elif not self._refused:
            self.hand_on()

    def hand_on(self) -> None:
        """The application gets the request, whose head is whole and within its bounds."""
        self._handed_on = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """It is whole."""
        self._in_message = False
        if not self._refused:
            super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered: it gets some time for it."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.unread_seconds, self._abort)

    def resume_writing(self) -> None:
        """It has read on."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    @property
    def _answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    @property
    def _at_rest(self) -> bool:
        """Whether nothing is being asked or answered."""
        return not self._in_message and not self._answering

    def _watch(self) -> None:
        """Keeps a clock where something is awaited for which uvicorn has none."""
        awaited = self._in_message or (self._at_rest and self.timeout_keep_alive_task is None)
        if not awaited or self._refused:
            self._disarm()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.first_seconds, self._look)

    def _look(self) -> None:
        """The time of a head is over."""
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._at_rest:
            # It never began to ask, so there is nothing to answer.
            self.transport.close()
            return
        allowed = self.limits.first_seconds if self._in_head else self.limits.message_seconds
        left = self._began + allowed - self.loop.time()
        if self._is_behind_another():
            # It is the server that does not read on, until the request before is answered.
            left = allowed
        if left > 0:
            self._deadline = self.loop.call_later(left, self._look)
        elif self._in_message:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the request did not come whole within {allowed:g} s; send it again",
            )

    def _is_behind_another(self) -> bool:
        return self._answering and (self._in_head or bool(self.pipeline))

    def _make_room(self) -> bool:
        """Whether a connection that rests longest could be closed in favour of a new one."""
        resting = [
            each
            for each in self.connections
            if isinstance(each, BoundedProtocol) and each is not self and each.rests
        ]
        if not resting:
            return False
        min(resting, key=lambda each: each.began).transport.close()
        return True

    @property
    def rests(self) -> bool:
        """Whether the connection could be closed without a loss."""
        return self._at_rest and not self.transport.is_closing()

    @property
    def began(self) -> float:
        """When its last request began, or it itself where it brought none."""
        return self._began

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _HEADER_EXTRA for name, value in self.headers)

    def _refuse_head(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the head of the request is longer than {self.limits.head_bytes} bytes; send fewer or shorter headers",
        )

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Answers in place of the application and closes; only closes where an answer is on its way."""
        self._refused = True
        self._disarm()
        if self.transport.is_closing():
            return
        if not (self.cycle.response_started if self._handed_on else self._answering):
            body = json.dumps({"error": message}).encode()
            again = "retry-after: 1\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n{again}connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()

    def _abort(self) -> None:
        self._unread = None
        self.transport.abort()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
