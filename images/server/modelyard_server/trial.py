"""A candidate beside the champion: it answers its share, or is asked the same once the champion has answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from modelyard_server.dataplane import predictions
from modelyard_server.dialects.base import Dialect
from modelyard_server.errors import OverloadedError, RequestError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.serving import ServedModel, Tried

_PENDING = 32
_PENDING_BYTES = 16 * 1024 * 1024

_log = logging.getLogger(__name__)

Work = Callable[[ServedModel], Awaitable[bytes]]
"""Has a version answer the request that is at hand."""


async def answer_with(
    tried: Tried, champion: ServedModel, work: Work, metrics: ServerMetrics
) -> tuple[ServedModel, bytes]:
    """The candidate's answer, or the champion's where the candidate has none.

    A request that the champion does not answer either is at fault itself: its error is raised, and not counted against
    the candidate. So a broken candidate costs its share of the requests time, and none of them their answer.
    """
    candidate = tried.served
    start = time.perf_counter()
    try:
        body = await work(candidate)
    except OverloadedError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a candidate does, the champion is there
        took = time.perf_counter() - start
        body = await work(champion)
        _count(tried, took, failed=True)
        metrics.trial.failures.labels(candidate.name, candidate.version).inc()
        reason = error.message if isinstance(error, RequestError) else repr(error)
        _log.warning("version %s did not answer, the champion did: %s", candidate.version, reason)
        return champion, body
    _count(tried, time.perf_counter() - start, failed=False)
    return candidate, body


def _count(tried: Tried, seconds: float, *, failed: bool) -> None:
    tally = tried.served.tally
    tally.requests += 1
    tally.errors += failed
    tally.slow += seconds > tried.slow_seconds


@dataclass(frozen=True)
class Compared:
    """What came of a request that was repeated."""

    rows: int
    disagreed: int
    seconds: float
    failed: str = ""
    """Why the candidate has no answer."""


def compare(tried: Tried, champion: ServedModel, dialect: Dialect, body: bytes) -> Compared:
    """Asks champion and candidate for the same rows. Raises RequestError where the champion does not answer."""
    wanted = predictions(champion, dialect, body)
    start = time.perf_counter()
    try:
        got = predictions(tried.served, dialect, body)
    except Exception as error:  # noqa: BLE001  whatever a candidate does is counted
        failed = error.message if isinstance(error, RequestError) else repr(error)
        return Compared(len(wanted), len(wanted), time.perf_counter() - start, failed)
    seconds = time.perf_counter() - start
    tolerance = 0.0 if champion.model.classifies else tried.tolerance
    return Compared(len(wanted), int(np.count_nonzero(~agree(wanted, got, tolerance))), seconds)


def agree(wanted: np.ndarray, got: np.ndarray, tolerance: float) -> np.ndarray:
    """Row by row, whether two answers are the same: labels equal, numbers within a share of the larger one."""
    if len(wanted) != len(got):
        return np.zeros(len(wanted), dtype=bool)
    if wanted.dtype.kind == got.dtype.kind == "f":
        return np.asarray(np.abs(wanted - got) <= tolerance * np.maximum(np.abs(wanted), np.abs(got)))
    return np.array([ours == theirs for ours, theirs in zip(wanted.tolist(), got.tolist(), strict=True)])


class Shadows:
    """Repeats requests for a shadow in one thread of its own. What does not fit in is left out, and counted."""

    def __init__(self, metrics: ServerMetrics, pending: int = _PENDING) -> None:
        self._metrics = metrics.trial
        self._limit = pending
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadow")
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0

    def offer(self, tried: Tried, champion: ServedModel, dialect: Dialect, body: bytes) -> None:
        """Takes an answered request on, if there is room; returns at once."""
        if len(self._tasks) >= self._limit or self._bytes + len(body) > _PENDING_BYTES:
            self._metrics.left_out.inc()
            return
        self._bytes += len(body)
        task = asyncio.create_task(self._repeat(tried, champion, dialect, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Returns when nothing is pending."""
        await asyncio.gather(*self._tasks)

    def close(self) -> None:
        """Lets the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _repeat(self, tried: Tried, champion: ServedModel, dialect: Dialect, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, compare, tried, champion, dialect, body)
        except RequestError:
            return
        except Exception:  # noqa: BLE001  nobody waits for this answer
            _log.exception("a request was not repeated for the shadow")
            return
        finally:
            self._bytes -= len(body)
        self._record(tried, found)

    def _record(self, tried: Tried, found: Compared) -> None:
        served, tally = tried.served, tried.served.tally
        tally.requests += 1
        tally.errors += bool(found.failed)
        tally.slow += found.seconds > tried.slow_seconds
        tally.compared += found.rows
        tally.disagreed += found.disagreed
        if found.failed:
            _log.warning("version %s did not answer as a shadow: %s", served.version, found.failed)
        else:
            served.metrics.observe(found.rows, found.seconds, ())
        self._metrics.compared("agreed", found.rows - found.disagreed)
        self._metrics.compared("disagreed", found.disagreed)
