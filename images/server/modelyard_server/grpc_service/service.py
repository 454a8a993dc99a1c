"""Answers gRPC beside HTTP, on the same event loop, from the same models."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import grpc
import grpc.aio

from modelyard_server.admission import Admission
from modelyard_server.dataplane import compose, observe, read_document
from modelyard_server.dialects.inference import InferenceDialect, model_metadata, server_metadata
from modelyard_server.errors import NotReadyError, RequestError
from modelyard_server.grpc_service.messages import SERVICE, Messages
from modelyard_server.grpc_service.translating import document_of, fill
from modelyard_server.metrics import ServerMetrics
from modelyard_server.state import ServerState
from modelyard_server.web.application import Application

_PATH = "grpc"
_GRACE_SECONDS = 20.0
_CODES = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
_METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")

_log = logging.getLogger(__name__)


class InferenceService:
    """The six methods of the protocol."""

    def __init__(
        self, application: Application, state: ServerState, metrics: ServerMetrics, admission: Admission
    ) -> None:
        self._application = application
        self._state = state
        self._metrics = metrics
        self._admission = admission
        self._messages = Messages()
        self._dialect = InferenceDialect()
        self._answers: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server,
            "ModelMetadata": self._model,
            "ModelInfer": self._infer,
        }

    @asynccontextmanager
    async def listening(self, port: int, max_bytes: int) -> AsyncIterator[None]:
        """Answers for the time of the block; processes of one pod share the port."""
        options = [("grpc.max_receive_message_length", max_bytes), ("grpc.so_reuseport", 1)]
        server = grpc.aio.server(options=options)
        handlers = {name: self._handler(name) for name in _METHODS}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        server.add_insecure_port(f"0.0.0.0:{port}")
        await server.start()
        try:
            yield
        finally:
            await server.stop(_GRACE_SECONDS)

    def _handler(self, name: str) -> Any:  # noqa: ANN401  grpc has no types
        answer = self._answers[name]

        async def method(request: Any, context: Any) -> Any:  # noqa: ANN401
            try:
                return await answer(request)
            except RequestError as error:
                code = _CODES.get(HTTPStatus(error.status), grpc.StatusCode.INTERNAL)
                await context.abort(code, error.message)
            except Exception:  # noqa: BLE001  whatever it was, the client gets an answer
                _log.exception("a request failed")
                await context.abort(grpc.StatusCode.INTERNAL, "the server failed to answer this request")

        return grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=self._messages.of(f"{name}Request").FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    async def _live(self, request: Any) -> Any:  # noqa: ANN401
        del request
        return self._messages.of("ServerLiveResponse")(live=True)

    async def _ready(self, request: Any) -> Any:  # noqa: ANN401
        del request
        return self._messages.of("ServerReadyResponse")(ready=self._state.ready)

    async def _model_ready(self, request: Any) -> Any:  # noqa: ANN401
        try:
            self._state.demand().find(request.name, request.version or None)
        except NotReadyError:
            return self._messages.of("ModelReadyResponse")(ready=False)
        return self._messages.of("ModelReadyResponse")(ready=True)

    async def _server(self, request: Any) -> Any:  # noqa: ANN401
        del request
        return self._messages.of("ServerMetadataResponse")(**server_metadata())

    async def _model(self, request: Any) -> Any:  # noqa: ANN401
        serving = self._state.demand()
        document = model_metadata(serving, serving.find(request.name, request.version or None))
        document.pop("parameters")  # this half of the protocol has no place for them
        return self._messages.of("ModelMetadataResponse")(**document)

    async def _infer(self, request: Any) -> Any:  # noqa: ANN401
        status = int(HTTPStatus.OK)
        start = time.perf_counter()
        try:
            with self._admission.request():
                served = self._state.demand().find(request.model_name, request.model_version or None)
                asked = read_document(served, self._dialect, document_of(request), start)
                found = await self._application.predict(served, asked)
                document = compose(served, self._dialect, asked, found)
                response = fill(self._messages.of("ModelInferResponse")(), document)
                observe(served, asked)
                return response
        except RequestError as error:
            status = error.status
            raise
        except Exception:
            status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise
        finally:
            self._state.count(status)
            self._metrics.requests.labels(_PATH, str(status)).inc()
