"""Brings files to the store from a thread of its own, so that an outage of the store holds up nothing else."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from modelyard_runtime.errors import StepError

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class File:
    """A file on its way."""

    key: str
    content: bytes
    rows: int


class Uploads:
    """A few files wait; each is tried until it is there, or until there is no more time."""

    def __init__(
        self, create: Callable[[str, bytes], object], most: int, lost: Callable[[int], None]
    ) -> None:
        """``create`` raises StepError while the store does not answer; ``lost`` is told of rows given up."""
        self._create = create
        self._lost = lost
        self._waiting: queue.Queue[File | None] = queue.Queue(most)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def offer(self, file: File) -> None:
        """Takes a file over, or loses it where too many wait already."""
        try:
            self._waiting.put_nowait(file)
        except queue.Full:
            self._lost(file.rows)

    def close(self, seconds: float) -> None:
        """Waits this long for what is left to be written; what is not by then is lost."""
        end = time.monotonic() + seconds
        self._closing.set()
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            _log.warning("files of the prediction log wait for the store and are given up")
        self._thread.join(max(0.0, end - time.monotonic()))
        while not self._waiting.empty():
            left = self._waiting.get_nowait()
            self._lost(0 if left is None else left.rows)

    def _run(self) -> None:
        while (file := self._waiting.get()) is not None:
            self._bring(file)

    def _bring(self, file: File) -> None:
        pause = _FIRST_PAUSE
        while True:
            last = self._closing.is_set()
            try:
                self._create(file.key, file.content)
            except StepError as error:
                _log.warning("the prediction log waits: %s", error.message)
                if last:
                    break
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception:  # noqa: BLE001  one bad file must not end the log of all that follow
                _log.exception("a file of the prediction log is given up")
                break
            else:
                return
        self._lost(file.rows)
