"""Intervals around metrics: what they come to when the test rows are drawn again and again, with replacement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from modelyard_api.v1alpha1.training_job import Bootstrap
from modelyard_trainer.evaluation.judged import Judged, Sample
from modelyard_trainer.evaluation.measures.measure import Measure
from modelyard_trainer.evaluation.measures.probabilities import judged_classes

FEWEST = 100
"""Draws below which a percentile says nothing."""
_CELLS = 200_000_000
"""Rows times draws that a metric may cost, some seconds of work; for fewest draws five times as many."""
_AT_ONCE = 1_000_000
"""Weights in memory at a time: 8 MB, and some such arrays made from them."""


@dataclass(frozen=True)
class Interval:
    """A percentile interval."""

    low: float
    high: float
    resamples: int
    """Draws that it is made of."""
    undefined: int = 0
    """Draws on which the metric is not defined; they are left out."""


def intervals(judged: Judged, wanted: dict[str, Measure], asked: Bootstrap) -> dict[str, Interval]:
    """An interval for each metric that can have one. The same rows and seed give the same bits."""
    draws = {name: draws_of(judged, measure, asked) for name, measure in wanted.items()}
    values: dict[str, list[np.ndarray]] = {name: [] for name, count in draws.items() if count}
    if not values:
        return {}
    done = 0
    # Threads of a matrix product add in an order of their own.
    with threadpool_limits(limits=1), np.errstate(over="ignore", invalid="ignore"):
        for sample in samples(judged.rows, max(draws.values()), asked.seed, judged):
            for name, found in values.items():
                if done < draws[name]:
                    found.append(wanted[name].compute(sample))
            done += len(sample.weights)
    drawn = {name: np.concatenate(found)[: draws[name]] for name, found in values.items()}
    made = {name: percentile_interval(found, asked.confidence) for name, found in drawn.items()}
    return {name: interval for name, interval in made.items() if interval is not None}


def draws_of(judged: Judged, measure: Measure, asked: Bootstrap) -> int:
    """How often the rows are drawn for a metric; 0 where draws say nothing, or would take too long."""
    if not measure.resampled or judged.rows < 2:  # noqa: PLR2004  one row is drawn in one way only
        return 0
    # Sorted rows of each class cost about twice as much as a sum.
    cost = judged.rows * (2 * max(1, len(judged_classes(judged))) if measure.every_class else 1)
    if FEWEST * cost > 5 * _CELLS:
        return 0
    return min(asked.resamples, max(FEWEST, _CELLS // cost))


def samples(rows: int, count: int, seed: int, judged: Judged) -> Iterator[Sample]:
    """Draws of the rows, as many at a time as memory allows."""
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // rows)
    for start in range(0, count, step):
        size = min(step, count - start)
        places = rng.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        weights = np.bincount(places.ravel(), minlength=size * rows).reshape(size, rows)
        yield Sample(judged, weights.astype(np.float64))


def percentile_interval(values: np.ndarray, confidence: str) -> Interval | None:
    """Percentiles of the finite values; None where they are too few."""
    finite = values[np.isfinite(values)]
    if len(finite) < FEWEST:
        return None
    outside = (1 - float(confidence)) / 2 * 100
    low, high = np.percentile(finite, [outside, 100 - outside])
    return Interval(float(low), float(high), len(values), len(values) - len(finite))


def lower_bound(values: np.ndarray, confidence: str) -> float | None:
    """What a share ``confidence`` of the finite values is at least; None where they are too few."""
    finite = values[np.isfinite(values)]
    if len(finite) < FEWEST:
        return None
    return float(np.percentile(finite, (1 - float(confidence)) * 100))
