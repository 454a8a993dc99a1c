"""Whole answers, ready to be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from modelyard_server.dataplane import encode
from modelyard_server.dialects.base import Dialect
from modelyard_server.errors import Header, RequestError
from modelyard_server.serving import ServedModel
from modelyard_server.web.asgi import JSON, REQUEST_ID

_OK = 200


class Reply(NamedTuple):
    """Status, body and what the head says beyond its length."""

    status: int
    body: bytes
    headers: Sequence[Header] = ()
    content_type: bytes = JSON

    @property
    def code(self) -> str:
        """The status as metrics name it."""
        return "200" if self.status == _OK else str(self.status)


Deliver = Callable[[Reply], None]
Turn = Callable[[bytes, Deliver], None]
"""Answers the body of a request whose head was read, at once or when this turn of the loop is over; it never fails."""


def answered(served: ServedModel, body: bytes, request_id: str) -> Reply:
    """Predictions, which version made them, and the name under which they are logged."""
    return Reply(_OK, body, (served.header, (REQUEST_ID, request_id.encode("ascii"))))


def refused(dialect: Dialect, error: RequestError, request_id: str | None = None) -> Reply:
    """What is wrong with a request."""
    headers = (
        error.headers if request_id is None else (*error.headers, (REQUEST_ID, request_id.encode("ascii")))
    )
    return Reply(error.status, encode(dialect.refuse(error)), headers)


def broken(dialect: Dialect, request_id: str) -> Reply:
    """A fault of the server, whose inside is nobody's business."""
    status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
    error = RequestError("the server failed to answer this request", status)
    return refused(dialect, error, request_id)
