"""The warm loader's loop: it answers requests for the page and looks at what is handed over, all in one thread.

There is just this thread because steps are forked from it: what a lock of another thread holds would be held for ever
in the child.
"""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from http.server import HTTPServer
from pathlib import Path
from types import FrameType

from modelyard_api.contract.exit_codes import ExitCode
from modelyard_api.contract.progress import PROGRESS_PORT, PROGRESS_VARIABLE
from modelyard_api.contract.warm import (
    STEPS_DIRECTORY,
    STEPS_VARIABLE,
    WARM_DIRECTORY_VARIABLE,
    WARM_PATH,
    WarmPage,
)
from modelyard_loader.surroundings import utc_now
from modelyard_loader.warm.child import carry_out_in
from modelyard_loader.warm.keeper import Keeper
from modelyard_runtime.exit import LEVEL_VARIABLE
from modelyard_runtime.logs import configure_logs
from modelyard_runtime.page import page_at

_LOOK_SECONDS = 0.1
_REQUEST_SECONDS = 2
"""How long one who asks may keep the loop waiting."""
_GRACE_SECONDS = 20.0

_log = logging.getLogger(__name__)


class _Stop:
    """Set by a signal."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True


def run_warm(environment: Mapping[str, str]) -> int:
    """Carries out what is handed over until a signal; returns the exit status."""
    configure_logs(sys.stderr, environment.get(LEVEL_VARIABLE, "INFO"))
    kept = environment.get(WARM_DIRECTORY_VARIABLE)
    keeper = Keeper(
        Path(environment.get(STEPS_VARIABLE, STEPS_DIRECTORY)),
        Path(kept) if kept else Path(tempfile.gettempdir()) / "warm",
        environment,
        carry_out_in,
        utc_now,
    )
    port = int(environment.get(PROGRESS_VARIABLE, str(PROGRESS_PORT)))
    stop = _Stop()
    try:
        server = make_server(port, keeper.page)
    except OSError as error:
        _log.error("no page on port %s: %s", port, error)
        return ExitCode.PLATFORM
    with server:
        _log.info("waiting for steps", extra={"port": server.server_address[1]})
        while not stop.asked:
            server.handle_request()
            keeper.look()
        _wait_for_end(keeper)
    return ExitCode.OK


def make_server(port: int, page: Callable[[], WarmPage]) -> HTTPServer:
    """A server that answers one request at a time and waits ``_LOOK_SECONDS`` at most for one."""
    handler = page_at(WARM_PATH, lambda: page().model_dump_json(by_alias=True).encode(), _REQUEST_SECONDS)
    server = HTTPServer(("", port), handler)
    server.timeout = _LOOK_SECONDS
    return server


def _wait_for_end(keeper: Keeper) -> None:
    end = time.monotonic() + _GRACE_SECONDS
    while keeper.is_busy and time.monotonic() < end:
        keeper.close()
        time.sleep(_LOOK_SECONDS)
