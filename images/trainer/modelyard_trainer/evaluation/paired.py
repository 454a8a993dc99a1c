"""Two models on the same rows: whether the difference of a metric is more than the luck of these rows.

Both are judged on the same draws of the rows, so that rows which are hard for both weigh on neither. Intervals of two
models may overlap and the difference still be beyond doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from modelyard_api.metrics import find_metric
from modelyard_api.v1alpha1.training_job import Bootstrap
from modelyard_runtime.errors import DataError
from modelyard_trainer.evaluation.answers import Answers
from modelyard_trainer.evaluation.bootstrap import Interval, draws_of, percentile_interval, samples
from modelyard_trainer.evaluation.judged import Judged, Sample
from modelyard_trainer.evaluation.measures.measure import measured
from modelyard_trainer.evaluation.metrics import measure_of

FEWEST_ROWS = 30


@dataclass(frozen=True)
class Difference:
    """A metric of the second model less that of the first, both on the rows that both have answered."""

    value: float
    interval: Interval | None
    """None where draws say nothing of the metric, or too few have a value."""
    rows: int

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


@dataclass(frozen=True)
class Draws:
    """A metric of two models on the rows that both have answered, as they are and drawn again and again."""

    first: float
    second: float
    differences: np.ndarray
    """Of each draw, the second's less the first's; empty where draws say nothing of the metric."""
    rows: int


def difference(first: Answers, second: Answers, name: str, asked: Bootstrap) -> Difference:
    """Raises DataError where the two cannot be compared row by row."""
    found = draw(first, second, name, asked)
    interval = percentile_interval(found.differences, asked.confidence) if len(found.differences) else None
    return Difference(found.second - found.first, interval, found.rows)


def draw(first: Answers, second: Answers, name: str, asked: Bootstrap) -> Draws:
    """Both models on the same draws; the confidence asked for is left to the caller.

    Raises DataError where the two cannot be compared row by row.
    """
    one, other = _on_common_rows(first, second)
    metric = find_metric(name)
    measure = measure_of(name, [] if one.classes is None else one.classes.tolist())
    if metric is None or measure is None or metric.needs not in one.given & other.given:
        raise DataError(f"what was kept of the predictions does not tell {name}")
    here, there = (measured(measure, judged).value for judged in (one, other))
    if here is None or there is None:
        raise DataError(f"{name} is not defined on the {one.rows:,} rows that both have")
    count = min(draws_of(one, measure, asked), draws_of(other, measure, asked))
    with threadpool_limits(limits=1), np.errstate(over="ignore", invalid="ignore"):
        found = [
            measure.compute(Sample(other, sample.weights)) - measure.compute(sample)
            for sample in samples(one.rows, count, asked.seed, one)
        ]
    return Draws(here, there, np.concatenate(found) if found else np.zeros(0), one.rows)


def _on_common_rows(first: Answers, second: Answers) -> tuple[Judged, Judged]:
    common, here, there = np.intersect1d(first.rows, second.rows, return_indices=True)
    if len(common) < FEWEST_ROWS:
        raise DataError(f"both have {len(common)} test rows, and {FEWEST_ROWS} are needed")
    one, other = first.judged.take(here), second.judged.take(there)
    if not np.array_equal(one.truth, other.truth):
        raise DataError(f"of the {len(common):,} rows that both have some differ in the target")
    return one, other
