"""The answer that looks at no feature: what a model must beat."""

from __future__ import annotations

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from modelyard_api.metrics import Task, find_metric
from modelyard_trainer.data import TrainingData
from modelyard_trainer.evaluation.judged import Judged, gives
from modelyard_trainer.evaluation.measures.measure import Measure, Measured, measured

BASELINES = {
    Task.REGRESSION: "the mean of the training part for every row",
    Task.CLASSIFICATION: "the most frequent class of the training part for every row, probabilities by class size",
}
"""What the baseline answers."""


def baseline(data: TrainingData, wanted: dict[str, Measure], task: Task) -> dict[str, Measured]:
    """The same metrics of the baseline on the test part."""
    model = DummyRegressor() if task is Task.REGRESSION else DummyClassifier(strategy="prior")
    model.fit(np.zeros((len(data.train.y), 1)), data.train.y)
    nothing = np.zeros((len(data.test.y), 1))
    if task is Task.REGRESSION:
        judged = Judged(data.test.y, model.predict(nothing))
    else:
        judged = Judged(data.test.y, model.predict(nothing), model.classes_, model.predict_proba(nothing))
    given = gives(model)
    return {
        name: measured(measure, judged)
        for name, measure in wanted.items()
        if (metric := find_metric(name)) is not None and metric.needs in given
    }
