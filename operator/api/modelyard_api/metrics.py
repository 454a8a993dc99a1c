"""Metrics by name: which task they belong to, which way is better and what they are worked out from.

Trainer, gates and ``best`` candidates all judge by this list, so that none of them guesses a direction.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What a model predicts."""

    REGRESSION = "Regression"
    CLASSIFICATION = "Classification"


class Direction(StrEnum):
    """Which end of a metric is the good one."""

    MINIMIZE = "Minimize"
    MAXIMIZE = "Maximize"


class Needs(StrEnum):
    """What an estimator must give besides its predictions."""

    PREDICTIONS = "Predictions"
    SCORES = "Scores"
    """A rank of the rows for each class: predict_proba or decision_function."""
    PROBABILITIES = "Probabilities"
    """predict_proba."""


@dataclass(frozen=True)
class Metric:
    """A metric of the test part."""

    name: str
    task: Task
    direction: Direction
    description: str
    needs: Needs = Needs.PREDICTIONS


_REG, _CLS = Task.REGRESSION, Task.CLASSIFICATION
_LESS, _MORE = Direction.MINIMIZE, Direction.MAXIMIZE

_ALL = (
    Metric("rmse", _REG, _LESS, "root mean squared error"),
    Metric("mae", _REG, _LESS, "mean absolute error"),
    Metric("r2", _REG, _MORE, "coefficient of determination"),
    Metric("mape", _REG, _LESS, "mean absolute percentage error, 1 is 100 %"),
    Metric("median_error", _REG, _LESS, "median absolute error"),
    Metric("max_error", _REG, _LESS, "largest absolute error"),
    Metric("accuracy", _CLS, _MORE, "share of right labels"),
    Metric("f1_macro", _CLS, _MORE, "F1, mean over classes"),
    Metric("f1_micro", _CLS, _MORE, "F1 of all classes counted together"),
    Metric("f1_weighted", _CLS, _MORE, "F1, mean over classes by their size"),
    Metric("precision_macro", _CLS, _MORE, "precision, mean over classes"),
    Metric("precision_micro", _CLS, _MORE, "precision of all classes counted together"),
    Metric("precision_weighted", _CLS, _MORE, "precision, mean over classes by their size"),
    Metric("recall_macro", _CLS, _MORE, "recall, mean over classes"),
    Metric("recall_micro", _CLS, _MORE, "recall of all classes counted together"),
    Metric("recall_weighted", _CLS, _MORE, "recall, mean over classes by their size"),
    Metric("mcc", _CLS, _MORE, "Matthews correlation coefficient"),
    Metric(
        "roc_auc", _CLS, _MORE, "area under the ROC curve, mean over classes if more than two", Needs.SCORES
    ),
    Metric("pr_auc", _CLS, _MORE, "average precision, mean over classes if more than two", Needs.SCORES),
    Metric("log_loss", _CLS, _LESS, "negative log likelihood of the probabilities", Needs.PROBABILITIES),
    Metric("brier", _CLS, _LESS, "mean squared error of the probabilities", Needs.PROBABILITIES),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

CLASS_FAMILIES = {
    "precision": "precision of one class",
    "recall": "recall of one class",
    "f1": "F1 of one class",
}
"""Metrics that every class has, as ``<family>_class_<slug of the class>``."""
_OF_CLASS = re.compile(rf"^({'|'.join(CLASS_FAMILIES)})_class_([a-z0-9_]+)$")
_SLUG_LIMIT = 38
_HASH_LENGTH = 8


def find_metric(name: str) -> Metric | None:
    """The metric of a name, those of single classes included; None where there is none."""
    known = METRICS.get(name)
    if known is not None:
        return known
    of_class = _OF_CLASS.match(name)
    return Metric(name, _CLS, _MORE, CLASS_FAMILIES[of_class[1]]) if of_class else None


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """The metrics of a task, the usual one first."""
    return tuple(metric for metric in _ALL if metric.task is task)


def default_primary(task: Task) -> str:
    """The metric by which runs of a task are compared when the user names none."""
    return "rmse" if task is Task.REGRESSION else "f1_macro"


def class_metric(family: str, slug: str) -> str:
    """Name of a class's metric."""
    return f"{family}_class_{slug}"


def class_slugs(labels: Sequence[str | int]) -> list[str]:
    """A word for each class that fits into a metric's name: lower case, anything else an underscore.

    Where that says too little, because the label is long, has no letter or digit, or is like another's, eight hex
    digits of the label's SHA-256 follow.
    """
    plain = [_plain(str(label)) for label in labels]
    counts = Counter(plain)
    return [
        slug
        if slug and (counts[slug] == 1 or slug == str(label)) and len(slug) <= _SLUG_LIMIT
        else _hashed(slug, label)
        for slug, label in zip(plain, labels, strict=True)
    ]


def _plain(label: str) -> str:
    negative = "minus_" if re.match(r"^-[0-9]", label) else ""
    return negative + re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_") if label != "" else ""


def _hashed(slug: str, label: str | int) -> str:
    digest = hashlib.sha256(json.dumps(label, ensure_ascii=False).encode()).hexdigest()[:_HASH_LENGTH]
    return "_".join(part for part in (slug[:_SLUG_LIMIT].strip("_"), digest) if part)
