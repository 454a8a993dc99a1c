"""Stands before the application where keys are demanded. What is not named as open needs one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus

from modelyard_api.contract.route import STATE_PATH
from modelyard_server.dialects.base import Dialect
from modelyard_server.dialects.mlflow import MLflowDialect
from modelyard_server.dialects.typed import TypedDialect
from modelyard_server.errors import Header, RequestError
from modelyard_server.keys import Keyring, Reason, RefusedError
from modelyard_server.series import Counter, Gauge, Registry
from modelyard_server.web.asgi import Receive, Scope, Send, respond
from modelyard_server.web.lane import Replying, Way
from modelyard_server.web.replies import Deliver, Reply, Turn, refused

OPEN = frozenset(
    {
        *("/health", "/ping", "/v2/health/live", "/v2/health/ready"),
        *("/metrics", "/version", "/v2", "/v2/", STATE_PATH),
    }
)
"""Probes, scrapes and what the operator asks: they say nothing of a model's data, and nobody could give them a key."""
_MODELS, _READY = "/v2/models/", "/ready"
_CHALLENGE = b'Bearer realm="modelyard"'
_SAID = {
    Reason.KEY_MISSING: "this server answers clients with a key; send it as Authorization: Bearer, or as X-API-Key",
    Reason.KEY_MALFORMED: "the Authorization header is not Bearer followed by a key",
    Reason.KEY_AMBIGUOUS: "the request brings several keys; send one",
    Reason.KEY_UNKNOWN: "the key is none of this server's; it may have been replaced",
    Reason.NO_KEYS: (
        "nobody may ask: the Secret that spec.serving.auth.keysSecret names is missing, or has no key of 16 to 512 "
        "printable characters"
    ),
}


class KeyMetrics:
    """Series of keys; labels carry names of keys, never their values, and nothing that a client sends."""

    def __init__(self, registry: Registry) -> None:
        self.requests = Counter(
            "modelyard_server_key_requests_total",
            "Requests let through, by the name of their key",
            ("key",),
            registry=registry,
        )
        self.refused = Counter(
            "modelyard_server_refused_total",
            "Requests without a key that is known, by reason",
            ("reason",),
            registry=registry,
        )
        self.keys = Gauge("modelyard_server_keys", "Keys that are known", registry=registry, together="least")
        for reason in Reason:
            self.refused.labels(reason)


class Guard:
    """Lets requests through that need no key or bring one."""

    def __init__(self, application: Replying, keyring: Keyring, metrics: KeyMetrics) -> None:
        self._application = application
        self._keyring = keyring
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        error = None if scope["type"] == "lifespan" else self.check(scope["path"], scope["headers"])
        if error is None:
            await self._application(scope, receive, send)
            return
        reply = refused(_dialect(scope["path"]), error)
        await respond(send, reply.status, reply.body, headers=reply.headers)

    def way(self, path: str, headers: Sequence[Header]) -> Way | None:
        """See ``Replying``; who is not let through is told so at once."""
        way = self._application.way(path, headers)
        return None if way is None else _GuardedWay(self, way, path, tuple(headers))

    def check(self, path: str, headers: Iterable[Header]) -> RequestError | None:
        """Why a request is not let through, counted; None where it is. Names of headers are in lower case.

        Whatever answers requests in another way than through the application must ask this first.
        """
        if is_open(path):
            return None
        try:
            name = self._keyring.owner(headers)
        except RefusedError as error:
            self._metrics.refused.labels(error.reason).inc()
            return refusal(error.reason)
        finally:
            self._metrics.keys.set(len(self._keyring.names))
        self._metrics.requests.labels(name).inc()
        return None


class _GuardedWay:
    """A short way on which every request is asked for its key: it may be replaced at any time."""

    def __init__(self, guard: Guard, way: Way, path: str, headers: tuple[Header, ...]) -> None:
        self._guard = guard
        self._way = way
        self._path = path
        self._headers = headers
        self.hurry = way.hurry

    def turn(self) -> Turn | None:
        turn = self._way.turn()
        if turn is None:
            return None
        error = self._guard.check(self._path, self._headers)
        return turn if error is None else _refusing(refused(_dialect(self._path), error))


def is_open(path: str) -> bool:
    """Whether a path needs no key."""
    return path in OPEN or (path.startswith(_MODELS) and path.endswith(_READY))


def refusal(reason: Reason) -> RequestError:
    """The answer to a request that is not let through: 403 where no key would help, else 401."""
    message = f"{reason}: {_SAID[reason]}"
    if reason is Reason.NO_KEYS:
        return RequestError(message, HTTPStatus.FORBIDDEN)
    challenge = _CHALLENGE
    if reason is not Reason.KEY_MISSING:
        word = "invalid_token" if reason is Reason.KEY_UNKNOWN else "invalid_request"
        challenge += f', error="{word}", error_description="{reason}"'.encode()
    return RequestError(message, HTTPStatus.UNAUTHORIZED, [(b"www-authenticate", challenge)])


def _dialect(path: str) -> Dialect:
    return MLflowDialect() if path == "/invocations" else TypedDialect()


def _refusing(reply: Reply) -> Turn:
    def refuse(_body: bytes, deliver: Deliver) -> None:
        deliver(reply)

    return refuse
