"""Runs side by side, in a list and in a chart."""

import math
from datetime import UTC, datetime

import pytest

from modelyard_cli.objects import training_job_seen
from modelyard_cli.output import figure, shortened
from modelyard_cli.runs import ModelVersion
from modelyard_cli.views.chart import Series, chart_of_runs, chart_of_trials
from modelyard_cli.views.comparison import compare
from modelyard_cli.views.metrics import row_of_job, row_of_run
from tests.support.resources import training_job
from tests.unit.cli.running import run
from tests.unit.cli.seeing import RUN, condition, seen, version

GOOD = run("good", 1, metrics={"rmse": 0.4, "r2": 0.7, "rmse_low": 0.35, "rmse_high": 0.45})
BETTER = run("better", 2, metrics={"rmse": 0.3, "r2": 0.6})
UNKNOWN = run("unknown", 3, metrics={})
SECOND = ModelVersion(
    model="housing",
    number=2,
    alias="",
    run_id=GOOD.id,
    job="good",
    dataset_digest="",
    made=datetime(2026, 1, 1, tzinfo=UTC),
)


def names(metric: str | None = None) -> list[str]:
    return [item.title for item in compare([GOOD, UNKNOWN, BETTER], metric).runs]


def test_the_best_comes_first_by_the_way_of_the_metric_and_what_lacks_it_last() -> None:
    assert names() == ["better", "good", "unknown"]
    assert names("r2") == ["good", "better", "unknown"]


def test_the_best_of_each_column_has_a_star_and_intervals_stand_beside_values() -> None:
    table = compare([GOOD, BETTER]).table()
    assert table.headings == ["run", "data", "estimator", "rmse", "r2"]
    assert table.rows[0] == ["better", "v1 of load 1", "Ridge", "* 0.3000", "0.6000"]
    assert table.rows[1] == ["good", "v1 of load 1", "Ridge", "0.4000 [0.3500, 0.4500]", "* 0.7000"]


@pytest.mark.parametrize(
    ("other", "remarks"),
    [
        (BETTER, []),
        (
            run("c", tags={"modelyard.dev/dataset-digest": "sha256:b"}),
            ["They are judged on different rows, as they are of different data"],
        ),
        (
            run("c", parameters={"target": "MedInc"}),
            ["They predict different things: their metrics cannot be compared"],
        ),
    ],
)
def test_what_cannot_be_compared_is_said(other: object, remarks: list[str]) -> None:
    assert list(compare([GOOD, other]).remarks) == remarks  # type: ignore[list-item]


def test_a_job_is_listed_from_its_status_alone() -> None:
    job = seen(
        training_job("forest", "demo"),
        conditions=[condition("Succeeded", "True", "Completed")],
        datasetVersion=version(3),
        run={"id": RUN},
        model={"name": "housing", "version": "7", "digest": "sha256:x"},
        metrics=[{"name": "rmse", "value": "0.41"}],
        startTime="2026-01-01T00:00:00Z",
    )
    row = row_of_job(training_job_seen(job))
    assert (row.dataset, row.data, row.model) == ("houses", "v1 of load 3", "housing 7")
    assert (row.run, row.state, row.metrics) == (RUN, "Completed", {"rmse": 0.41})
    assert row_of_job(training_job_seen(seen(training_job("new", "demo")))).state == "Pending"


def test_a_run_is_listed_from_mlflow_alone() -> None:
    row = row_of_run(GOOD, SECOND)
    assert (row.job, row.state, row.data) == ("good", "FINISHED", "v1 of load 1")
    assert row.metrics == {"rmse": 0.4, "r2": 0.7}
    assert row.started == "2026-01-01T01:00:00Z"
    assert row.model == "housing 2"
    assert row_of_run(GOOD, None).model == ""


def test_figures_of_a_column_have_as_many_digits_and_long_names_keep_both_ends() -> None:
    assert [figure(value) for value in (0.446, 0.4187, 1.0, 1234.5, math.nan)] == [
        "0.4460",
        "0.4187",
        "1.000",
        "1234",
        "nan",
    ]
    names = ["housing-forest", "housing-forest-deep", "housing-forest-wide"]
    assert [shortened(name, 14) for name in names] == ["housing-forest", "housin…st-deep", "housin…st-wide"]


def test_a_chart_has_a_series_for_each_estimator_in_the_order_of_time() -> None:
    lasso = run("lasso", 4, parameters={"estimator.class": "Lasso"}, metrics={"rmse": 0.6})
    broken = run("broken", 5, metrics={"rmse": math.nan})
    chart = chart_of_runs([lasso, BETTER, broken, GOOD, UNKNOWN], "rmse")
    assert chart is not None
    assert chart.series == (Series("Ridge", [1, 2], [0.4, 0.3]), Series("Lasso", [3], [0.6]))
    assert chart.labels == {1: "good", 2: "better", 3: "lasso"}
    assert chart_of_runs([UNKNOWN, broken], "rmse") is None


@pytest.mark.parametrize(
    ("metric", "best"), [("rmse", [0.5, 0.4, 0.4]), ("r2", [0.5, 0.5, 0.6]), ("loss", [0.5, 0.4, 0.4])]
)
def test_trials_are_drawn_with_the_best_so_far_by_the_way_of_the_metric(
    metric: str, best: list[float]
) -> None:
    rows = [
        [0, "Completed", 0.5, 1],
        [3, "Completed", 0.6, 1],
        [1, "Completed", 0.4, 2],
        [2, "Pruned", 0.1, 3],
        [4, "Failed", None, 4],
    ]
    chart = chart_of_trials({"columns": ["number", "state", metric, "alpha"], "data": rows}, "tuned")
    assert chart is not None
    trials, so_far = chart.series
    assert (trials.values, so_far.values) == ([0.5, 0.4, 0.6], best)
    assert chart.labels == {1: "0", 2: "1", 3: "3"}
    assert (
        chart_of_trials({"columns": ["number", "state", metric, "alpha"], "data": rows[3:]}, "tuned") is None
    )
