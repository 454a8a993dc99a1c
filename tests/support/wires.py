"""The protocol of the server without a socket, in front of an application whose model answers what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httptools
import numpy as np
from uvicorn.config import Config
from uvicorn.server import ServerState as Connections

from modelyard_api.contract.route import Route
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer, Predictor
from modelyard_server.serving import Serving
from modelyard_server.state import ServerState
from modelyard_server.web.admin import make_admin
from modelyard_server.web.answering import answering
from modelyard_server.web.application import Application, Parts
from modelyard_server.web.lane import Replying
from modelyard_server.web.protocol import BoundedProtocol, WireLimits
from tests.support.predictors import Constant, served
from tests.support.turns import turns_until

BODY = b'{"a": 1.0, "b": 2.0, "c": 3.0}'
ORDINARY = (("Host", "x"), ("Content-Type", "application/json"), ("Content-Length", str(len(BODY))))
PLAIN = [(b"content-type", b"application/json"), (b"content-length", b"30")]
KEY = "shop-7c1d44b0e2aa49d1"
NAMED = ("X-Request-Id", "mine")


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


class Response:
    """A response, read by a parser that is not ours."""

    def __init__(self, sent: bytes) -> None:
        self.body = b""
        self.headers: dict[bytes, bytes] = {}
        self.complete = 0
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(sent)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


async def never() -> None:
    """Keeps no route."""


def application(
    predictor: Predictor | None = None, seconds: float = 1e-5, most: int = 1_000_000
) -> tuple[Application, ServerState]:
    state, metrics = ServerState(), ServerMetrics()
    model = served(predictor or Constant(Answer(np.array([1.5]))), seconds)
    state.serving = Serving(Route(model_name="forest", champion=model.routed), model)
    admission = Admission(AdmissionLimits(), metrics)
    return Application(Parts(state, metrics, admission, most, never, make_admin(state))), state


def connected(app: Replying, *, short: bool = True) -> tuple[BoundedProtocol, Wire]:
    config = Config(app, log_config=None, ws="none", lifespan="off", proxy_headers=False)
    kind = answering(app, WireLimits()) if short else BoundedProtocol
    protocol, wire = kind(config, Connections(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


def request(
    path: str = "/predict",
    headers: Sequence[tuple[str, str]] = ORDINARY,
    body: bytes = BODY,
    line: str = "POST {} HTTP/1.1",
) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{line.format(path)}\r\n{head}\r\n".encode() + body


async def sent(wire: Wire) -> Response:
    await turns_until(lambda: wire.sent)
    return Response(wire.sent)
