"""Copies of a pipeline, fitted on some rows of the training part just as the model itself is fitted on all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.metrics import Needs
from modelyard_api.v1alpha1.pipeline import Pipeline
from modelyard_trainer.data import TrainingData
from modelyard_trainer.evaluation.judged import Judged, judge
from modelyard_trainer.fit import fit_on
from modelyard_trainer.rows import Rows
from modelyard_trainer.threads import sum_in_order


@dataclass(frozen=True)
class Learner:
    """What copies are made from."""

    model: FittablePipeline
    """Not fitted: a number of trees that was found on all rows must not reach a fold."""
    data: TrainingData
    pipeline: Pipeline
    threads: int

    def fitted_on(self, places: np.ndarray) -> FittablePipeline:
        """A copy that has seen no other rows: its weights, sampler and early stopping are of these rows alone.

        What a library raises is passed on.
        """
        fresh = clone(self.model)
        train = self.data.train
        rows = Rows(train.X, train.y, self.data.weights).take(places)
        fit_on(fresh, rows, self.pipeline, self.threads)
        # The same copy must always be worth the same, whichever thread comes first, and whoever has the other threads.
        sum_in_order(fresh)
        return fresh

    def judged_on(self, fitted: FittablePipeline, places: np.ndarray, needed: Needs | None = None) -> Judged:
        """A copy's answers for rows of the training part; ``needed`` as for ``judge``."""
        train = self.data.train
        return judge(fitted, train.X[places], train.y[places], needed)
