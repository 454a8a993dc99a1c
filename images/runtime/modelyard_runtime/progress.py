"""How far a step is, on a page of its own for as long as it works; the operator asks, nobody is told.

A page that cannot be opened costs nothing but the talk: the step goes on without it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer

from modelyard_api.contract.progress import (
    PROGRESS_PATH,
    PROGRESS_PORT,
    PROGRESS_VARIABLE,
    Phase,
    StepProgress,
)
from modelyard_api.v1alpha1.tuning import TuningProgress
from modelyard_runtime.page import page_at

_IDLE_SECONDS = 10

_log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Progress:
    """Where a step is. Written by the step's threads, read by the page's."""

    def __init__(self, clock: Callable[[], datetime] = _utc_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = StepProgress(phase=Phase.READING, since=clock())

    def begin(self, phase: Phase, total: int | None = None) -> None:
        """A phase begins; its count starts anew. Beginning the present phase again goes on with it."""
        with self._lock:
            if self._seen.phase == phase and self._seen.total == total:
                return
            self._seen = StepProgress(
                phase=phase,
                total=total,
                since=self._clock(),
                waiting_for=self._seen.waiting_for,
                tuning=self._seen.tuning,
            )

    def add(self, done: int) -> None:
        """So many units more are done in this phase."""
        with self._lock:
            self._seen = self._seen.model_copy(update={"done": self._seen.done + done})

    def again(self) -> None:
        """The phase starts anew from nothing, as after a connection was lost."""
        with self._lock:
            self._seen = self._seen.model_copy(update={"done": 0})

    def wait_for(self, clause: str) -> None:
        """Says which service is waited for; an empty text says that none is."""
        with self._lock:
            self._seen = self._seen.model_copy(update={"waiting_for": clause})

    def show(self, tuning: TuningProgress) -> None:
        """How far the trials of all workers are."""
        with self._lock:
            self._seen = self._seen.model_copy(update={"tuning": tuning})

    def now(self) -> StepProgress:
        """What the page shows."""
        with self._lock:
            return self._seen


@contextmanager
def served(progress: Progress, environment: Mapping[str, str]) -> Iterator[int | None]:
    """Serves the page for the time of the block; gives its port, or None where there is no page."""
    server = _opened(progress, environment)
    if server is None:
        yield None
        return
    thread = threading.Thread(target=server.serve_forever, name="progress", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _opened(progress: Progress, environment: Mapping[str, str]) -> ThreadingHTTPServer | None:
    asked = environment.get(PROGRESS_VARIABLE, str(PROGRESS_PORT))
    if asked == "0":
        return None

    page = page_at(
        PROGRESS_PATH, lambda: progress.now().model_dump_json(by_alias=True).encode(), _IDLE_SECONDS
    )
    try:
        server = ThreadingHTTPServer(("", int(asked)), page)
    except (OSError, ValueError, OverflowError) as error:
        _log.warning("no page of progress on port %s: %s", asked, error)
        return None
    server.daemon_threads = True
    return server
