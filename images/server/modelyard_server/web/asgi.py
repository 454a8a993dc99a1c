"""The few pieces of ASGI that the hot routes need: a body within limits, and a response in two messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import Any
from uuid import uuid4

from modelyard_server.errors import Header, RequestError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
BINARY = b"inference-header-content-length"
"""Header of a body in which binary data follow the JSON."""
REQUEST_ID = b"x-request-id"
REQUEST_ID_CHARACTERS = 128
"""A longer name of a request is not used; it gets one of the server's."""
_SHOWN = 60


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete; nobody reads an answer."""


@dataclass(frozen=True)
class RequestHead:
    """What is known of a body before it comes."""

    content_type: bytes
    content_encoding: bytes
    content_length: int | None
    json_length: int | None = None
    """Length of the JSON where binary data follow it."""

    @classmethod
    def of(cls, scope: Scope) -> RequestHead:
        """Reads the headers of a request."""
        found = dict(scope["headers"])
        length, json_length = found.get(b"content-length", b""), found.get(BINARY)
        if json_length is not None and not json_length.isdigit():
            raise RequestError("the header Inference-Header-Content-Length is not a number of bytes")
        return cls(
            content_type=found.get(b"content-type", b""),
            content_encoding=found.get(b"content-encoding", b""),
            content_length=int(length) if length.isdigit() else None,
            json_length=None if json_length is None else int(json_length),
        )

    def demand_json(self, *, may_be_unsaid: bool = False) -> None:
        """Raises RequestError 415 for anything but plain JSON.

        ``may_be_unsaid``: whether a client need not say so, as those of the Open Inference Protocol do not.
        """
        kind = self.content_type.partition(b";")[0].strip().lower()
        if kind != JSON and not (may_be_unsaid and not kind):
            given = self.content_type[:_SHOWN].decode("latin-1") or "none"
            raise RequestError(
                f"the content type is {given}; send JSON with the header Content-Type: application/json",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        if self.content_encoding not in (b"", b"identity"):
            given = self.content_encoding[:_SHOWN].decode("latin-1")
            raise RequestError(
                f"the content encoding is {given}; send the body as it is", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            )


def demand_post(scope: Scope) -> None:
    """Raises RequestError 405 for any other method."""
    if scope["method"] != "POST":
        raise RequestError(
            f"{scope['path']} is asked with POST", HTTPStatus.METHOD_NOT_ALLOWED, [(b"allow", b"POST")]
        )


async def read_body(head: RequestHead, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises RequestError 413 as soon as it is known to be longer than ``limit`` bytes."""
    if head.content_length is not None and head.content_length > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return chunk if not chunks else b"".join((*chunks, chunk))
        chunks.append(chunk)


async def respond(
    send: Send, status: int, body: bytes, content_type: bytes = JSON, headers: Sequence[Header] = ()
) -> None:
    """Sends a whole response."""
    fields = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


class RequestIds:
    """Names for requests that bring none: no two processes give the same, and a name costs next to nothing."""

    def __init__(self) -> None:
        self._process = uuid4().hex[:16]
        self._numbers = count(1)

    def name(self, given: bytes) -> str:
        """The client's name for the request, else a new one."""
        return given.decode("ascii") if given else f"{self._process}-{next(self._numbers):x}"


def given_id(headers: Iterable[Header]) -> bytes:
    """What the client calls its request, if it can be used; else empty. Names of headers are in lower case."""
    return next((value for name, value in headers if name == REQUEST_ID and _usable(value)), b"")


def _usable(name: bytes) -> bool:
    """Whether a name is short and of visible characters, so that it may stand in a header and in a log."""
    if not 0 < len(name) <= REQUEST_ID_CHARACTERS or not name.isascii():
        return False
    return name.decode("ascii").isprintable()


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"the body is longer than {limit} bytes; send fewer rows at a time",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
