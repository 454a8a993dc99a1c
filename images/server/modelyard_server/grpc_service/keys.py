"""Keys over gRPC: the same as over HTTP, asked for before a message is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import grpc
import grpc.aio

from modelyard_server.errors import Header, RequestError
from modelyard_server.web.guarding import Guard

_CODES = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
_PATHS = {
    "ServerLive": "/v2/health/live",
    "ServerReady": "/v2/health/ready",
    "ServerMetadata": "/v2",
    "ModelReady": "/v2/models/any/ready",
    "Check": "/v2/health/ready",
}
"""Methods that stand for pages which may be open; every other is guarded as a prediction is."""
_PREDICTION = "/v2/models/any/infer"

Continuation = Callable[[Any], Awaitable[Any]]


def code_of(error: RequestError) -> Any:  # noqa: ANN401  grpc has no types
    """The code that says the same as a status of HTTP."""
    return _CODES.get(HTTPStatus(error.status), grpc.StatusCode.INTERNAL)


class KeysInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Lets calls through that need no key or bring one in their metadata, as ``authorization`` or ``x-api-key``."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def intercept_service(self, continuation: Continuation, handler_call_details: Any) -> Any:  # noqa: ANN401
        """See grpc: who handles a call."""
        method = handler_call_details.method.rpartition("/")[2]
        headers = headers_of(handler_call_details.invocation_metadata)
        error = self._guard.check(_PATHS.get(method, _PREDICTION), headers)
        return await continuation(handler_call_details) if error is None else _refusing(error)


def headers_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> list[Header]:
    """Metadata as HTTP has it, names in lower case."""
    return [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in metadata or ()
    ]


def _refusing(error: RequestError) -> Any:  # noqa: ANN401
    async def refuse(_request: bytes, context: Any) -> None:  # noqa: ANN401
        await context.abort(code_of(error), error.message)

    return grpc.unary_unary_rpc_method_handler(refuse)
