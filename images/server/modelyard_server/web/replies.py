"""Whole answers, ready to be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from modelyard_server.dataplane import encode
from modelyard_server.dialects.base import Dialect
from modelyard_server.errors import Header, RequestError
from modelyard_server.serving import ServedModel
from modelyard_server.web.asgi import JSON

_OK = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, body and what the head says beyond its length."""

    status: int
    body: bytes
    headers: Sequence[Header] = ()
    content_type: bytes = JSON

    @property
    def code(self) -> str:
        """The status as metrics name it."""
        return "200" if self.status == _OK else str(self.status)


Turn = Callable[[bytes], Reply]
"""Answers the body of a request whose head was read; it never fails."""


def answered(served: ServedModel, body: bytes) -> Reply:
    """Predictions, and which version made them."""
    return Reply(_OK, body, (served.header,))


def refused(dialect: Dialect, error: RequestError) -> Reply:
    """What is wrong with a request."""
    return Reply(error.status, encode(dialect.refuse(error)), error.headers)


def broken(dialect: Dialect) -> Reply:
    """A fault of the server, whose inside is nobody's business."""
    status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
    return refused(dialect, RequestError("the server failed to answer this request", status))
