"""The work queue: each object at most once in it, at most one worker an object, failures with growing pauses.

It has two lanes. What happened to an object comes first; what is only to be finished (a status, the resync) waits until
nothing has happened for a moment. So a thousand new resources have their Jobs before the API server is busy with a
thousand statuses, and several changes of one object that follow each other closely become one status.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from modelyard_operator.cluster.store import Key

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
# Longer than events of one burst are apart, shorter than a person notices.
_CALM_SECONDS = 0.1
_LATEST_SECONDS = 5.0
_TURN = 8


class WorkQueue:
    """Keys in order of their arrival; a key that arrives while it is worked on comes again afterwards."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self._monotonic = monotonic
        self._jitter = jitter
        self._first: OrderedDict[Key, float] = OrderedDict()
        self._late: OrderedDict[Key, float] = OrderedDict()
        self._arrived = monotonic() - _CALM_SECONDS
        self._turn = 0
        self._working: set[Key] = set()
        self._again: dict[Key, bool] = {}
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._calm: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._first) + len(self._late)

    def add(self, key: Key) -> None:
        """Something happened: puts a key at the back of the first lane, unless it waits there already."""
        if key in self._working:
            self._again.setdefault(key, False)
        elif key not in self._first:
            self._late.pop(key, None)
            self._first[key] = self._arrived = self._monotonic()
            self._rouse()

    def add_late(self, key: Key) -> None:
        """Puts a key where it waits until nothing has happened for a moment, or for some seconds at most.

        For a key that is being worked on this holds even where an event of it came meanwhile: mostly it is that of
        the worker's own write.
        """
        if key in self._working:
            self._again[key] = True
        elif key not in self._first and key not in self._late:
            self._late[key] = self._monotonic()
            self._rouse()

    def add_after(self, key: Key, seconds: float) -> None:
        """Puts a key in later; of several such times the earliest counts."""
        if seconds <= 0:
            self.add_late(key)
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
        while (following := self._next()) is None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        self._working.add(following[0])
        return following

    def finished(self, key: Key) -> None:
        """The worker is done with a key."""
        self._working.discard(key)
        late = self._again.pop(key, None)
        if late is not None:
            (self.add_late if late else self.add)(key)

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

    def _next(self) -> tuple[Key, float] | None:
        now = self._monotonic()
        since = next(iter(self._late.values()), now)
        overdue = now - since >= _LATEST_SECONDS
        if self._first and not (overdue and self._turn == 0):
            # Neither lane may starve the other: of so many keys one is an overdue one.
            self._turn = (self._turn - 1) % _TURN
            return self._first.popitem(last=False)
        if not self._late:
            return None
        pause = self._arrived + _CALM_SECONDS - now
        if pause <= 0 or (overdue and self._turn == 0):
            self._turn = _TURN - 1
            return self._late.popitem(last=False)
        if self._calm is None:
            self._calm = asyncio.get_running_loop().call_later(pause, self._calmed)
        return None

    def _calmed(self) -> None:
        self._calm = None
        for _ in range(min(len(self._late), len(self._waiters))):
            self._rouse()

    def _rouse(self) -> None:
        """Wakes one worker, not all: with a key or none it goes back to waiting by itself."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
