"""The work queue: each object at most once in it, at most one worker an object, failures with growing pauses."""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable

from modelyard_operator.cluster.store import Key

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0


class WorkQueue:
    """Keys in order of their arrival; a key that arrives while it is worked on comes again afterwards."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self._monotonic = monotonic
        self._jitter = jitter
        self._waiting: OrderedDict[Key, float] = OrderedDict()
        self._working: set[Key] = set()
        self._again: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key) -> None:
        """Puts a key at the back, unless it is waiting already."""
        if key in self._working:
            self._again.setdefault(key, self._monotonic())
        elif key not in self._waiting:
            self._waiting[key] = self._monotonic()
            self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Puts a key in later; of several such times the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._monotonic() + seconds
        known = self._timers.get(key)
        if known is not None:
            if known[0] <= due:
                return
            known[1].cancel()
        handle = asyncio.get_running_loop().call_later(seconds, self._due, key)
        self._timers[key] = (due, handle)

    async def take(self) -> tuple[Key, float]:
        """The next key and when it came; nobody else gets it until it is ``finished``."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        key, since = self._waiting.popitem(last=False)
        self._working.add(key)
        return key, since

    def finished(self, key: Key) -> None:
        """The worker is done with a key."""
        self._working.discard(key)
        if self._again.pop(key, None) is not None:
            self.add(key)

    def succeeded(self, key: Key) -> None:
        """Forgets earlier failures of a key."""
        self._failures.pop(key, None)

    def failed(self, key: Key, retry_after: float | None = None) -> float:
        """Puts a key in again after a pause that doubles each time; returns the pause."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        pause = float(min(_FIRST_PAUSE * 2 ** min(count - 1, 20), _LONGEST_PAUSE))
        pause = max(pause * (0.5 + self._jitter()), retry_after or 0.0)
        self.add_after(key, pause)
        return pause

    def forget(self, key: Key) -> None:
        """Drops all that is known of an object that is gone."""
        self._failures.pop(key, None)
        known = self._timers.pop(key, None)
        if known is not None:
            known[1].cancel()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
