"""What plots are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from modelyard_api.metrics import Task
from modelyard_trainer.evaluation.importance import Importance
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.learning import LearningCurve
from modelyard_trainer.evaluation.measures.measure import Measured

POINTS = 5_000
"""Rows that a scatter shows at most."""


@dataclass(frozen=True)
class Subject:
    """A judged model."""

    task: Task
    target: str
    judged: Judged
    metrics: dict[str, Measured]
    importance: Importance | None = None
    learning: LearningCurve | None = None

    def sampled(self, most: int = POINTS) -> tuple[np.ndarray, str]:
        """Places of the rows to show, always the same ones, and what to say of that."""
        rows = self.judged.rows
        if rows <= most:
            return np.arange(rows), f"{rows:,} test rows"
        chosen = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
        return chosen, f"{most:,} of {rows:,} test rows"

    def value(self, name: str) -> str:
        """A metric as text, or an empty one."""
        found = self.metrics.get(name)
        return "" if found is None or found.value is None else f"{found.value:.4g}"


@dataclass(frozen=True)
class Plot:
    """A line of the registry."""

    name: str
    """Name of the file, without its end."""
    caption: str
    applies: Callable[[Subject], bool]
    draw: Callable[[Subject], Figure]


def is_regression(subject: Subject) -> bool:
    """Whether numbers are predicted."""
    return subject.task is Task.REGRESSION


def has_probabilities(subject: Subject) -> bool:
    """Whether the model gives probabilities of classes."""
    return subject.judged.probabilities is not None
