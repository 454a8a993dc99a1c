"""How predictions are answered on the short way (see ``lane``), by the model that a path names at the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from modelyard_server.dataplane import Asked, answer, read, write
from modelyard_server.dialects.base import Dialect
from modelyard_server.errors import RequestError, UnansweredError
from modelyard_server.gathering import Gatherer, Outcome
from modelyard_server.serving import ServedModel, Serving
from modelyard_server.state import ServerState
from modelyard_server.trial import Read
from modelyard_server.web.asgi import RequestIds
from modelyard_server.web.lane import Way
from modelyard_server.web.replies import Deliver, Reply, Turn, answered, broken, refused

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
class ShortWays:
    """What all short ways of an application share."""

    state: ServerState
    ids: RequestIds
    count: Callable[[Target, Reply], None]
    gatherer: Callable[[ServedModel], Gatherer]
    hurry: Callable[[], None]
    """Has all gatherers ask now."""
    doubt: Callable[[Serving, ServedModel, Read, int], None]
    """Learns of a request to which a version has no answer; see ``Trials``."""

    def way(self, target: Target, path: str, given_id: bytes) -> Way:
        """The way of requests with one head, which may bring a name of their own."""
        return _ShortWay(self, target, path, given_id)

    def served(self, serving: Serving, target: Target, path: str) -> ServedModel | None:
        """The version that answers at a path right where it is asked; None where none does."""
        try:
            served = serving.find(target.model, target.version)
        except RequestError:
            return None
        if not served.model.light or (serving.tried is not None and target.version is None):
            return None
        serving.at_once[path] = served
        return served


class _Request(NamedTuple):
    """A whole one, and who answers it."""

    served: ServedModel
    serving: Serving
    id: str
    body: bytes


class _ShortWay:
    """The way of requests with one head. It holds no model, so that an old one can go while heads are remembered."""

    __slots__ = ("_given", "_path", "_target", "_ways", "hurry")

    def __init__(self, ways: ShortWays, target: Target, path: str, given_id: bytes) -> None:
        self._ways = ways
        self._target = target
        self._path = path
        self._given = given_id
        self.hurry = ways.hurry

    def turn(self) -> Turn | None:
        state = self._ways.state
        serving = state.serving
        if serving is None or state.draining:
            return None
        served = serving.at_once.get(self._path) or self._ways.served(serving, self._target, self._path)
        if served is None:
            return None
        return partial(self._gather if served.model.gathers else self._answer, served, serving)

    def _answer(self, served: ServedModel, serving: Serving, body: bytes, deliver: Deliver) -> None:
        request = _Request(served, serving, self._ways.ids.name(self._given), body)
        work = partial(answer, served, self._target.dialect, body, request.id)
        deliver(self._reply(request, work, time.perf_counter()))

    def _gather(self, served: ServedModel, serving: Serving, body: bytes, deliver: Deliver) -> None:
        """Leaves the rows to be asked with those of others that are there; who cannot be read is told so at once."""
        request = _Request(served, serving, self._ways.ids.name(self._given), body)
        dialect = self._target.dialect
        start = time.perf_counter()
        try:
            asked = read(served, dialect, body, request.id)
        except Exception as error:  # noqa: BLE001  it is told by who tells all others
            deliver(self._reply(request, partial(_raise, error), start))
            return

        def tell(outcome: Outcome) -> None:
            deliver(self._reply(request, partial(_written, served, dialect, asked, outcome), start))

        self._ways.gatherer(served).put(asked, tell)

    def _reply(self, request: _Request, work: Callable[[], bytes], start: float) -> Reply:
        """The answer to a whole request, which never fails; counted as ``trial.counted`` does."""
        served, dialect = request.served, self._target.dialect
        tally = served.tally
        tally.requests += 1
        try:
            reply = answered(served, work(), request.id)
            tally.slow += time.perf_counter() - start > request.serving.slow_seconds
        except RequestError as error:
            reply = refused(dialect, error, request.id)
            if isinstance(error, UnansweredError):
                again = partial(read, dialect=dialect, body=request.body, request_id=request.id)
                self._ways.doubt(request.serving, served, again, len(request.body))
        except Exception:  # noqa: BLE001  whatever it was, the client gets an answer
            _log.exception("a request failed")
            tally.errors += 1
            reply = broken(dialect, request.id)
        self._ways.count(self._target, reply)
        return reply


def _written(served: ServedModel, dialect: Dialect, asked: Asked, outcome: Outcome) -> bytes:
    if isinstance(outcome, Exception):
        raise outcome
    return write(served, dialect, asked, outcome)


def _raise(error: Exception) -> bytes:
    raise error
