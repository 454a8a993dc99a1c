"""Reading ahead: a thread takes the next items while the last ones are at work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class _Given(Generic[Item]):
    item: Item


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None


class _Reader(Generic[Item]):
    """The thread and what it has taken."""

    def __init__(self, items: Iterator[Item], count: int) -> None:
        self._items = items
        self._taken: queue.Queue[_Given[Item] | _Ended] = queue.Queue(count)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reading", daemon=True)
        self._thread.start()

    def given(self) -> Iterator[Item]:
        """The items; an error comes where it happened."""
        while isinstance(what := self._taken.get(), _Given):
            yield what.item
        if what.error is not None:
            raise what.error

    def stop(self) -> None:
        """Ends the thread after the item that it is at."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                self._put(_Given(item))
                if self._stopped.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001  raised again where the items are used
            error = raised
        self._put(_Ended(error))

    def _put(self, what: _Given[Item] | _Ended) -> None:
        done = False
        while not done and not self._stopped.is_set():
            with suppress(queue.Full):
                self._taken.put(what, timeout=_PAUSE_SECONDS)
                done = True


@contextmanager
def ahead(items: Iterator[Item], count: int = 4) -> Iterator[Iterator[Item]]:
    """The items, up to ``count`` of them taken before they are asked for. Leaving the block stops the thread."""
    reader = _Reader(items, count)
    try:
        yield reader.given()
    finally:
        reader.stop()
