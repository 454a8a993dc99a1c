"""A candidate beside the champion: it answers its share, or is asked the same once the champion has answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from modelyard_api.contract.route import TrialMode
from modelyard_server.dataplane import Asked, leave, proven
from modelyard_server.errors import OverloadedError, RequestError, UnansweredError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.serving import ServedModel, Serving, Tried

_PENDING = 32
_PENDING_BYTES = 16 * 1024 * 1024

_log = logging.getLogger(__name__)

Result = TypeVar("Result")
Work = Callable[[ServedModel], Awaitable[Result]]
"""Has a version answer the request that is at hand."""
Read = Callable[[ServedModel], Asked]
"""Reads the request that is at hand for a version. Raises RequestError."""


@dataclass(frozen=True)
class Asking(Generic[Result]):
    """A request, in whatever protocol it came, as versions are asked it."""

    given_id: bytes
    """What the client calls it; empty where it does not."""
    work: Work[Result]
    read: Read
    size: int
    """Bytes that are held while it waits."""


class Trials:
    """Decides which version answers a request: the one that is asked, or a candidate for its share."""

    def __init__(self, metrics: ServerMetrics) -> None:
        self._metrics = metrics
        self._shadows = Shadows(metrics)

    async def answer(
        self, serving: Serving, served: ServedModel, asking: Asking[Result], *, by_version: bool
    ) -> tuple[ServedModel, Result]:
        """Who answered, and what. A request that names a version ``by_version`` is answered by that one."""
        tried = None if by_version else serving.tried
        if tried is None or not tried.share.takes(asking.given_id):
            return served, await self._alone(serving, served, asking)
        if tried.trial.mode is TrialMode.CANARY:
            return await answer_with(tried, served, asking.work, self._metrics)
        found = await self._alone(serving, served, asking)
        self._shadows.offer(tried, served, asking.read, asking.size)
        return served, found

    def doubt(self, serving: Serving, served: ServedModel, read: Read, size: int) -> None:
        """Has the version before asked what the champion has no answer to; if it has one, that counts against the champion.

        So a champion is known that answers with no number, and not blamed for rows that nobody could answer.
        """
        if serving.previous is not None and served is serving.champion:
            self._shadows.refer(served, serving.previous, read, size)

    async def _alone(self, serving: Serving, served: ServedModel, asking: Asking[Result]) -> Result:
        try:
            return await counted(served, asking.work, serving.slow_seconds)
        except UnansweredError:
            self.doubt(serving, served, asking.read, asking.size)
            raise

    async def idle(self) -> None:
        """Returns when no request is being repeated for a shadow."""
        await self._shadows.idle()

    def close(self) -> None:
        """Lets the shadows' thread go."""
        self._shadows.close()


async def counted(served: ServedModel, work: Work[Result], slow_seconds: float) -> Result:
    """The answer of a version that answers for itself: its faults are counted, those of requests are not."""
    tally = served.tally
    tally.requests += 1
    start = time.perf_counter()
    try:
        found = await work(served)
    except RequestError:
        raise
    except Exception:
        tally.errors += 1
        raise
    tally.slow += time.perf_counter() - start > slow_seconds
    return found


async def answer_with(
    tried: Tried, champion: ServedModel, work: Work[Result], metrics: ServerMetrics
) -> tuple[ServedModel, Result]:
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


def compare(tried: Tried, champion: ServedModel, read: Read) -> Compared:
    """Asks champion and candidate for the same rows. Raises RequestError where the champion does not answer.

    What the candidate answers is left to those who look at answers, as its own.
    """
    wanted = proven(champion, read(champion)).predictions
    start = time.perf_counter()
    try:
        asked = read(tried.served)
        found = proven(tried.served, asked)
    except Exception as error:  # noqa: BLE001  whatever a candidate does is counted
        failed = error.message if isinstance(error, RequestError) else repr(error)
        return Compared(len(wanted), len(wanted), time.perf_counter() - start, failed)
    seconds = time.perf_counter() - start
    leave(tried.served, asked, found, seconds)
    got = found.predictions
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

    def offer(self, tried: Tried, champion: ServedModel, read: Read, size: int) -> None:
        """Takes an answered request on, if there is room; returns at once."""
        if not self._begin(self._repeat(tried, champion, read, size), size):
            self._metrics.left_out.inc()

    def refer(self, champion: ServedModel, previous: ServedModel, read: Read, size: int) -> None:
        """Takes a request on that the champion did not answer, if there is room; returns at once."""
        self._begin(self._judge(champion, previous, read, size), size)

    def _begin(self, work: Coroutine[None, None, None], size: int) -> bool:
        """Whether there is room for it."""
        if len(self._tasks) >= self._limit or self._bytes + size > _PENDING_BYTES:
            work.close()
            return False
        self._bytes += size
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def idle(self) -> None:
        """Returns when nothing is pending."""
        await asyncio.gather(*self._tasks)

    def close(self) -> None:
        """Lets the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _repeat(self, tried: Tried, champion: ServedModel, read: Read, size: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, compare, tried, champion, read)
        except RequestError:
            return
        except Exception:  # noqa: BLE001  nobody waits for this answer
            _log.exception("a request was not repeated for the shadow")
            return
        finally:
            self._bytes -= size
        self._record(tried, found)

    async def _judge(self, champion: ServedModel, previous: ServedModel, read: Read, size: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, lambda: proven(previous, read(previous)))
        except Exception:  # noqa: BLE001  whatever it was, there is no answer
            return
        finally:
            self._bytes -= size
        champion.tally.errors += 1
        _log.warning("version %s has no answer where version %s has one", champion.version, previous.version)

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
