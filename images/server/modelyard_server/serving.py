"""What is being served: the champion, the version before it, and who is who. Replaced whole, never changed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from modelyard_api.contract.route import RoleCounts, Route, RoutedModel, ServedRole, Trial
from modelyard_server.errors import Header, RequestError
from modelyard_server.metrics import ModelMetrics
from modelyard_server.models.loading import LoadedModel
from modelyard_server.monitoring.tap import Tap
from modelyard_server.share import Share

Role = ServedRole
"""Why a version is held."""


@dataclass
class Tally:
    """Counts of a version under one route; the fields are those of ``RoleCounts``.

    Used from the event loop only, but for those of drift, which the monitor's thread sets.
    """

    requests: int = 0
    errors: int = 0
    slow: int = 0
    compared: int = 0
    disagreed: int = 0
    windows: int = 0
    drifted: int = 0
    drifting: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A loaded version under the name that clients know."""

    name: str
    role: Role
    routed: RoutedModel
    model: LoadedModel
    metrics: ModelMetrics
    tap: Tap | None = None
    """Takes the answers for the prediction log and for drift; None where nobody looks at them."""
    tally: Tally = field(default_factory=Tally)

    @property
    def counts(self) -> RoleCounts:
        """The tally as the operator reads it."""
        return RoleCounts(role=self.role, version=self.version, **vars(self.tally))

    @property
    def version(self) -> str:
        """Version in the registry."""
        return self.routed.version

    @cached_property
    def header(self) -> Header:
        """Tells with every answer which version gave it."""
        return (b"x-modelyard-model-version", self.version.encode("latin-1", "replace"))


def slow_after(seconds: str | None) -> float:
    """Seconds after which an answer is slow; never where nothing is said."""
    return float(seconds) if seconds is not None else math.inf


@dataclass(frozen=True)
class Tried:
    """A candidate that is loaded and warm, and who decides which requests it gets."""

    served: ServedModel
    trial: Trial
    share: Share
    slow_seconds: float
    """Answers that take longer are slow."""
    tolerance: float
    """Share of the larger of two numbers by which they may differ."""

    @classmethod
    def of(cls, served: ServedModel, trial: Trial) -> Tried:
        """With the numbers of the trial, read once."""
        return cls(
            served=served,
            trial=trial,
            share=Share(trial.percent),
            slow_seconds=slow_after(trial.max_latency_seconds),
            tolerance=float(trial.tolerance or 0),
        )


@dataclass(frozen=True)
class Serving:
    """A route that is loaded and warm."""

    route: Route
    champion: ServedModel
    previous: ServedModel | None = None
    tried: Tried | None = None
    slow_seconds: float = math.inf
    """Answers of the champion that take longer are slow."""
    at_once: dict[str, ServedModel] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Who answers short requests, by their paths; found when it is first asked for."""

    @property
    def held(self) -> tuple[ServedModel, ...]:
        """All versions, the champion first."""
        candidate = self.tried.served if self.tried is not None else None
        return tuple(each for each in (self.champion, candidate, self.previous) if each is not None)

    @property
    def versions(self) -> list[str]:
        """Versions that may be asked for."""
        return [served.version for served in self.held]

    def find(self, name: str | None, version: str | None) -> ServedModel:
        """The version that is asked for, the champion where none is. Raises RequestError 404."""
        if name is not None and name != self.champion.name:
            raise RequestError(
                f'model "{name[:80]}" is not served here, "{self.champion.name}" is', HTTPStatus.NOT_FOUND
            )
        if version is None:
            return self.champion
        for served in self.held:
            if served.version == version:
                return served
        raise RequestError(
            f'version "{version[:20]}" of model "{self.champion.name}" is not served here, '
            f"{' and '.join(self.versions)} {'are' if len(self.held) > 1 else 'is'}",
            HTTPStatus.NOT_FOUND,
        )
