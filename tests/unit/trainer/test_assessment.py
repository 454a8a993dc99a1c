"""What stands beside a metric: its interval, a baseline and folds."""

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.metrics import Needs, Task
from modelyard_api.v1alpha1.training_job import Bootstrap, Evaluation
from modelyard_trainer.evaluation.baseline import baseline
from modelyard_trainer.evaluation.bootstrap import intervals
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.measures.measure import Measure
from modelyard_trainer.evaluation.metrics import wanted_metrics
from tests.support.evaluating import assessed
from tests.support.fitting import fit_in_memory, version_of

RNG = np.random.default_rng(8)
ROWS = 400
X = RNG.normal(size=ROWS)
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS)),
        "x": pa.array(X),
        "y": pa.array(2 * X + RNG.normal(size=ROWS)),
        "label": pa.array(np.where(X + 0.5 * RNG.normal(size=ROWS) > 0.3, "high", "low")),
    }
)
LINE = {"task": "Regression", "target": "y", "features": {"include": ["x"]}}
LINE["pipeline"] = {"estimator": {"class": "LinearRegression"}}
CLASSES = {"task": "Classification", "target": "label", "features": {"include": ["x"]}}
CLASSES["pipeline"] = {"estimator": {"class": "LogisticRegression"}}


def measures(*names: str, task: Task = Task.REGRESSION) -> dict[str, Measure]:
    return wanted_metrics(Evaluation(metrics=list(names)), task, frozenset(Needs))


def test_an_interval_holds_the_value_and_is_that_of_theory_for_a_mean() -> None:
    errors = np.random.default_rng(1).normal(size=2000)
    judged = Judged(np.zeros(2000), errors)
    found = intervals(judged, measures("mae", "median_error"), Bootstrap(resamples=2000))["mae"]
    deviation = np.abs(errors).std(ddof=1) / np.sqrt(2000)
    assert found.low == pytest.approx(np.abs(errors).mean() - 1.96 * deviation, abs=0.1 * deviation * 1.96)
    assert found.high == pytest.approx(np.abs(errors).mean() + 1.96 * deviation, abs=0.1 * deviation * 1.96)
    assert found.resamples == 2000


def test_intervals_are_those_of_resampling_row_by_row() -> None:
    assessment = assessed(CLASSES, TABLE)
    judged = assessment.judged
    again = intervals(judged, measures("f1_macro", "roc_auc", task=Task.CLASSIFICATION), Bootstrap())
    assert again["roc_auc"] == assessment.intervals["roc_auc"]
    other = intervals(judged, measures("roc_auc", task=Task.CLASSIFICATION), Bootstrap(seed=1))
    assert other["roc_auc"] != again["roc_auc"]
    rng = np.random.default_rng(5)
    by_hand = []
    wanted = measures("f1_macro", task=Task.CLASSIFICATION)["f1_macro"]

    for _ in range(500):
        rows = rng.integers(0, judged.rows, judged.rows)
        drawn = Judged(judged.truth[rows], judged.predicted[rows])
        by_hand.append(float(wanted.compute(drawn.whole)[0]))
    low, high = np.percentile(by_hand, [2.5, 97.5])
    assert again["f1_macro"].low == pytest.approx(low, abs=0.03)
    assert again["f1_macro"].high == pytest.approx(high, abs=0.03)


def test_more_confidence_makes_a_wider_interval_and_an_extreme_has_none() -> None:
    judged = Judged(np.zeros(300), np.random.default_rng(2).normal(size=300))
    wanted = measures("rmse", "max_error")
    narrow = intervals(judged, wanted, Bootstrap(confidence="0.90"))
    wide = intervals(judged, wanted, Bootstrap(confidence="0.99"))
    assert wide["rmse"].low < narrow["rmse"].low < narrow["rmse"].high < wide["rmse"].high
    assert "max_error" not in wide


def test_draws_on_which_a_metric_is_not_defined_are_counted_and_left_out() -> None:
    truth = np.array(["a"] * 30 + ["b"])
    judged = Judged(truth, np.array(["a"] * 29 + ["b", "b"]), np.array(["a", "b"]), np.full((31, 2), 0.5))
    found = intervals(judged, measures("mcc", task=Task.CLASSIFICATION), Bootstrap())["mcc"]
    assert 100 < found.undefined < 600
    assert found.resamples == 1000


def test_many_rows_are_drawn_less_often() -> None:
    judged = Judged(np.zeros(1_500_000), np.ones(1_500_000))
    assert intervals(judged, measures("mae"), Bootstrap())["mae"].resamples == 133


def test_the_baseline_looks_at_no_feature() -> None:
    version = version_of(TABLE)
    fitted = fit_in_memory(LINE, version)
    found = baseline(fitted.data, measures("rmse", "r2"), Task.REGRESSION)
    truth = fitted.data.test.y
    assert found["rmse"].value == pytest.approx(np.sqrt(((truth - fitted.data.train.y.mean()) ** 2).mean()))
    found = assessed(CLASSES, TABLE).baseline
    assert found["roc_auc"].value == 0.5
    assert found["mcc"].value is None


def test_folds_give_each_metric_a_mean_and_a_deviation() -> None:
    assessment = assessed(
        {**LINE, "evaluation": {"crossValidation": {"folds": 4}, "metrics": ["rmse", "r2"]}}, TABLE
    )
    validated = assessment.cross_validated
    assert validated is not None
    values = [fold["rmse"] for fold in validated.values]
    assert len(values) == 4
    spread = validated.spread("rmse")
    assert spread is not None
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.deviation == pytest.approx(np.std(values, ddof=1))
    assert 0.8 < spread.mean < 1.3


def test_what_is_logged_beside_a_metric_is_named_after_it() -> None:
    numbers = assessed(
        {**LINE, "evaluation": {"crossValidation": {"folds": 3}, "metrics": ["rmse"]}}, TABLE
    ).numbers()
    assert set(numbers) == {"rmse", "rmse_low", "rmse_high", "baseline_rmse", "cv_mean_rmse", "cv_sd_rmse"}
    assert numbers["rmse_low"] < numbers["rmse"] < numbers["rmse_high"] < numbers["baseline_rmse"]
    classes = assessed({**CLASSES, "evaluation": {"metrics": ["f1_macro"]}}, TABLE).numbers()
    assert {"f1_class_high", "precision_class_low", "recall_class_low"} < set(classes)
