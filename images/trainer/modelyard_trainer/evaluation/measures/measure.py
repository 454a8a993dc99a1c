"""What a metric of the registry consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from modelyard_trainer.evaluation.judged import Judged, Sample


def _silent(judged: Judged) -> str:
    del judged
    return ""


@dataclass(frozen=True)
class Measure:
    """A metric's arithmetic. What is not defined is NaN, never a number that looks like a result."""

    compute: Callable[[Sample], np.ndarray]
    """One value a resample, NaN where it is not defined."""
    why_undefined: Callable[[Judged], str] = _silent
    """Why the value is NaN, as a clause."""
    note: Callable[[Judged], str] = _silent
    """What a reader must know of a value that is defined; empty if nothing."""
    resampled: bool = True
    """False where a bootstrap says nothing, as for an extreme."""
    every_class: bool = False
    """True where the work grows with the number of classes."""


@dataclass(frozen=True)
class Measured:
    """A metric of a part."""

    value: float | None
    """None where it is not defined."""
    note: str = ""
    """Why it is not defined, or what was assumed."""


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """A quotient that is NaN where nothing can be divided."""
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))


def measured(measure: Measure, judged: Judged) -> Measured:
    """The value of a metric, or why it has none."""
    value = float(measure.compute(judged.whole)[0])
    if np.isfinite(value):
        return Measured(value, measure.note(judged))
    if np.isnan(value):
        return Measured(None, measure.why_undefined(judged) or "it is not a number")
    return Measured(None, "it is infinite")
