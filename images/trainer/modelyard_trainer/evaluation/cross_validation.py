"""The pipeline judged on folds of the training part: how much a metric depends on the rows that were drawn."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import numpy as np

from modelyard_trainer.evaluation.folds import Folds
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


def cross_validate(learner: Learner, folds: Folds, wanted: dict[str, Measure]) -> CrossValidated:
    """Fits a copy of the pipeline for each fold. What a library raises is passed on."""
    values = []
    for number, (learn, test) in enumerate(folds.pairs, 1):
        started = time.monotonic()
        values.append(judge_fold(learner, learn, test, wanted))
        _log.info("fold %d of %d in %.1f s", number, len(folds.pairs), time.monotonic() - started)
    return CrossValidated(folds.rule, values)


def judge_fold(
    learner: Learner, learn: np.ndarray, test: np.ndarray, wanted: dict[str, Measure]
) -> dict[str, float]:
    """Metrics on some rows of a copy that is fitted on others; without those that are not defined."""
    judged = learner.judged_on(learner.fitted_on(learn), test)
    found = {name: measured(measure, judged).value for name, measure in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}
