"""The pipeline judged on folds of the training part: how much a metric depends on the rows that were drawn."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_trainer.evaluation.folds import Folds
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.learner import Learner
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


See = Callable[[int, FittablePipeline, Judged], None]
"""Is shown the copy of each fold, by its number from 0, and its answers for the fold."""


def cross_validate(
    learner: Learner, folds: Folds, wanted: dict[str, Measure], see: See | None = None
) -> CrossValidated:
    """Fits a copy of the pipeline for each fold. What a library raises is passed on."""
    values = []
    for number, (learn, test) in enumerate(folds.pairs):
        started = time.monotonic()
        fitted = learner.fitted_on(learn)
        judged = learner.judged_on(fitted, test)
        found = {name: measured(measure, judged).value for name, measure in wanted.items()}
        values.append({name: value for name, value in found.items() if value is not None})
        if see is not None:
            see(number, fitted, judged)
        _log.info("fold %d of %d in %.1f s", number + 1, len(folds.pairs), time.monotonic() - started)
    return CrossValidated(folds.rule, values)
