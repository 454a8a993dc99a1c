"""How a metric changes with the number of rows learnt from."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.metrics import Needs, find_metric
from modelyard_runtime.errors import StepError
from modelyard_trainer.evaluation.folds import Folds
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.learner import Learner
from modelyard_trainer.evaluation.measures.measure import Measure, measured

_SHARES = (0.1, 0.25, 0.5, 1.0)
_WHOLE = 1.0
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


@dataclass
class Curve:
    """Points of a learning curve. Its folds are fitted whole by a cross-validation anyway, and are not fitted again."""

    learner: Learner
    folds: Folds
    name: str
    """Of the metric."""
    measure: Measure
    _whole: dict[int, _Point | None] = field(default_factory=dict)
    """By the number of the fold, from 0."""

    def see(self, number: int, fitted: FittablePipeline, judged: Judged) -> None:
        """Takes note of a copy that learnt from all rows that a fold leaves, and of its answers for the fold."""
        if number in self._numbers:
            learn = self.folds.pairs[number][0]
            self._whole[number] = self._point(fitted, learn, judged) if self._is_enough(learn) else None

    def drawn(self) -> LearningCurve | None:
        """Fits copies on shares of at most three folds; None where fewer than two sizes can be had."""
        rows: list[int] = []
        learnt: list[list[float]] = []
        held: list[list[float]] = []
        for share in _SHARES:
            found = [point for number in self._numbers if (point := self._at(number, share)) is not None]
            if found:
                rows.append(round(sum(point.rows for point in found) / len(found)))
                learnt.append([point.learnt for point in found])
                held.append([point.held for point in found])
        if len(rows) < 2:  # noqa: PLR2004  a line has two ends
            return None
        return LearningCurve(self.name, rows, learnt, held, len(self._numbers))

    @property
    def _numbers(self) -> range:
        count = len(self.folds.pairs)
        return range(max(0, count - _FOLDS), count)

    def _at(self, number: int, share: float) -> _Point | None:
        if share == _WHOLE and number in self._whole:
            return self._whole[number]
        learn, test = self.folds.pairs[number]
        chosen = _share_of(learn, share, ordered=self.folds.ordered)
        fitted = self._fitted(chosen)
        if fitted is None:
            return None
        return self._point(fitted, chosen, self.learner.judged_on(fitted, test, self._needed))

    def _point(self, fitted: FittablePipeline, chosen: np.ndarray, judged: Judged) -> _Point | None:
        learnt = measured(self.measure, self.learner.judged_on(fitted, chosen, self._needed)).value
        held = measured(self.measure, judged).value
        return _Point(len(chosen), learnt, held) if learnt is not None and held is not None else None

    @property
    def _needed(self) -> Needs | None:
        known = find_metric(self.name)
        return known.needs if known is not None else None

    def _is_enough(self, chosen: np.ndarray) -> bool:
        return len(chosen) >= _FEWEST_ROWS and len(np.unique(self.learner.data.train.y[chosen])) > 1

    def _fitted(self, chosen: np.ndarray) -> FittablePipeline | None:
        """None where these rows are too few: a sampler may lack neighbours in them, or a class of its own."""
        if not self._is_enough(chosen):
            return None
        try:
            return self.learner.fitted_on(chosen)
        except (ValueError, StepError) as error:
            _log.info("no point of the learning curve at %d rows: %s", len(chosen), error)
            return None


@dataclass(frozen=True)
class _Point:
    """A copy's metric by the rows that it learnt from."""

    rows: int
    learnt: float
    """On those rows."""
    held: float
    """On the fold."""


def _share_of(learn: np.ndarray, share: float, *, ordered: bool) -> np.ndarray:
    """So much of the rows: the latest of those in order of time, else drawn at random."""
    count = round(len(learn) * share)
    if ordered:
        return learn[len(learn) - count :]
    return np.sort(np.random.default_rng(_SEED).permutation(learn)[:count])
