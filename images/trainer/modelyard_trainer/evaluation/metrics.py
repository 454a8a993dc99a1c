"""Which metrics a run has and what they come to."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from modelyard_api.catalog.problem import nearest
from modelyard_api.metrics import METRICS, Needs, Task, class_slugs, default_primary, find_metric, metrics_of
from modelyard_api.v1alpha1.training_job import Evaluation
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.measures import labels, probabilities, regression
from modelyard_trainer.evaluation.measures.measure import Measure, Measured, measured

_log = logging.getLogger(__name__)

MEASURES: dict[str, Measure] = {**regression.MEASURES, **labels.MEASURES, **probabilities.MEASURES}
_REMEDIES = {
    Needs.SCORES: "Leave it out, or use an estimator with predict_proba or decision_function",
    Needs.PROBABILITIES: "Leave it out, or use an estimator with predict_proba",
}


def class_measures(classes: Sequence[str | int]) -> dict[str, Measure]:
    """Precision, recall and F1 of each class, by their names as metrics."""
    pairs = zip(class_slugs(classes), classes, strict=True)
    return dict(labels.of_class(family, slug, label) for slug, label in pairs for family in labels.FAMILIES)


def measure_of(name: str, classes: Sequence[str | int]) -> Measure | None:
    """A metric's arithmetic, that of a single class among them."""
    return MEASURES.get(name) or class_measures(classes).get(name)


def wanted_metrics(
    evaluation: Evaluation, task: Task, given: frozenset[Needs], classes: Sequence[str | int] = ()
) -> dict[str, Measure]:
    """The metrics to compute, by name. Raises InvalidSpecError where one cannot be.

    ``given`` says what the estimator has besides predictions, ``classes`` which ones are in training.
    """
    named = list(evaluation.metrics)
    asked = set(named) | ({evaluation.primary} - {None})
    if not named:
        known = metrics_of(task)
        named = [metric.name for metric in known if metric.needs in given or metric.name in asked]
    if evaluation.primary is not None and evaluation.primary not in named:
        named.append(evaluation.primary)
    available = {**MEASURES, **class_measures(classes)}
    for name in named:
        _check(name, given, available)
    return {name: available[name] for name in named}


def _check(name: str, given: frozenset[Needs], available: dict[str, Measure]) -> None:
    metric = find_metric(name)
    if metric is not None and metric.needs not in given:
        raise InvalidSpecError(
            f"needs {metric.needs.lower()}, which this estimator does not give",
            field="spec.evaluation",
            value=name,
            remedy=_REMEDIES[metric.needs],
        )
    if name not in available:
        own = [other for other in available if other not in METRICS]
        raise InvalidSpecError(
            "names a class that the training part does not have",
            field="spec.evaluation",
            value=name,
            remedy=nearest(name, own),
        )


def evaluate(
    judged: Judged, wanted: dict[str, Measure], evaluation: Evaluation, task: Task
) -> dict[str, Measured]:
    """Each metric, with the reason where it has no value. DataError if the primary one has none."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = {name: measured(measure, judged) for name, measure in wanted.items()}
    primary = evaluation.primary or default_primary(task)
    if primary in found and found[primary].value is None:
        raise DataError(
            f"is not defined on the test part: {found[primary].note}",
            field=f"metric {primary}",
            remedy="Look at the target's values in the test part, or use another primary metric",
        )
    for name, one in found.items():
        if one.value is None:
            _log.warning("metric %s is not defined on the test part: %s", name, one.note)
    return found


def values_of(found: dict[str, Measured]) -> dict[str, float]:
    """The metrics that have a value."""
    return {name: one.value for name, one in found.items() if one.value is not None}
