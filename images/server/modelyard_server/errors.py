"""Errors of the server: those of a request carry their HTTP status, those of a bundle say whether to try again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

Header = tuple[bytes, bytes]


class RequestError(Exception):
    """A request that is not answered with a prediction. The message names what is wrong and what to do."""

    def __init__(
        self,
        message: str,
        status: int = HTTPStatus.BAD_REQUEST,
        headers: Sequence[Header] = (),
        columns: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = int(status)
        self.headers = tuple(headers)
        self.columns = dict(columns or {})
        """What is wrong by the name of the column, where it is columns that are wrong."""


class UnansweredError(RequestError):
    """Rows that fit the signature and that the model has no answer to, or none that is a number."""

    def __init__(self, message: str) -> None:
        super().__init__(message, HTTPStatus.UNPROCESSABLE_ENTITY)


class OverloadedError(RequestError):
    """More is asked for than the server holds at once; the client may come back in a second."""

    def __init__(self, message: str) -> None:
        super().__init__(message, HTTPStatus.SERVICE_UNAVAILABLE, [(b"retry-after", b"1")])


class NotReadyError(RequestError):
    """No champion is warm yet, or the server is about to stop."""

    def __init__(self, message: str) -> None:
        super().__init__(message, HTTPStatus.SERVICE_UNAVAILABLE, [(b"retry-after", b"2")])


class BundleError(Exception):
    """A bundle that will never be served: changed, of another format, or holding what is not allowed."""
