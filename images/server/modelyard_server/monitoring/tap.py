"""Where answered requests are left for those who learn from them: a bounded list, and all that a request pays for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from modelyard_server.models.predictor import Answer
    from modelyard_server.serving import ServedModel

_OVERHEAD = 512
"""Bytes that an entry takes beside its arrays, about."""


class Answered(NamedTuple):
    """A request and its answer. The arrays are not copied: nobody may change them afterwards."""

    served: ServedModel
    request_id: str
    time: float
    """Unix time in seconds."""
    matrix: np.ndarray
    answer: Answer
    seconds: float
    """What the answer took."""


class Tap:
    """Holds answered requests up to a number of bytes. Filled by requests, emptied by one thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._held: list[Answered] = []
        self._bytes = 0
        self._dropped = 0
        self.filling = threading.Event()
        """Set when it is half full, so that whoever empties it comes early."""

    def put(self, entry: Answered, body_bytes: int) -> None:
        """Adds an entry, or drops it where there is no room; ``body_bytes`` stand for what its texts take."""
        size = entry.matrix.nbytes + body_bytes + _OVERHEAD
        with self._lock:
            if self._bytes + size > self._most:
                self._dropped += len(entry.matrix)
                return
            self._held.append(entry)
            self._bytes += size
            crowded = 2 * self._bytes > self._most
        if crowded:
            self.filling.set()

    def take(self) -> tuple[list[Answered], int]:
        """All that is held, which is forgotten, and how many rows were dropped since it was last taken."""
        with self._lock:
            held, dropped = self._held, self._dropped
            self._held, self._bytes, self._dropped = [], 0, 0
            self.filling.clear()
        return held, dropped
