"""Metrics against values worked out by hand."""

import math

import numpy as np
import pytest

from modelyard_api.metrics import METRICS, Task
from modelyard_api.v1alpha1.training_job import Evaluation
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.evaluate import Judged, evaluate, wanted_metrics

NUMBERS = Judged(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]))
LABELS = Judged(
    np.array(["a", "a", "b", "c"]),
    np.array(["a", "b", "b", "b"]),
    np.array(["a", "b"]),
    np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5], [0.3, 0.7]]),
)


@pytest.mark.parametrize(
    ("name", "judged", "value"),
    [
        ("rmse", NUMBERS, math.sqrt(5 / 3)),
        ("mae", NUMBERS, 1.0),
        ("r2", NUMBERS, 1 - 5 / (14 / 3)),
        ("mape", NUMBERS, (0 + 0.5 + 0.5) / 3),
        ("accuracy", LABELS, 0.5),
        ("f1_macro", LABELS, (2 / 3 + 0.5 + 0) / 3),
        ("f1_weighted", LABELS, (2 * 2 / 3 + 0.5 + 0) / 4),
        ("precision_macro", LABELS, (1 + 1 / 3 + 0) / 3),
        ("recall_macro", LABELS, (0.5 + 1 + 0) / 3),
        (
            "log_loss",
            LABELS,
            -(math.log(0.8) + math.log(0.4) + math.log(0.5) + math.log(np.finfo(float).eps)) / 4,
        ),
    ],
)
def test_a_metric_has_the_value_of_its_definition(name: str, judged: Judged, value: float) -> None:
    found = evaluate(judged, [name], Evaluation(), METRICS[name].task)
    assert found[name] == pytest.approx(value)


def test_every_metric_of_the_contract_can_be_computed() -> None:
    for task, judged in ((Task.REGRESSION, NUMBERS), (Task.CLASSIFICATION, LABELS)):
        names = wanted_metrics(Evaluation(), task, has_probabilities=True)
        assert evaluate(judged, names, Evaluation(), task).keys() == {
            name for name, metric in METRICS.items() if metric.task is task
        }


def test_log_loss_is_left_out_without_probabilities_unless_it_was_asked_for() -> None:
    assert "log_loss" not in wanted_metrics(Evaluation(), Task.CLASSIFICATION, has_probabilities=False)
    for asked in (Evaluation(primary="log_loss"), Evaluation(metrics=["log_loss"])):
        with pytest.raises(InvalidSpecError, match="needs probabilities"):
            wanted_metrics(asked, Task.CLASSIFICATION, has_probabilities=False)


def test_a_primary_metric_without_a_value_is_an_error_and_another_is_left_out() -> None:
    worthless = Judged(np.array([1.0, 1.0]), np.array([1.0, math.inf]))
    with pytest.raises(ValueError, match="infinity"):
        evaluate(worthless, ["rmse"], Evaluation(), Task.REGRESSION)
    one_row = Judged(np.array([1.0]), np.array([2.0]))
    with pytest.warns(UserWarning, match="less than two"):
        assert evaluate(one_row, ["rmse", "r2"], Evaluation(), Task.REGRESSION) == {"rmse": 1.0}
    with pytest.warns(UserWarning, match="less than two"), pytest.raises(DataError, match="metric r2"):
        evaluate(one_row, ["r2"], Evaluation(primary="r2"), Task.REGRESSION)
