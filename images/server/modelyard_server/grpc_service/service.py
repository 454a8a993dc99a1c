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

from modelyard_server.dataplane import Asked, Came, compose, observe, read_document
from modelyard_server.dialects.inference import InferenceDialect, model_metadata, server_metadata
from modelyard_server.errors import NotReadyError, RequestError
from modelyard_server.grpc_service.keys import KeysInterceptor, code_of, headers_of
from modelyard_server.grpc_service.messages import (
    HEALTH_PACKAGE,
    HEALTH_SERVICE,
    NOT_SERVING,
    SERVICE,
    SERVING,
    Messages,
)
from modelyard_server.grpc_service.translating import document_of, fill
from modelyard_server.processes.siblings import all_ready
from modelyard_server.serving import ServedModel
from modelyard_server.trial import Asking
from modelyard_server.web.application import Application, Parts
from modelyard_server.web.asgi import REQUEST_ID, given_id
from modelyard_server.web.guarding import Guard

_PATH = "grpc"
_GRACE_SECONDS = 20.0
_MOST_CALLS = 1024
"""At once; more are refused with RESOURCE_EXHAUSTED."""
_LIMITS = (
    ("grpc.max_concurrent_streams", 256),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.max_connection_idle_ms", 300_000),
)
"""Of one connection."""
_METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")

_log = logging.getLogger(__name__)


class InferenceService:
    """The six methods of the protocol, and the health service of gRPC."""

    def __init__(self, application: Application, parts: Parts, guard: Guard | None = None) -> None:
        self._application = application
        self._state = parts.state
        self._metrics = parts.metrics
        self._admission = parts.admission
        self._siblings = parts.siblings
        self._guard = guard
        self._messages = Messages()
        self._dialect = InferenceDialect()
        self._answers: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server,
            "ModelMetadata": self._model,
            "ModelInfer": self._infer,
            "Check": self._check,
        }

    @asynccontextmanager
    async def listening(self, port: int, max_bytes: int) -> AsyncIterator[None]:
        """Answers for the time of the block; processes of one pod share the port."""
        options = [("grpc.max_receive_message_length", max_bytes), ("grpc.so_reuseport", 1), *_LIMITS]
        keys = [] if self._guard is None else [KeysInterceptor(self._guard)]
        server = grpc.aio.server(interceptors=keys, options=options, maximum_concurrent_rpcs=_MOST_CALLS)
        handlers = {name: self._handler(name, self._messages.of(f"{name}Request")) for name in _METHODS}
        check = {"Check": self._handler("Check", self._messages.of("HealthCheckRequest", HEALTH_PACKAGE))}
        for service, answers in ((SERVICE, handlers), (HEALTH_SERVICE, check)):
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, answers),))
        server.add_insecure_port(f"0.0.0.0:{port}")
        await server.start()
        try:
            yield
        finally:
            await server.stop(_GRACE_SECONDS)

    def _handler(self, name: str, kind: Any) -> Any:  # noqa: ANN401  grpc has no types
        answer = self._answers[name]

        async def method(request: Any, context: Any) -> Any:  # noqa: ANN401
            try:
                return await answer(request, context)
            except RequestError as error:
                await context.abort(code_of(error), error.message)
            except Exception:  # noqa: BLE001  whatever it was, the client gets an answer
                _log.exception("a request failed")
                await context.abort(grpc.StatusCode.INTERNAL, "the server failed to answer this request")

        return grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=kind.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    async def _live(self, request: Any, context: Any) -> Any:  # noqa: ANN401
        del request, context
        return self._messages.of("ServerLiveResponse")(live=True)

    async def _ready(self, request: Any, context: Any) -> Any:  # noqa: ANN401
        del request, context
        ready = await all_ready(self._state.ready, self._siblings)
        return self._messages.of("ServerReadyResponse")(ready=ready)

    async def _check(self, request: Any, context: Any) -> Any:  # noqa: ANN401
        """The health service of gRPC itself, which probes and balancers ask."""
        del context
        if request.service not in {"", SERVICE}:
            raise RequestError(f"there is no service {request.service[:80]!r}", HTTPStatus.NOT_FOUND)
        ready = await all_ready(self._state.ready, self._siblings)
        status = SERVING if ready else NOT_SERVING
        return self._messages.of("HealthCheckResponse", HEALTH_PACKAGE)(status=status)

    async def _model_ready(self, request: Any, context: Any) -> Any:  # noqa: ANN401
        del context
        try:
            self._state.demand().find(request.name, request.version or None)
        except NotReadyError:
            return self._messages.of("ModelReadyResponse")(ready=False)
        return self._messages.of("ModelReadyResponse")(ready=True)

    async def _server(self, request: Any, context: Any) -> Any:  # noqa: ANN401
        del request, context
        return self._messages.of("ServerMetadataResponse")(**server_metadata())

    async def _model(self, request: Any, context: Any) -> Any:  # noqa: ANN401
        del context
        serving = self._state.demand()
        document = model_metadata(serving, serving.find(request.name, request.version or None))
        document.pop("parameters")  # this half of the protocol has no place for them
        return self._messages.of("ModelMetadataResponse")(**document)

    async def _infer(self, request: Any, context: Any) -> Any:  # noqa: ANN401
        status = int(HTTPStatus.OK)
        given = given_id(headers_of(context.invocation_metadata()))
        request_id = self._application.ids.name(given)
        context.set_trailing_metadata(((REQUEST_ID.decode(), request_id),))
        try:
            came = Came(time.perf_counter(), request_id, request.ByteSize())
            with self._admission.request():
                serving = self._state.demand()
                served = serving.find(request.model_name, request.model_version or None)
                asking = self._asking(given, request, came)
                by_version = bool(request.model_version)
                _, response = await self._application.trials.answer(
                    serving, served, asking, by_version=by_version
                )
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

    def _asking(self, given: bytes, request: Any, came: Came) -> Asking[Any]:  # noqa: ANN401
        document = document_of(request)
        # Whoever sends raw contents reads them; some of these clients read no others.
        raw = bool(request.raw_input_contents)

        def read(served: ServedModel) -> Asked:
            return read_document(served, self._dialect, document, came)

        async def work(served: ServedModel) -> Any:  # noqa: ANN401
            asked = read(served)
            found = await self._application.predict(served, asked)
            told = compose(served, self._dialect, asked, found)
            response = fill(self._messages.of("ModelInferResponse")(), told, raw=raw)
            observe(served, asked, found)
            return response

        return Asking(given, work, read, came.size)
