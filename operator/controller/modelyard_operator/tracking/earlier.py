"""Finished runs that later jobs may take, kept in memory: a miss asks MLflow nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelyard_api import labels
from modelyard_operator.errors import TrackingError, UnavailableError
from modelyard_operator.objects.registry import Earlier
from modelyard_operator.tracking.client import Tracking

_FRESH_SECONDS = 60.0
"""Runs of other operators, or restored ones, are seen after this time at the latest."""
_PAUSE_SECONDS = 5.0
"""Pause after MLflow did not answer."""
_OVERLAP_MILLISECONDS = 600_000
"""Runs may end out of order, by the clocks of their nodes."""
_KEPT = 5000
_COMPARABLE = 200
"""Runs whose ingredients are kept."""


@dataclass
class _Project:
    """What is known of one project."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    by_key: dict[str, Earlier] = field(default_factory=dict)
    newest: list[Earlier] = field(default_factory=list)
    """The newest first, with their ingredients."""
    gone: dict[str, tuple[Earlier, str]] = field(default_factory=dict)
    last_end: int = 0
    read_at: float | None = None
    failed_at: float | None = None
    changed: bool = True


class EarlierRuns:
    """One list a project, read from MLflow when somebody asks and something may have changed."""

    def __init__(self, tracking: Tracking, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tracking = tracking
        self._monotonic = monotonic
        self._projects: dict[str, _Project] = {}

    async def find(self, project: str, key: str) -> Earlier | None:
        """The newest run of a key. Raises UnavailableError where MLflow was never read and does not answer."""
        return (await self._current(project)).by_key.get(key)

    def comparable(self, project: str) -> list[Earlier]:
        """The newest runs, the newest first, as last read."""
        return self._of(project).newest

    def changed(self, project: str) -> None:
        """A run has ended: the next question reads again."""
        self._of(project).changed = True

    def forget(self, project: str, run: Earlier, what: str) -> None:
        """The run, or what it made, is gone: ``what`` says which."""
        known = self._of(project)
        _lose(known, run, what)
        known.newest = [each for each in known.newest if each.run_id != run.run_id]

    def gone(self, project: str, key: str) -> tuple[Earlier, str] | None:
        """The run of a key that was found to be gone, and what of it, until there is another."""
        return self._of(project).gone.get(key)

    def _of(self, project: str) -> _Project:
        return self._projects.setdefault(project, _Project())

    async def _current(self, project: str) -> _Project:
        known = self._of(project)
        async with known.lock:
            now = self._monotonic()
            old = known.read_at is None or now - known.read_at > _FRESH_SECONDS
            if known.failed_at is not None and now - known.failed_at < _PAUSE_SECONDS:
                return self._read_before(known)
            if old or known.changed:
                await self._read(project, known)
        return known

    async def _read(self, project: str, known: _Project) -> None:
        known.changed = False
        try:
            since = max(known.last_end - _OVERLAP_MILLISECONDS, 0)
            seen = await self._tracking.finished_runs(project, labels.TAG_CACHE_KEY, since)
        except (UnavailableError, TrackingError):
            known.changed = True
            known.failed_at = self._monotonic()
            self._read_before(known)
            return
        known.failed_at, known.read_at = None, self._monotonic()
        _take_over(known, seen)

    @staticmethod
    def _read_before(known: _Project) -> _Project:
        if known.read_at is None:
            raise UnavailableError("MLflow did not answer when earlier runs were looked for")
        return known


def _take_over(known: _Project, seen: Sequence[Earlier]) -> None:
    """Adds what was read; a run that is gone already stays so."""
    found = {run.run_id: run for run in known.newest}
    gone = {run.run_id for run, _ in known.gone.values()}
    for run in sorted(seen, key=lambda run: run.ended):
        known.last_end = max(known.last_end, run.ended)
        if run.deleted:
            found.pop(run.run_id, None)
            _lose(known, run, "run")
        elif run.run_id not in gone:
            found[run.run_id] = run
            known.gone.pop(run.key, None)
            known.by_key.pop(run.key, None)
            known.by_key[run.key] = replace(run, packed="")
    known.newest = sorted(found.values(), key=lambda run: run.ended, reverse=True)[:_COMPARABLE]
    _shorten(known.by_key, _KEPT)


def _lose(known: _Project, run: Earlier, what: str) -> None:
    held = known.by_key.get(run.key)
    if held is not None and held.run_id != run.run_id:
        # Another run of the key is there.
        return
    known.by_key.pop(run.key, None)
    known.gone[run.key] = run, what
    _shorten(known.gone, _KEPT)


def _shorten(entries: dict[str, Any], most: int) -> None:
    """Leaves out the oldest."""
    while len(entries) > most:
        del entries[next(iter(entries))]
