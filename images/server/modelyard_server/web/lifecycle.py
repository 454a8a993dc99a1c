"""Start and end of the process: SIGTERM first turns readiness off, and the server stops when no one comes any more."""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import dataclass, field
from types import FrameType

import uvicorn

from modelyard_server.state import ServerState
from modelyard_server.web.answering import answering
from modelyard_server.web.lane import Replying
from modelyard_server.web.protocol import WireLimits

_KEEP_ALIVE_SECONDS = 65
"""Longer than proxies keep idle connections, so that none sends a request into one that closes."""
_GRACE_SECONDS = 20
_BACKLOG = 2048

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """Where a server listens, and for how long after it was told to stop."""

    port: int
    drain_seconds: float
    limits: WireLimits = field(default_factory=WireLimits)


class DrainingServer(uvicorn.Server):
    """Keeps answering for a while after SIGTERM: endpoints forget a pod later than the pod hears of it."""

    def __init__(self, config: uvicorn.Config, state: ServerState, drain_seconds: float) -> None:
        super().__init__(config)
        self._state = state
        self._drain_seconds = drain_seconds
        self._stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First SIGTERM drains; SIGINT, or a second one, stops."""
        del frame
        if sig == signal.SIGINT or self._stop_at is not None:
            self.should_exit = True
            return
        _log.info("draining for %.1f s", self._drain_seconds)
        self._state.draining = True
        self._stop_at = time.monotonic() + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Ends the main loop when the drain is over."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)


def make_server(application: Replying, state: ServerState, listening: Listening) -> DrainingServer:
    """A server on all addresses of the pod."""
    config = uvicorn.Config(
        application,
        host="0.0.0.0",  # noqa: S104  a pod's own network
        port=listening.port,
        loop="uvloop",
        http=answering(application, listening.limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return DrainingServer(config, state, listening.drain_seconds)
