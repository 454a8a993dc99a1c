"""The ASGI application: finds who answers a path, and lets the data plane answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from modelyard_api.contract.route import TrialMode
from modelyard_server import SERVER_VERSION
from modelyard_server.admission import Admission
from modelyard_server.dataplane import answer, encode
from modelyard_server.dialects.base import Dialect
from modelyard_server.dialects.inference import InferenceDialect, model_metadata, server_metadata
from modelyard_server.dialects.mlflow import MLflowDialect
from modelyard_server.dialects.typed import TypedDialect
from modelyard_server.errors import Header, NotReadyError, RequestError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.serving import ServedModel
from modelyard_server.state import ServerState
from modelyard_server.trial import Shadows, Work, answer_with
from modelyard_server.web.asgi import (
    TEXT,
    ClientGoneError,
    Receive,
    RequestHead,
    Scope,
    Send,
    read_body,
    request_id,
    respond,
)

_INLINE_BYTES = 16 * 1024
"""A longer body takes longer to read than a light model to answer it; it goes to a thread."""
_METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_READING = frozenset({"GET", "HEAD"})
_MODELS = "/v2/models/"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """Who is asked, and in which dialect."""

    dialect: Dialect
    path: str
    """Path as it is counted: without the names in it."""
    model: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Parts:
    """What the application is made of."""

    state: ServerState
    metrics: ServerMetrics
    admission: Admission
    max_body_bytes: int
    keep_route: Callable[[], Awaitable[None]]
    """Runs for the life of the application and keeps the state's route."""
    admin: Callable[[Scope, Receive, Send], Awaitable[None]]
    """Answers what is not asked often."""


