"""The pipeline judged on folds of the training part: how much a metric depends on the rows that were drawn."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline as FittablePipeline
from threadpoolctl import threadpool_limits

from modelyard_trainer.data import Part
from modelyard_trainer.evaluation.folds import Folds
from modelyard_trainer.evaluation.judged import judge
from modelyard_trainer.evaluation.measures.measure import Measure, measured

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spread:
    """A metric over folds."""

    mean: float
    deviation: float | None
    """Sample standard deviation; None where one fold alone has the metric."""
    folds: int
    """Folds on which it is defined."""


@dataclass(frozen=True)
class CrossValidated:
    """What the folds came to."""

    rule: str
    values: list[dict[str, float]]
    """Metrics of each fold; without those that are not defined on it."""

    def spread(self, name: str) -> Spread | None:
        """Mean and deviation of a metric, None where no fold has it."""
        found = [values[name] for values in self.values if name in values]
        if not found:
            return None
        deviation = float(np.std(found, ddof=1)) if len(found) > 1 else None
        return Spread(float(np.mean(found)), deviation, len(found))


def cross_validate(
    model: FittablePipeline, part: Part, folds: Folds, wanted: dict[str, Measure], threads: int
) -> CrossValidated:
    """Fits an unfitted copy of the model for each fold. What a library raises is passed on."""
    values = []
    for number, (learn, test) in enumerate(folds.pairs, 1):
        started = time.monotonic()
        values.append(judge_fold(model, part, learn, test, wanted, threads))
        _log.info("fold %d of %d in %.1f s", number, len(folds.pairs), time.monotonic() - started)
    return CrossValidated(folds.rule, values)


def judge_fold(
    model: FittablePipeline,
    part: Part,
    learn: np.ndarray,
    test: np.ndarray,
    wanted: dict[str, Measure],
    threads: int,
) -> dict[str, float]:
    """Metrics on some rows of a copy that is fitted on others."""
    fitted = fitted_on(model, part, learn, threads)
    judged = judge(fitted, rows_of(part, test))
    found = {name: measured(measure, judged).value for name, measure in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}


def fitted_on(model: FittablePipeline, part: Part, learn: np.ndarray, threads: int) -> FittablePipeline:
    """A copy of the model, fitted on some rows of a part."""
    fresh = clone(model)
    with threadpool_limits(limits=threads):
        fresh.fit(part.X[learn], part.y[learn])
    return fresh


def rows_of(part: Part, places: Sequence[int] | np.ndarray) -> Part:
    """Some rows of a part."""
    chosen = np.asarray(places)
    return replace(part, table=part.table.take(chosen), X=part.X[chosen], y=part.y[chosen])
