"""What is only read: health, metadata, metrics, and what the operator asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from modelyard_api.contract.route import STATE_PATH
from modelyard_server import SERVER_VERSION
from modelyard_server.dataplane import encode
from modelyard_server.dialects.inference import InferenceDialect, model_metadata, server_metadata
from modelyard_server.errors import NotReadyError, RequestError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.processes.siblings import Alone, all_ready, of_pod
from modelyard_server.state import ServerState
from modelyard_server.web.asgi import TEXT
from modelyard_server.web.replies import Reply, refused

_METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_MODELS = "/v2/models/"

Page = Callable[[], Awaitable[Reply]]
"""Makes the answer to one who reads."""


class Pages:
    """Answers GET and HEAD."""

    def __init__(self, state: ServerState, metrics: ServerMetrics, siblings: Alone) -> None:
        self._state = state
        self._metrics = metrics
        self._siblings = siblings
        self._inference = InferenceDialect()
        server = _json(server_metadata())
        self._asked: dict[str, Page] = {
            "/v2": _always(server),
            "/v2/": _always(server),
            "/v2/health/live": _always(_json({"live": True})),
            "/version": _always(Reply(HTTPStatus.OK, SERVER_VERSION.encode(), content_type=TEXT)),
            "/health": self._health,
            "/metrics": self._scrape,
            "/ping": self._health,
            "/v2/health/ready": self._ready,
            STATE_PATH: self._route,
        }

    def find(self, path: str) -> Page | None:
        """The page at a path, None where there is none. Readiness and metrics are those of all processes of the pod."""
        asked = self._asked.get(path)
        if asked is not None:
            return asked
        of_model = _of_model(path)
        return None if of_model is None else partial(self._model, of_model)

    async def _model(self, asked: _OfModel) -> Reply:
        name = asked.name
        try:
            serving = self._state.demand()
            served = serving.find(name, asked.version)
        except NotReadyError as error:
            if asked.readiness:
                return _json({"name": name, "ready": False}, HTTPStatus.SERVICE_UNAVAILABLE)
            return refused(self._inference, error)
        except RequestError as error:
            return refused(self._inference, error)
        return _json({"name": name, "ready": True} if asked.readiness else model_metadata(serving, served))

    async def _health(self) -> Reply:
        return Reply(_status(ready=await self._is_ready()), b"\n", content_type=TEXT)

    async def _ready(self) -> Reply:
        ready = await self._is_ready()
        return _json({"ready": ready}, _status(ready=ready))

    async def _scrape(self) -> Reply:
        self._metrics.ready.set(self._state.ready)
        text = self._metrics.exposition(await self._siblings.counted())
        return Reply(HTTPStatus.OK, text, content_type=_METRICS_TYPE)

    async def _route(self) -> Reply:
        """The route that this pod serves with all of its processes, and the one that it should."""
        state = of_pod(self._state.route_state(), await self._siblings.told())
        return Reply(HTTPStatus.OK, state.model_dump_json(by_alias=True).encode())

    async def _is_ready(self) -> bool:
        return await all_ready(self._state.ready, self._siblings)


@dataclass(frozen=True, slots=True)
class _OfModel:
    """A page of a model."""

    name: str
    version: str | None
    readiness: bool


def _of_model(path: str) -> _OfModel | None:
    """``/v2/models/{name}[/versions/{version}][/ready]``."""
    if not path.startswith(_MODELS):
        return None
    name, *rest = path[len(_MODELS) :].split("/")
    version = None
    if len(rest) > 1 and rest[0] == "versions":
        version, rest = rest[1], rest[2:]
    return _OfModel(name, version, bool(rest)) if rest in ([], ["ready"]) else None


def _always(reply: Reply) -> Page:
    async def page() -> Reply:
        return reply

    return page


def _status(*, ready: bool) -> int:
    return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE


def _json(document: dict[str, Any], status: int = HTTPStatus.OK) -> Reply:
    return Reply(status, encode(document))
