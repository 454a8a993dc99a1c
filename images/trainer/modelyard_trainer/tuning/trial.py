"""A trial: the values that were tried, what they came to on the folds so far, and the study that it belongs to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.common import Json

Values = dict[str, Json]
"""A value for each parameter, by the path of the parameter."""


@dataclass(frozen=True)
class Study:
    """What makes the trials of a job comparable."""

    uid: str
    job: str
    context: str
    """Digest of everything that a trial's value depends on besides its parameters."""
    metric: str
    direction: Direction
    budget: int
    """Trials at most."""
    seconds: float | None = None
    """Seconds of all trials together after which no further one begins."""
    cpu_seconds: float | None = None
    """The same for CPU time."""


class State(StrEnum):
    """Where a trial is; all but the first are ends."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    PRUNED = "Pruned"
    FAILED = "Failed"


@dataclass(frozen=True)
class Trial:
    """A trial as it is recorded."""

    number: int
    """From 0; below 0 for trials of an earlier job, which are only learnt from."""
    state: State
    values: Values | None = None
    """None while they are being chosen."""
    value: float | None = None
    """The objective, once it is known."""
    folds: tuple[float, ...] = field(default=())
    """The metric on each fold that was judged."""

    def mean(self, folds: int | None = None) -> float:
        """Mean of the metric over the first folds, or over all that were judged."""
        chosen = self.folds[:folds]
        return sum(chosen) / len(chosen)


def loss(value: float, direction: Direction) -> float:
    """The value so that less is better."""
    return value if direction is Direction.MINIMIZE else -value


def seed_of(seed: int, number: int) -> int:
    """A seed for one trial: what a trial tries depends on the record alone, not on how often a worker was restarted."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4])
