"""How a metric changes with the number of rows learnt from."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_runtime.errors import StepError
from modelyard_trainer.evaluation.folds import Folds
from modelyard_trainer.evaluation.learner import Learner
from modelyard_trainer.evaluation.measures.measure import Measure, measured

_SHARES = (0.1, 0.25, 0.5, 1.0)
_FOLDS = 3
_FEWEST_ROWS = 20
_SEED = 0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LearningCurve:
    """A metric by rows; one list of folds' values a size."""

    metric: str
    rows: list[int]
    learnt: list[list[float]]
    """On the rows learnt from."""
    judged: list[list[float]]
    """On the fold."""
    folds: int


def learning_curve(learner: Learner, folds: Folds, metric: tuple[str, Measure]) -> LearningCurve | None:
    """Fits copies on shares of at most three folds; None where fewer than two sizes can be had."""
    name, measure = metric
    rows: list[int] = []
    learnt: list[list[float]] = []
    held: list[list[float]] = []
    for share in _SHARES:
        inside, outside, sizes = [], [], []
        for learn, test in folds.pairs[-_FOLDS:]:
            chosen = _share_of(learn, share, ordered=folds.ordered)
            fitted = _fitted(learner, chosen)
            if fitted is None:
                continue
            first = measured(measure, learner.judged_on(fitted, chosen)).value
            second = measured(measure, learner.judged_on(fitted, test)).value
            if first is not None and second is not None:
                inside.append(first)
                outside.append(second)
                sizes.append(len(chosen))
        if sizes:
            rows.append(round(sum(sizes) / len(sizes)))
            learnt.append(inside)
            held.append(outside)
    if len(rows) < 2:  # noqa: PLR2004  a line has two ends
        return None
    return LearningCurve(name, rows, learnt, held, min(_FOLDS, len(folds.pairs)))


def _fitted(learner: Learner, chosen: np.ndarray) -> FittablePipeline | None:
    """None where these rows are too few: a sampler may lack neighbours in them, or a class of its own."""
    if len(chosen) < _FEWEST_ROWS or len(np.unique(learner.data.train.y[chosen])) < 2:  # noqa: PLR2004
        return None
    try:
        return learner.fitted_on(chosen)
    except (ValueError, StepError) as error:
        _log.info("no point of the learning curve at %d rows: %s", len(chosen), error)
        return None


def _share_of(learn: np.ndarray, share: float, *, ordered: bool) -> np.ndarray:
    """So much of the rows: the latest of those in order of time, else drawn at random."""
    count = round(len(learn) * share)
    if ordered:
        return learn[len(learn) - count :]
    return np.sort(np.random.default_rng(_SEED).permutation(learn)[:count])
