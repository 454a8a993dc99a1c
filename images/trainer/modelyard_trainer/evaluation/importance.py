"""Which features a model leans on: by shuffling them, or by the model's own numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.metrics import Direction, find_metric
from modelyard_trainer.data import Part
from modelyard_trainer.evaluation.judged import judge
from modelyard_trainer.evaluation.measures.measure import Measure, measured

_ROWS = 2_000
_FEWEST_ROWS = 200
_REPEATS = 5
_PREDICTED = 1_000_000
"""Rows that are predicted at most, for all features and repeats."""
_OWN_NAMES = 1_000_000


@dataclass(frozen=True)
class Importance:
    """A number for each feature."""

    method: str
    unit: str
    names: list[str]
    values: np.ndarray
    deviations: np.ndarray | None = None
    """Over the repeats of shuffling."""
    remark: str = ""


def importance(model: FittablePipeline, part: Part, name: str, measure: Measure) -> Importance | None:
    """By shuffling where the model reads several columns, else the model's own; None where it has none.

    ``name`` and ``measure`` are the metric that shuffling makes worse. The model's steps should use one thread.
    """
    if part.X.shape[1] > 1:
        return _by_shuffling(model, part, name, measure)
    return _own(model, part.names)


def _by_shuffling(model: FittablePipeline, part: Part, name: str, measure: Measure) -> Importance | None:
    features = part.X.shape[1]
    rng = np.random.default_rng(0)
    rows = min(len(part.y), _ROWS, max(_FEWEST_ROWS, _PREDICTED // features))
    X, y = part.X, part.y
    if rows < len(y):
        chosen = np.sort(rng.choice(len(y), rows, replace=False))
        X, y = X[chosen], y[chosen]
    repeats = int(np.clip(_PREDICTED // (rows * features), 1, _REPEATS))
    metric = find_metric(name)
    if metric is None:
        return None
    start = measured(measure, judge(model, X, y, metric.needs)).value
    if start is None:
        return None
    sign = 1.0 if metric.direction is Direction.MINIMIZE else -1.0
    worse = np.zeros((features, repeats))
    shuffled = X.copy()
    for column in range(features):
        for repeat in range(repeats):
            shuffled[:, column] = X[rng.permutation(rows), column]
            value = measured(measure, judge(model, shuffled, y, metric.needs)).value
            worse[column, repeat] = np.nan if value is None else sign * (value - start)
        shuffled[:, column] = X[:, column]
    if not np.isfinite(worse).all():
        return None
    unit = f"{'rise' if sign > 0 else 'fall'} of {name} when the feature is shuffled"
    remark = f"{rows:,} test rows, mean of {repeats}" if repeats > 1 else f"{rows:,} test rows"
    deviations = worse.std(axis=1, ddof=1) if repeats > 1 else None
    return Importance("shuffling, test rows", unit, part.names, worse.mean(axis=1), deviations, remark)


def _own(model: FittablePipeline, inputs: list[str]) -> Importance | None:
    """Coefficients or importances of the last step, by the names that the steps before give their columns."""
    estimator = model[-1]
    if hasattr(estimator, "coef_"):
        values = np.atleast_2d(estimator.coef_)
        if len(values) > 1:
            values, method, unit = (
                np.abs(values).max(axis=0),
                "the model's coefficients",
                "largest size over classes",
            )
        else:
            classes = getattr(estimator, "classes_", None)
            unit = f"coefficient, above 0 for {classes[1]}" if classes is not None else "coefficient"
            values, method = values[0], "the model's coefficients"
    elif hasattr(estimator, "feature_importances_"):
        values, method, unit = estimator.feature_importances_, "the model's own", "share of all splits' gain"
    else:
        return None
    if len(values) > _OWN_NAMES:
        return None
    try:
        names = [str(name) for name in model[:-1].get_feature_names_out(inputs)] if len(model) > 1 else inputs
    except (AttributeError, ValueError, TypeError):
        return None
    found = np.asarray(values, dtype=np.float64).ravel()
    if len(names) != len(found):
        return None
    return Importance(method, unit, names, found)
