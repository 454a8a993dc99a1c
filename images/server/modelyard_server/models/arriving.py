"""Models on their way into memory, each in a thread, none of which keeps the server from what is wanted instead."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from modelyard_api.contract.route import RoutedModel
from modelyard_server.models.loading import LoadedModel

_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Wanted:
    """A version that is to be loaded."""

    routed: RoutedModel
    at_stake: bool = False
    """Whether requests are answered meanwhile, and nobody knows yet what loading it does to the process."""
    abandoned: threading.Event = field(default_factory=threading.Event)
    """Set while nobody waits for it."""


Load = Callable[[Wanted], LoadedModel]
"""Fetches and builds a model; called in a thread. Raises BundleError for good, StepError for now, and may raise
SupersededError once it is abandoned."""


class SupersededError(Exception):
    """Something else is wanted now."""


class Arriving:
    """Loads under way. A thread cannot be stopped: what has come too far goes on, and is found by its digest."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._under_way: dict[str, tuple[Wanted, asyncio.Task[LoadedModel]]] = {}

    async def model(self, wanted: Wanted, is_wanted: Callable[[], bool]) -> LoadedModel:
        """The model, once it is loaded. Raises SupersededError when it is not wanted any more, and what ``Load`` raises."""
        digest = wanted.routed.model_digest
        known = self._under_way.get(digest)
        if known is not None and not known[1].done():
            wanted, loading = known
        else:
            loading = asyncio.create_task(asyncio.to_thread(self._load, wanted))
            self._under_way[digest] = wanted, loading
            loading.add_done_callback(partial(self._ended, digest))
        wanted.abandoned.clear()
        try:
            while not loading.done():
                await asyncio.wait({loading}, timeout=_LOOK_SECONDS)
                if not loading.done() and not is_wanted():
                    raise SupersededError
        finally:
            wanted.abandoned.set()
        return loading.result()

    def _ended(self, digest: str, loading: asyncio.Task[LoadedModel]) -> None:
        known = self._under_way.get(digest)
        if known is not None and known[1] is loading:
            del self._under_way[digest]
        if not loading.cancelled():
            loading.exception()  # whoever waits gets it; where nobody does, nobody minds
