"""What is only read: health, metadata and metrics."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from modelyard_server import SERVER_VERSION
from modelyard_server.dataplane import encode
from modelyard_server.dialects.inference import InferenceDialect, model_metadata, server_metadata
from modelyard_server.errors import NotReadyError, RequestError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.state import ServerState
from modelyard_server.web.asgi import TEXT
from modelyard_server.web.replies import Reply, refused

_METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_MODELS = "/v2/models/"


class Pages:
    """Answers GET and HEAD."""

    def __init__(self, state: ServerState, metrics: ServerMetrics) -> None:
        self._state = state
        self._metrics = metrics
        self._inference = InferenceDialect()
        self._fixed: dict[str, Callable[[], Reply]] = {
            "/health": self._health,
            "/metrics": self._scrape,
            "/ping": self._health,
            "/v2": self._server,
            "/v2/": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            "/version": self._version,
        }

    def find(self, path: str) -> Reply | None:
        """The page at a path, None where there is none."""
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed()
        return self._model(path) if path.startswith(_MODELS) else None

    def _model(self, path: str) -> Reply | None:
        """``/v2/models/{name}[/versions/{version}][/ready]``."""
        name, *rest = path[len(_MODELS) :].split("/")
        version = None
        if len(rest) > 1 and rest[0] == "versions":
            version, rest = rest[1], rest[2:]
        if rest not in ([], ["ready"]):
            return None
        try:
            serving = self._state.demand()
            served = serving.find(name, version)
        except NotReadyError as error:
            if rest:
                return _json({"name": name, "ready": False}, HTTPStatus.SERVICE_UNAVAILABLE)
            return refused(self._inference, error)
        except RequestError as error:
            return refused(self._inference, error)
        return _json({"name": name, "ready": True} if rest else model_metadata(serving, served))

    def _health(self) -> Reply:
        return Reply(self._readiness(), b"\n", content_type=TEXT)

    def _live(self) -> Reply:
        return _json({"live": True})

    def _ready(self) -> Reply:
        return _json({"ready": self._state.ready}, self._readiness())

    def _server(self) -> Reply:
        return _json(server_metadata())

    def _version(self) -> Reply:
        return Reply(HTTPStatus.OK, SERVER_VERSION.encode(), content_type=TEXT)

    def _scrape(self) -> Reply:
        self._metrics.ready.set(self._state.ready)
        return Reply(HTTPStatus.OK, self._metrics.exposition(), content_type=_METRICS_TYPE)

    def _readiness(self) -> int:
        return HTTPStatus.OK if self._state.ready else HTTPStatus.SERVICE_UNAVAILABLE


def _json(document: dict[str, Any], status: int = HTTPStatus.OK) -> Reply:
    return Reply(status, encode(document))