class Application:
    """Hot routes here, the rest by ``parts.admin``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._state = parts.state
        self._shadows = Shadows(parts.metrics)
        self._inference = InferenceDialect()
        self._fixed = {
            "/predict": Target(TypedDialect(), "/predict"),
            "/invocations": Target(MLflowDialect(), "/invocations"),
        }
        self._pages: dict[str, Callable[[], tuple[int, bytes, bytes]]] = {
            "/health": self._health,
            "/metrics": self._metrics,
            "/ping": self._health,
            "/v2": self._server,
            "/v2/": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            "/version": self._version,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] == "lifespan":
            await self._live_through(receive, send)
            return
        path: str = scope["path"]
        target = self._fixed.get(path)
        if target is None and path.startswith(_MODELS):
            await self._model_path(path, scope, receive, send)
        elif target is not None:
            await self._predict(target, scope, receive, send)
        elif (page := self._pages.get(path)) is not None and scope["method"] in _READING:
            status, body, content_type = page()
            await respond(send, status, body, content_type)
        else:
            await self._parts.admin(scope, receive, send)

    async def idle(self) -> None:
        """Returns when no request is being repeated for a shadow."""
        await self._shadows.idle()

    async def _live_through(self, receive: Receive, send: Send) -> None:
        await receive()
        keeper = asyncio.ensure_future(self._parts.keep_route())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        self._parts.admission.close()
        self._shadows.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _model_path(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """``/v2/models/{name}[/versions/{version}][/ready|/infer]``."""
        name, *rest = path[len(_MODELS) :].split("/")
        version = None
        if len(rest) > 1 and rest[0] == "versions":
            version, rest = rest[1], rest[2:]
        if rest == ["infer"]:
            target = Target(self._inference, "/v2/models/infer", name, version)
            await self._predict(target, scope, receive, send)
        elif rest in ([], ["ready"]) and scope["method"] in _READING:
            status, body = self._model_page(name, version, ready=bool(rest))
            await respond(send, status, body)
        else:
            await self._parts.admin(scope, receive, send)

    async def _predict(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[Header] = []
        try:
            with self._parts.admission.request():
                served, body = await self._answer(target, scope, receive)
            headers.append((b"x-modelyard-model-version", served.version.encode("latin-1", "replace")))
            status = int(HTTPStatus.OK)
        except ClientGoneError:
            return
        except RequestError as error:
            status, body = error.status, encode(target.dialect.refuse(error))
            headers.extend(error.headers)
        except Exception:  # noqa: BLE001  whatever it was, the client gets an answer
            _log.exception("a request failed")
            status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
            body = encode(
                target.dialect.refuse(RequestError("the server failed to answer this request", status))
            )
        if self._state.draining:
            headers.append((b"connection", b"close"))
        self._state.count(status)
        self._parts.metrics.requests.labels(target.path, str(status)).inc()
        await respond(send, status, body, headers=headers)

    async def _answer(self, target: Target, scope: Scope, receive: Receive) -> tuple[ServedModel, bytes]:
        if scope["method"] != "POST":
            raise RequestError(
                f"{scope['path']} is asked with POST", HTTPStatus.METHOD_NOT_ALLOWED, [(b"allow", b"POST")]
            )
        serving = self._state.demand()
        served = serving.find(target.model, target.version)
        head = RequestHead.of(scope)
        head.demand_json()
        limit = self._parts.max_body_bytes
        with self._parts.admission.body(min(head.content_length or 0, limit)):
            body = await read_body(head, receive, limit)
            work = partial(self._work, target.dialect, body)
            tried = serving.tried if target.version is None else None
            chosen = tried is not None and tried.share.takes(request_id(scope))
            if tried is None or not chosen:
                return served, await _counted(served, work, serving.slow_seconds)
            if tried.trial.mode is TrialMode.CANARY:
                return await answer_with(tried, served, work, self._parts.metrics)
            encoded = await _counted(served, work, serving.slow_seconds)
            self._shadows.offer(tried, served, target.dialect, body)
            return served, encoded

    async def _work(self, dialect: Dialect, body: bytes, served: ServedModel) -> bytes:
        """The answer of a version, on the event loop where that takes no time."""
        work = partial(answer, served, dialect, body)
        if served.model.light and len(body) <= _INLINE_BYTES:
            return work()
        return await self._parts.admission.in_thread(work)

    def _model_page(self, name: str, version: str | None, *, ready: bool) -> tuple[int, bytes]:
        try:
            serving = self._state.demand()
            served = serving.find(name, version)
        except NotReadyError as error:
            if ready:
                return HTTPStatus.SERVICE_UNAVAILABLE, encode({"name": name, "ready": False})
            return error.status, encode(self._inference.refuse(error))
        except RequestError as error:
            return error.status, encode(self._inference.refuse(error))
        if ready:
            return HTTPStatus.OK, encode({"name": name, "ready": True})
        return HTTPStatus.OK, encode(model_metadata(serving, served))

    def _health(self) -> tuple[int, bytes, bytes]:
        return self._readiness(), b"\n", TEXT

    def _live(self) -> tuple[int, bytes, bytes]:
        return _json({"live": True})

    def _ready(self) -> tuple[int, bytes, bytes]:
        return _json({"ready": self._state.ready}, self._readiness())

    def _server(self) -> tuple[int, bytes, bytes]:
        return _json(server_metadata())

    def _version(self) -> tuple[int, bytes, bytes]:
        return HTTPStatus.OK, SERVER_VERSION.encode(), TEXT

    def _metrics(self) -> tuple[int, bytes, bytes]:
        self._parts.metrics.ready.set(self._state.ready)
        return HTTPStatus.OK, self._parts.metrics.exposition(), _METRICS_TYPE

    def _readiness(self) -> int:
        return HTTPStatus.OK if self._state.ready else HTTPStatus.SERVICE_UNAVAILABLE


async def _counted(served: ServedModel, work: Work, slow_seconds: float) -> bytes:
    """The answer of a version that answers for itself: its faults are counted, those of requests are not."""
    tally = served.tally
    tally.requests += 1
    start = time.perf_counter()
    try:
        encoded = await work(served)
    except RequestError:
        raise
    except Exception:
        tally.errors += 1
        raise
    tally.slow += time.perf_counter() - start > slow_seconds
    return encoded


def _json(document: dict[str, Any], status: int = HTTPStatus.OK) -> tuple[int, bytes, bytes]:
    return status, encode(document), b"application/json"
