"""Metrics by name: which task they belong to and which way is better.

Trainer, gates and ``best`` candidates all judge by this list, so that none of them guesses a direction.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Metric:
    """A metric of the test part."""

    name: str
    task: Task
    direction: Direction
    description: str


_ALL = (
    Metric("rmse", Task.REGRESSION, Direction.MINIMIZE, "root mean squared error"),
    Metric("mae", Task.REGRESSION, Direction.MINIMIZE, "mean absolute error"),
    Metric("r2", Task.REGRESSION, Direction.MAXIMIZE, "coefficient of determination"),
    Metric("mape", Task.REGRESSION, Direction.MINIMIZE, "mean absolute percentage error"),
    Metric("accuracy", Task.CLASSIFICATION, Direction.MAXIMIZE, "share of right labels"),
    Metric("f1_macro", Task.CLASSIFICATION, Direction.MAXIMIZE, "F1, mean over classes"),
    Metric("f1_weighted", Task.CLASSIFICATION, Direction.MAXIMIZE, "F1, mean over classes by their size"),
    Metric("precision_macro", Task.CLASSIFICATION, Direction.MAXIMIZE, "precision, mean over classes"),
    Metric("recall_macro", Task.CLASSIFICATION, Direction.MAXIMIZE, "recall, mean over classes"),
    Metric(
        "log_loss", Task.CLASSIFICATION, Direction.MINIMIZE, "negative log likelihood of the probabilities"
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """The metrics of a task, the usual one first."""
    return tuple(metric for metric in _ALL if metric.task is task)


def default_primary(task: Task) -> str:
    """The metric by which runs of a task are compared when the user names none."""
    return "rmse" if task is Task.REGRESSION else "f1_macro"
