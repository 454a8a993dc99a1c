"""Models on their way into memory, each in a thread, none of which keeps the server from what is wanted instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from modelyard_api.contract.route import RoutedModel
from modelyard_server.models.loading import LoadedModel

_LOOK_SECONDS = 0.25

Load = Callable[[RoutedModel], LoadedModel]
"""Fetches and builds a model; called in a thread. Raises BundleError for good, StepError for now."""


class SupersededError(Exception):
    """Something else is wanted now."""


class Arriving:
    """Loads under way. A thread cannot be stopped: a load that nobody waits for goes on, and is found by its digest."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._under_way: dict[str, asyncio.Task[LoadedModel]] = {}

    async def model(self, routed: RoutedModel, is_wanted: Callable[[], bool]) -> LoadedModel:
        """The model, once it is loaded. Raises SupersededError when it is not wanted any more, and what ``Load`` raises."""
        digest = routed.model_digest
        loading = self._under_way.get(digest)
        if loading is None:
            loading = asyncio.create_task(asyncio.to_thread(self._load, routed))
            self._under_way[digest] = loading
            loading.add_done_callback(partial(self._ended, digest))
        while not loading.done():
            await asyncio.wait({loading}, timeout=_LOOK_SECONDS)
            if not loading.done() and not is_wanted():
                raise SupersededError
        return loading.result()

    def _ended(self, digest: str, loading: asyncio.Task[LoadedModel]) -> None:
        del self._under_way[digest]
        if not loading.cancelled():
            loading.exception()  # whoever waits gets it; where nobody does, nobody minds
