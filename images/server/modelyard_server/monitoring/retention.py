"""Removes files of the prediction log, and of labels, whose time is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from modelyard_runtime.errors import StepError
from modelyard_server.series import Counter

_PAUSE_SECONDS = 6 * 3600.0
_DAY = "date="

_log = logging.getLogger(__name__)


class Files(Protocol):
    """What is asked of the store; all raise StepError while it does not answer."""

    def folders(self, prefix: str) -> Sequence[str]:
        """Names of the folders directly below a prefix."""
        ...

    def keys(self, prefix: str) -> Iterable[str]:
        """Keys of all objects below a prefix."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object."""
        ...


class Retention:
    """Keeps the days of some prefixes for so many days."""

    def __init__(self, files: Files, prefixes: Sequence[str], days: int, removed: Counter) -> None:
        """``removed`` counts files that are gone."""
        self._files = files
        self._prefixes = prefixes
        self._days = days
        self._removed = removed

    def sweep(self, now: datetime) -> None:
        """Removes whole days that ended longer ago. Raises StepError."""
        oldest = now.astimezone(UTC).date() - timedelta(days=self._days)
        for prefix in self._prefixes:
            for name in self._files.folders(prefix):
                day = day_of(name)
                if day is not None and day < oldest:
                    self._remove(f"{prefix}/{name}")

    def _remove(self, folder: str) -> None:
        for key in self._files.keys(folder):
            self._files.delete(key)
            self._removed.inc()

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Sweeps now and every few hours for the time of the block."""
        task = asyncio.create_task(self._keep_sweeping())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.sweep, datetime.now(UTC))
            except StepError as error:
                _log.warning("old files of the prediction log stay for now: %s", error.message)
            except Exception:  # noqa: BLE001  the server answers all the same
                _log.exception("old files of the prediction log stay for now")
            await asyncio.sleep(_PAUSE_SECONDS)


def day_of(name: str) -> date | None:
    """The day of a folder; None for what is no day of ours, which is left alone."""
    if not name.startswith(_DAY):
        return None
    try:
        return date.fromisoformat(name.removeprefix(_DAY))
    except ValueError:
        return None
