"""Keeps the server on its route: reads the mounted file, loads what it names, and swaps when all is warm."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.route import Route, RoutedModel, TrialMode
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.errors import StepError
from modelyard_server.errors import BundleError
from modelyard_server.metrics import HeldVersion, ServerMetrics
from modelyard_server.models.arriving import Arriving, Load, SupersededError, Wanted
from modelyard_server.models.loading import LoadedModel
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.serving import Role, ServedModel, Serving, Tried, slow_after
from modelyard_server.state import ServerState

_POLL_SECONDS = 0.5
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    """A version of the file, by what a stat tells of it. A ConfigMap's update is another inode."""

    inode: int
    modified: int
    size: int

    @classmethod
    def of(cls, path: Path) -> _Seen:
        """The file as it is. Raises OSError."""
        stat = path.stat()
        return cls(stat.st_ino, stat.st_mtime_ns, stat.st_size)


class RouteKeeper:
    """Follows the route file. A route that cannot be served leaves the one before it in charge."""

    def __init__(
        self,
        path: Path,
        load: Load,
        state: ServerState,
        metrics: ServerMetrics,
        monitor: Monitor | None = None,
    ) -> None:
        self._path = path
        self._arriving = Arriving(load)
        self._monitor = monitor
        self._state = state
        self._metrics = metrics
        self._seen: _Seen | None = None
        self._route: Route | None = None
        self._settled = True
        self._pause = _FIRST_PAUSE
        self._retry_at = 0.0

    async def run(self) -> None:
        """Looks at the file twice a second, for ever."""
        while True:
            try:
                await self.look(time.monotonic())
            except Exception:  # noqa: BLE001  a keeper that ends leaves a server that is never updated
                _log.exception("the route was not kept")
                self._state.error = "the server failed to follow its route; its log says why"
            await asyncio.sleep(_POLL_SECONDS)

    async def look(self, now: float) -> None:
        """One look: reads the file if it is another one, and works towards its route until the file is yet another."""
        if self._changed():
            self._settled, self._pause, self._retry_at = not self._read(), _FIRST_PAUSE, now
        if self._settled or self._route is None or now < self._retry_at:
            return
        try:
            if await self._serve(self._route):
                self._settled = True
                return
        except SupersededError:
            return
        self._retry_at = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _changed(self) -> bool:
        try:
            seen = _Seen.of(self._path)
        except OSError as error:
            if self._state.serving is None:
                self._state.error = f"the route file {self._path} cannot be read: {error.strerror}"
            return False
        changed = seen != self._seen
        self._seen = seen
        return changed

    def _is_wanted(self) -> bool:
        """Whether the file is still the one that was read."""
        try:
            return _Seen.of(self._path) == self._seen
        except OSError:
            return True

    def _read(self) -> bool:
        """Whether the file holds a route."""
        try:
            self._route = Route.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError) as error:
            _log.error("the route file cannot be used: %s", error)
            self._state.error = f"the route file {self._path} cannot be used: {str(error).splitlines()[0]}"
            return False
        digest = self._route.digest()
        if digest != self._state.wanted_digest:
            # What was wrong with an earlier route says nothing about this one.
            self._state.error = None
        self._state.follow(self._route)
        return True

    async def _serve(self, route: Route) -> bool:
        """Whether this route is done with, served or refused."""
        start = time.monotonic()
        trying = route.champion
        try:
            champion, candidate = await self._model(trying), None
            if route.candidate is not None:
                self._stand_in(route, champion)
                trying = route.candidate.model
                candidate = await self._model(trying)
        except StepError as error:
            self._fail(route, trying, error.message, "unreachable")
            return False
        except BundleError as error:
            self._fail(route, trying, str(error), "refused")
            return True
        self._publish(self._serving(route, champion, candidate))
        self._state.error = None
        self._metrics.swaps.labels("served").inc()
        self._metrics.load_seconds.observe(time.monotonic() - start)
        await self._add_previous(route)
        await asyncio.to_thread(_settle_memory)
        return True

    def _stand_in(self, route: Route, champion: LoadedModel) -> None:
        """Serves the champion alone until the candidate is there: they neither wait for one another nor fail together."""
        serving = self._state.serving
        if serving is None or serving.champion.model.digest != champion.digest:
            self._publish(self._serving(route.model_copy(update={"candidate": None}), champion, None))

    async def _add_previous(self, route: Route) -> None:
        """The way back is a convenience: the route is served without it, too."""
        serving, routed = self._state.serving, route.previous
        if serving is None or routed is None or serving.previous is not None:
            return
        try:
            model = await self._model(routed, proven=True)
        except (StepError, BundleError) as error:
            _log.warning("previous version %s is not held: %s", routed.version, error)
            return
        self._publish(replace(serving, previous=self._named(route, routed, Role.PREVIOUS, model)))

    async def _model(self, routed: RoutedModel, *, proven: bool = False) -> LoadedModel:
        """The model; ``proven`` is a version that was in charge before."""
        held = self._held(routed)
        if held is not None:
            return held
        at_stake = self._state.serving is not None and not proven
        return await self._arriving.model(Wanted(routed, at_stake), self._is_wanted)

    def _held(self, routed: RoutedModel) -> LoadedModel | None:
        held = self._state.serving.held if self._state.serving else ()
        return next((served.model for served in held if served.model.digest == routed.model_digest), None)

    def _serving(self, route: Route, champion: LoadedModel, candidate: LoadedModel | None) -> Serving:
        """The route with what is loaded of it; a previous version that is not is done without."""
        previous, trial, tried = route.previous, route.candidate, None
        held = self._held(previous) if previous is not None else None
        if trial is not None and candidate is not None:
            role = Role.SHADOW if trial.mode is TrialMode.SHADOW else Role.CANDIDATE
            tried = Tried.of(self._named(route, trial.model, role, candidate), trial)
        return Serving(
            route=route,
            champion=self._named(route, route.champion, Role.CHAMPION, champion),
            previous=self._named(route, previous, Role.PREVIOUS, held)
            if previous is not None and held is not None
            else None,
            tried=tried,
            slow_seconds=slow_after(route.max_latency_seconds),
        )

    def _publish(self, serving: Serving) -> None:
        self._state.serving = serving
        held = [HeldVersion(served.routed, served.role, served.model.compiled) for served in serving.held]
        self._metrics.show_versions(serving.route.model_name, held)
        if self._monitor is not None:
            self._monitor.keep(serving.held)
        _log.info("serving", extra={"model": serving.route.model_name, "versions": serving.versions})

    def _named(self, route: Route, routed: RoutedModel, role: Role, model: LoadedModel) -> ServedModel:
        texts = [
            (place, column.name)
            for place, column in enumerate(model.signature.columns)
            if column.type is ColumnType.TEXT
        ]
        metrics = self._metrics.of_model(route.model_name, routed.version, role, texts)
        tap = None if self._monitor is None else self._monitor.tap_of(model)
        return ServedModel(route.model_name, role, routed, model, metrics, tap)

    def _fail(self, route: Route, routed: RoutedModel, message: str, result: str) -> None:
        version = routed.version
        _log.error("version %s is not served: %s", version, message)
        self._state.error = f"version {version} of model {route.model_name}: {message}"
        self._metrics.swaps.labels(result).inc()


def _settle_memory() -> None:
    """Frees what the old route and the loading held, and takes the models out of the collector's rounds.

    The collector would walk through them for nothing while requests wait. What building a model has freed, the C
    library keeps for itself; a forest leaves half as much again as it takes.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, others do not
    if trim is not None:
        trim(0)
