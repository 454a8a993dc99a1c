"""Metrics of the test part: one function and one line of the registry each."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn import metrics
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.metrics import Task, default_primary, metrics_of
from modelyard_api.v1alpha1.training_job import Evaluation
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.data import Part

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """Answers beside the truth, one a row."""

    truth: np.ndarray
    predicted: np.ndarray
    classes: np.ndarray | None = None
    """Labels in the order of the probabilities; None for regression."""
    probabilities: np.ndarray | None = None
    """Shape (rows, classes); None where the estimator gives none."""


def _rmse(judged: Judged) -> float:
    return float(metrics.root_mean_squared_error(judged.truth, judged.predicted))


def _mae(judged: Judged) -> float:
    return float(metrics.mean_absolute_error(judged.truth, judged.predicted))


def _r2(judged: Judged) -> float:
    return float(metrics.r2_score(judged.truth, judged.predicted))


def _mape(judged: Judged) -> float:
    return float(metrics.mean_absolute_percentage_error(judged.truth, judged.predicted))


def _accuracy(judged: Judged) -> float:
    return float(metrics.accuracy_score(judged.truth, judged.predicted))


def _f1_macro(judged: Judged) -> float:
    return float(metrics.f1_score(judged.truth, judged.predicted, average="macro", zero_division=0))


def _f1_weighted(judged: Judged) -> float:
    return float(metrics.f1_score(judged.truth, judged.predicted, average="weighted", zero_division=0))


def _precision_macro(judged: Judged) -> float:
    return float(metrics.precision_score(judged.truth, judged.predicted, average="macro", zero_division=0))


def _recall_macro(judged: Judged) -> float:
    return float(metrics.recall_score(judged.truth, judged.predicted, average="macro", zero_division=0))


def _log_loss(judged: Judged) -> float:
    """A class that was not in training has probability 0, which counts as the smallest float."""
    if judged.probabilities is None or judged.classes is None:
        raise ValueError("there are no probabilities")
    column = {label: number for number, label in enumerate(judged.classes.tolist())}
    chosen = np.array([column.get(label, -1) for label in judged.truth.tolist()])
    given = judged.probabilities[np.arange(len(chosen)), np.maximum(chosen, 0)]
    given = np.where(chosen < 0, 0.0, given).astype(np.float64)
    return float(-np.log(np.clip(given, np.finfo(np.float64).eps, 1.0)).mean())


_FUNCTIONS: dict[str, Callable[[Judged], float]] = {
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "mape": _mape,
    "accuracy": _accuracy,
    "f1_macro": _f1_macro,
    "f1_weighted": _f1_weighted,
    "precision_macro": _precision_macro,
    "recall_macro": _recall_macro,
    "log_loss": _log_loss,
}
_ON_PROBABILITIES = frozenset({"log_loss"})


def wanted_metrics(evaluation: Evaluation, task: Task, *, has_probabilities: bool) -> list[str]:
    """Names of the metrics to compute. Raises InvalidSpecError where one cannot be."""
    named = list(evaluation.metrics)
    if evaluation.primary is not None and evaluation.primary not in named and named:
        named.append(evaluation.primary)
    if not named:
        known = [metric.name for metric in metrics_of(task)]
        asked = {evaluation.primary} - {None}
        named = [
            name for name in known if has_probabilities or name not in _ON_PROBABILITIES or name in asked
        ]
    for name in named:
        if name in _ON_PROBABILITIES and not has_probabilities:
            raise InvalidSpecError(
                "needs probabilities, which this estimator does not give",
                field="spec.evaluation",
                value=name,
                remedy="Leave it out, or use an estimator with predict_proba",
            )
    return named


def judge(model: FittablePipeline, part: Part) -> Judged:
    """The model's answers for all rows of a part."""
    predicted = model.predict(part.X)
    if not hasattr(model, "predict_proba"):
        return Judged(part.y, predicted)
    return Judged(part.y, predicted, model.classes_, model.predict_proba(part.X))


def evaluate(judged: Judged, names: list[str], evaluation: Evaluation, task: Task) -> dict[str, float]:
    """Value of each metric. One that is not finite is left out; DataError if it is the primary one."""
    values = {name: _FUNCTIONS[name](judged) for name in names}
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    primary = evaluation.primary or default_primary(task)
    if primary in values and primary not in finite:
        raise DataError(
            f"is {values[primary]} on the test part",
            field=f"metric {primary}",
            remedy="Look for extreme values of the target and of the predictions",
        )
    for name in values.keys() - finite.keys():
        _log.warning("metric %s is %s and is left out", name, values[name])
    return finite
