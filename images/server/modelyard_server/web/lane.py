"""The short way of a request that is answered where it is read.

uvicorn makes a scope, a cycle with an event and a task for every request, which together cost several times what a small
model does. A short POST of JSON to a light model needs none of them: it is answered when its last byte is there. Whatever is
in any way out of the ordinary goes the long way, through the ASGI application, which answers the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

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


class Replying(Protocol):
    """An ASGI application that answers some requests at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request on the long way, or the life of the application."""
        ...

    def at_once(self, path: str, headers: Sequence[Header]) -> Turn | None:
        """What answers a request with this head at once, its names in lower case; None where it takes the long way."""
        ...


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
    parts = [b"HTTP/1.1 %d %b\r\n" % (reply.status, _REASONS.get(reply.status, b""))]
    parts += [b"%b: %b\r\n" % header for header in defaults]
    parts.append(b"content-type: %b\r\ncontent-length: %d\r\n" % (reply.content_type, len(reply.body)))
    parts += [b"%b: %b\r\n" % header for header in reply.headers]
    parts.append(b"connection: close\r\n\r\n" if close else b"\r\n")
    parts.append(reply.body)
    return b"".join(parts)
