"""How much is taken on at once. What does not fit is refused at the door with 503, while it is still cheap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from modelyard_server.errors import OverloadedError
from modelyard_server.metrics import ServerMetrics

Result = TypeVar("Result")


@dataclass(frozen=True)
class AdmissionLimits:
    """Bounds of one server process."""

    requests: int = 1024
    """Requests being read or answered."""
    queued: int = 128
    """Requests that wait for the model, or for a thread."""
    body_bytes: int = 128 * 1024 * 1024
    """Bodies held in memory."""
    threads: int = 2
    """Threads for requests that would hold up the event loop."""


class Admission:
    """Counts what is under way. Used from the event loop only."""

    def __init__(self, limits: AdmissionLimits, metrics: ServerMetrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._requests = 0
        self._queued = 0
        self._body_bytes = 0
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="predict")

    @contextmanager
    def request(self) -> Iterator[None]:
        """The time of a request. Raises OverloadedError where there are too many."""
        if self._requests >= self._limits.requests:
            raise OverloadedError(f"{self._requests} requests are being answered; try again")
        self._requests += 1
        self._metrics.in_progress.set(self._requests)
        try:
            yield
        finally:
            self._requests -= 1
            self._metrics.in_progress.set(self._requests)

    @contextmanager
    def body(self, size: int) -> Iterator[None]:
        """The time for which a body of this many bytes is held. Raises OverloadedError where memory is short."""
        if self._body_bytes + size > self._limits.body_bytes:
            raise OverloadedError(f"bodies of {self._body_bytes} bytes are being answered; try again")
        self._body_bytes += size
        try:
            yield
        finally:
            self._body_bytes -= size

    @contextmanager
    def queue(self) -> Iterator[None]:
        """The time in which a request waits for the model. Raises OverloadedError where too many do."""
        if self._queued >= self._limits.queued:
            raise OverloadedError(f"{self._queued} requests wait for the model; try again")
        self._queued += 1
        self._metrics.queued.set(self._queued)
        try:
            yield
        finally:
            self._queued -= 1
            self._metrics.queued.set(self._queued)

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return self._limits.threads

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Result of ``work`` from a thread. Raises OverloadedError where too many wait for one."""
        with self.queue():
            return await self.run(work)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Result of ``work`` from a thread, for requests that are in the queue already."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Lets the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
