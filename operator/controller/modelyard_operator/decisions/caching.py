"""Whether a result that is there already is the answer, and what is said where it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from modelyard_api.caching import Ingredients, differences, unpack
from modelyard_api.conditions import Observation
from modelyard_api.v1alpha1.reasons import TrainingJobCondition, TrainingJobReason
from modelyard_api.v1alpha1.training_job import MISSES_SHOWN, CacheStatus, ModelRef
from modelyard_operator.decisions.plan import false, true
from modelyard_operator.objects.registry import Earlier

CACHED = TrainingJobCondition.CACHED

_NAMED = 6
"""Differences that a message names."""
_COMPARED = 20
"""Earlier runs that are compared with: the newest of the same Dataset."""


@dataclass(frozen=True)
class Hit:
    """An earlier run that is there with all it made."""

    run_id: str
    metrics: Mapping[str, float]
    model: ModelRef | None
    not_servable: str = ""
    """Why no server can answer with its model, where none can."""


class Found(Enum):
    """What came of looking for an earlier run."""

    HIT = auto()
    NONE = auto()
    OFF = auto()
    UNKNOWN = auto()
    """An ingredient is not known."""
    UNASKED = auto()
    """MLflow did not answer."""
    GONE = auto()
    """There was one, but it or what it made was removed."""


@dataclass(frozen=True)
class Looked:
    """What is known of earlier runs."""

    found: Found
    key: str | None = None
    hit: Hit | None = None
    because: tuple[str, ...] = ()
    """By what the nearest run differs."""
    nearest: str | None = None
    words: str = ""
    """What is unknown, off or gone."""

    @property
    def status(self) -> CacheStatus:
        """For the status of the job."""
        return CacheStatus(
            key=self.key,
            hit=self.hit is not None,
            miss_because=[path[:253] for path in self.because[:MISSES_SHOWN]],
            nearest_run=self.nearest,
        )

    @property
    def observed(self) -> Observation:
        """For the conditions of the job."""
        match self.found:
            case Found.HIT:
                return true(CACHED, TrainingJobReason.CACHE_HIT, self.sentence)
            case Found.OFF:
                return false(CACHED, TrainingJobReason.CACHE_OFF, self.sentence)
            case Found.UNKNOWN:
                return false(CACHED, TrainingJobReason.UNPINNED_INPUT, self.sentence)
            case _:
                return false(CACHED, TrainingJobReason.CACHE_MISS, self.sentence)

    @property
    def sentence(self) -> str:
        """The answer in words."""
        match self.found:
            case Found.HIT:
                return f"Run {self.nearest} has the same data, spec and image"
            case Found.NONE if self.nearest is not None:
                return f"{_listed(self.because)} differ{_s(self.because)} from run {self.nearest}, the nearest one"
            case Found.NONE:
                return "There is no earlier run to take"
            case _:
                return self.words


def nearest(
    ingredients: Ingredients, dataset: str, runs: Sequence[Earlier]
) -> tuple[Earlier, list[str]] | None:
    """The earlier run with the fewest differences, the newest of equals, and the differences.

    ``runs`` are the newest first; those of the same Dataset are looked at, or all where there are none.
    """
    own = [run for run in runs if run.dataset == dataset] or list(runs)
    best: tuple[Earlier, list[str]] | None = None
    for run in own[:_COMPARED]:
        before = unpack(run.packed)
        if before is None:
            continue
        differing = differences(ingredients, before)
        if best is None or len(differing) < len(best[1]):
            best = run, differing
    return best


def _listed(paths: Sequence[str]) -> str:
    if not paths:
        return "Nothing"
    more = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _s(paths: Sequence[str]) -> str:
    return "s" if len(paths) <= 1 else ""
