"""Workers: take a key, reconcile it, and turn what came of it into the next time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from modelyard_operator.cluster.store import Key
from modelyard_operator.errors import ConflictError, NotHolderError, OperatorError, UnavailableError
from modelyard_operator.handlers.queue import WorkQueue
from modelyard_operator.metrics import Metrics
from modelyard_operator.reconcilers.context import Next

_LOG = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[Next]]


@dataclass(frozen=True)
class Worker:
    """One of several tasks that empty the queue."""

    queue: WorkQueue
    reconciles: Mapping[str, Reconcile]
    """By kind."""
    metrics: Metrics
    listed: asyncio.Event
    """Set once everything that is there is known."""

    async def run(self) -> None:
        """Works for ever."""
        await self.listed.wait()
        while True:
            key, since = await self.queue.take()
            try:
                await self._work(key)
            finally:
                self.queue.finished(key)
                self.metrics.event_to_action_seconds.labels(key.kind).observe(time.monotonic() - since)

    async def _work(self, key: Key) -> None:
        started = time.monotonic()
        result = "error"
        try:
            following = await self.reconciles[key.kind](key)
        except (UnavailableError, NotHolderError, ConflictError) as error:
            after = error.retry_after if isinstance(error, UnavailableError) else None
            pause = self.queue.failed(key, after)
            _LOG.info("%s %s/%s waits %.1f s: %s", *key, pause, error)
        except OperatorError as error:
            pause = self.queue.failed(key)
            _LOG.warning("%s %s/%s failed, again in %.1f s: %s", *key, pause, error)
        except Exception:  # noqa: BLE001  one object must not end the work on all others
            pause = self.queue.failed(key)
            _LOG.exception("%s %s/%s failed, again in %.1f s", *key, pause)
        else:
            self.queue.succeeded(key)
            result = "done" if following.after is None else "retry"
            if following.after is not None:
                self.queue.add_after(key, following.after)
        self.metrics.reconciles.labels(key.kind, result).inc()
        self.metrics.reconcile_seconds.labels(key.kind).observe(time.monotonic() - started)
