"""The ASGI application: finds who answers a path, and lets the data plane answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from weakref import WeakKeyDictionary

from modelyard_api.contract.monitoring import FEEDBACK_PATH
from modelyard_server.admission import Admission
from modelyard_server.dataplane import Asked, answer, predict, read, write
from modelyard_server.dialects.base import Dialect
from modelyard_server.dialects.binary import BinaryInferenceDialect
from modelyard_server.dialects.inference import InferenceDialect
from modelyard_server.dialects.mlflow import MLflowDialect
from modelyard_server.dialects.typed import TypedDialect
from modelyard_server.errors import Header, RequestError
from modelyard_server.gathering import MOST_ROWS, Gatherer
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.processes.siblings import Alone
from modelyard_server.serving import ServedModel
from modelyard_server.state import ServerState
from modelyard_server.trial import Asking, Trials
from modelyard_server.web.asgi import (
    ClientGoneError,
    Receive,
    RequestHead,
    RequestIds,
    Scope,
    Send,
    demand_post,
    given_id,
    read_body,
    respond,
)
from modelyard_server.web.feedback import Feedback
from modelyard_server.web.lane import INLINE_BYTES, Way, short_enough
from modelyard_server.web.pages import Pages
from modelyard_server.web.replies import Reply, answered, broken, refused
from modelyard_server.web.ways import ShortWays, Target

_READING = frozenset({"GET", "HEAD"})
_MODELS = "/v2/models/"
_PATHS_KEPT = 64

_log = logging.getLogger(__name__)


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
    siblings: Alone = field(default_factory=Alone)
    """The other processes of the pod."""
    monitor: Monitor | None = None
    """Looks at the answers for as long as the application lives."""


class Application:
    """Predictions here, what only reads by ``Pages``, the rest by ``parts.admin``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._state = parts.state
        self._inference = InferenceDialect()
        self._short = min(INLINE_BYTES, parts.max_body_bytes)
        self._feedback = Feedback(parts.monitor, parts.admission, parts.max_body_bytes)
        self.ids = RequestIds()
        self.trials = Trials(parts.metrics)
        self._targets = {
            "/predict": Target(TypedDialect(), "/predict"),
            "/invocations": Target(MLflowDialect(), "/invocations"),
        }
        self._fixed = len(self._targets)
        self._pages = Pages(parts.state, parts.metrics, parts.siblings)
        self._gatherers: WeakKeyDictionary[ServedModel, Gatherer] = WeakKeyDictionary()
        self._ways = ShortWays(
            parts.state, self.ids, self._count, self._gatherer, self._hurry, self.trials.doubt
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] == "lifespan":
            await self._live_through(receive, send)
            return
        path: str = scope["path"]
        target = self._target(path)
        if target is not None:
            await self._predict(target, scope, receive, send)
        elif path == FEEDBACK_PATH:
            await self._take_labels(scope, receive, send)
        elif (page := self._pages.find(path)) is not None:
            reply = (
                await page() if scope["method"] in _READING else refused(self._inference, _only_read(path))
            )
            await respond(send, reply.status, reply.body, reply.content_type, reply.headers)
        else:
            await self._parts.admin(scope, receive, send)

    def way(self, path: str, headers: Sequence[Header]) -> Way | None:
        """See ``Replying``."""
        target = self._target(path) if short_enough(headers, self._short) else None
        return None if target is None else self._ways.way(target, path, given_id(headers))

    async def predict(self, served: ServedModel, asked: Asked) -> Answer:
        """The answer to a request that was read elsewhere, in the way that suits the model. Raises as the model does."""
        model = served.model
        if model.gathers:
            return await self._gatherer(served).predict(asked)
        if model.light and asked.query.rows.count <= MOST_ROWS:
            return predict(model.predictor, asked)
        return await self._parts.admission.in_thread(partial(predict, model.predictor, asked))

    async def _live_through(self, receive: Receive, send: Send) -> None:
        await receive()
        monitor = self._parts.monitor
        if monitor is not None:
            monitor.start()
        keeper = asyncio.ensure_future(self._parts.keep_route())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        self._parts.admission.close()
        self.trials.close()
        if monitor is not None:
            await asyncio.to_thread(monitor.close)
        await send({"type": "lifespan.shutdown.complete"})

    def _target(self, path: str) -> Target | None:
        """Who predicts at this path: a fixed one, or ``/v2/models/{name}[/versions/{version}]/infer``."""
        found = self._targets.get(path)
        if found is not None or not path.startswith(_MODELS) or not path.endswith("/infer"):
            return found
        name, *rest = path[len(_MODELS) :].split("/")
        if rest == ["infer"]:
            found = Target(self._inference, "/v2/models/infer", name)
        elif len(rest) == len(("versions", "", "infer")) and rest[0] == "versions":
            found = Target(self._inference, "/v2/models/infer", name, rest[1])
        if found is not None and len(self._targets) < _PATHS_KEPT + self._fixed:
            self._targets[path] = found
        return found

    async def _predict(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        given = given_id(scope["headers"])
        request_id = self.ids.name(given)
        try:
            with self._parts.admission.request():
                served, body = await self._answer(target, scope, receive, (given, request_id))
            reply = answered(served, body, request_id)
        except ClientGoneError:
            return
        except RequestError as error:
            reply = refused(target.dialect, error, request_id)
        except Exception:  # noqa: BLE001  whatever it was, the client gets an answer
            _log.exception("a request failed")
            reply = broken(target.dialect, request_id)
        self._count(target, reply)
        headers = [*reply.headers, (b"connection", b"close")] if self._state.draining else reply.headers
        await respond(send, reply.status, reply.body, reply.content_type, headers)

    async def _take_labels(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._feedback.answer(scope, receive)
        except ClientGoneError:
            return
        self._parts.metrics.requests.labels(FEEDBACK_PATH, reply.code).inc()
        await respond(send, reply.status, reply.body, headers=reply.headers)

    async def _answer(
        self, target: Target, scope: Scope, receive: Receive, named: tuple[bytes, str]
    ) -> tuple[ServedModel, bytes]:
        demand_post(scope)
        serving = self._state.demand()
        served = serving.find(target.model, target.version)
        head = RequestHead.of(scope)
        binary = head.json_length is not None and target.dialect is self._inference
        if not binary:
            head.demand_json(may_be_unsaid=target.dialect is self._inference)
        limit = self._parts.max_body_bytes
        given, request_id = named
        with self._parts.admission.body(min(head.content_length or 0, limit)):
            body, dialect = await read_body(head, receive, limit), target.dialect
            size = len(body)
            if binary:
                dialect, body = BinaryInferenceDialect(body[head.json_length :]), body[: head.json_length]
            asking = Asking(
                given,
                partial(self._work, dialect, body, request_id),
                lambda version: read(version, dialect, body, request_id),
                size,
            )
            by_version = target.version is not None
            return await self.trials.answer(serving, served, asking, by_version=by_version)

    async def _work(self, dialect: Dialect, body: bytes, request_id: str, served: ServedModel) -> bytes:
        """A long body goes to a thread as it is; a short one is read here, and its rows may be asked with others."""
        model = served.model
        short = len(body) <= INLINE_BYTES
        if short and model.gathers:
            asked = read(served, dialect, body, request_id)
            return write(served, dialect, asked, await self._gatherer(served).predict(asked))
        work = partial(answer, served, dialect, body, request_id)
        if short and model.light:
            return work()
        return await self._parts.admission.in_thread(work)

    def _gatherer(self, served: ServedModel) -> Gatherer:
        found = self._gatherers.get(served)
        if found is None:
            found = self._gatherers[served] = Gatherer(served.model, self._parts.admission)
        return found

    def _hurry(self) -> None:
        for gatherer in list(self._gatherers.values()):
            gatherer.hurry()

    def _count(self, target: Target, reply: Reply) -> None:
        self._state.count(reply.status)
        self._parts.metrics.requests.labels(target.path, reply.code).inc()


def _only_read(path: str) -> RequestError:
    return RequestError(
        f"{path} is asked with GET", HTTPStatus.METHOD_NOT_ALLOWED, [(b"allow", b"GET, HEAD")]
    )
