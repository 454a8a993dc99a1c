"""The short way of a request that is answered where it is read.

uvicorn makes a scope, a cycle with an event and a task for every request, which together cost several times what a small
model does. A short POST of JSON to a light model needs none of them: it is answered when its last byte is there. Whatever is
in any way out of the ordinary goes the long way, through the ASGI application, which answers the same.

Clients send the same head with every request, or one that differs in the length of the body. Heads of the short way are
remembered to the byte with what they were found to mean, so that they are parsed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol

from modelyard_server.errors import Header
from modelyard_server.web.asgi import BINARY, JSON, Receive, Scope, Send
from modelyard_server.web.replies import Reply, Turn

INLINE_BYTES = 16 * 1024
"""A longer body takes longer to read than a light model to answer it; it goes to a thread."""
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_SPECIAL = frozenset(
    {b"content-encoding", b"expect", b"transfer-encoding", b"upgrade", b"connection", BINARY}
)
"""Headers that change how a request is read."""
_MOST_DIGITS = 5


_MOST_KNOWN = 512
_LONGEST_KNOWN = 4096


class Way(Protocol):
    """How requests with one head are answered on the short way."""

    def turn(self) -> Turn | None:
        """What answers the next of them right where it is read; None where it takes the long way this time."""
        ...

    def hurry(self) -> None:
        """Has those answered that wait for others of the same turn of the loop."""
        ...


class Replying(Protocol):
    """An ASGI application that answers some requests at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request on the long way, or the life of the application."""
        ...

    def way(self, path: str, headers: Sequence[Header]) -> Way | None:
        """The short way of requests with this head, its names in lower case; None where they take the long way, always."""
        ...


class Known(NamedTuple):
    """A head that was read before."""

    way: Way
    length: int
    """Of the body."""


class Lane:
    """The short way of a server, with the heads that are known on it."""

    def __init__(self, replying: Replying) -> None:
        self.replying = replying
        self.known: dict[bytes, Known] = {}

    def learn(self, head: bytes, known: Known) -> None:
        """Remembers a head. Where every request has another, none is remembered for long."""
        if len(head) > _LONGEST_KNOWN:
            return
        if len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        self.known[head] = known


def short_enough(headers: Sequence[Header], most: int = INLINE_BYTES) -> bool:
    """Whether a head, its names in lower case, announces JSON of at most so many bytes and nothing else."""
    plain = bounded = False
    for name, value in headers:
        if name == b"content-type":
            plain = value == JSON
        elif name == b"content-length":
            bounded = len(value) <= _MOST_DIGITS and value.isdigit() and int(value) <= most
        elif name in _SPECIAL and not (name == b"connection" and value.lower() == b"keep-alive"):
            return False
    return plain and bounded


def message(reply: Reply, defaults: Sequence[Header], *, close: bool) -> bytes:
    """A whole response as it goes over the wire; ``defaults`` are the server's own headers."""
    lines = b"".join([b"%b: %b\r\n" % header for header in (*defaults, *reply.headers)])
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b" % (
        reply.status,
        _REASONS.get(reply.status, b""),
        reply.content_type,
        len(reply.body),
        lines,
        b"connection: close\r\n" if close else b"",
        reply.body,
    )
