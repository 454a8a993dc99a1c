"""Runs side by side in one file."""

import re
from pathlib import Path

import pytest

from modelyard_trainer.evaluation.compare import main
from modelyard_trainer.evaluation.record import EvaluationRecord
from modelyard_trainer.evaluation.report.comparison import comparison_report
from tests.support.evaluating import assessed, recorded
from tests.unit.trainer.test_plots import LINE, TABLE

FOREST = {
    **LINE,
    "pipeline": {"estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 5}}},
    "evaluation": {"plots": "None"},
}
SIMPLE = {**LINE, "evaluation": {"plots": "None"}}


@pytest.fixture(scope="module")
def records() -> list[EvaluationRecord]:
    return [
        recorded(FOREST, assessed(FOREST, TABLE), job="forest", run_id="f0f0f0f0f0"),
        recorded(SIMPLE, assessed(SIMPLE, TABLE), job="line", run_id="1e1e1e1e1e"),
    ]


def test_the_best_run_is_first_and_what_differs_is_told(records: list[EvaluationRecord]) -> None:
    page = comparison_report(records).decode()
    assert page.index(">line<") < page.index(">forest<")
    assert 'class="number best"' in page
    assert "All runs saw the same rows" in page
    assert re.search(
        r"<td class=\"text\">estimator.class</td>.*LinearRegression.*RandomForestRegressor", page
    )
    assert '<td class="text">image</td>' not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert comparison_report(records[::-1]).decode() == page


def test_runs_on_other_rows_are_compared_with_a_warning(records: list[EvaluationRecord]) -> None:
    first, second = records
    data = second.facts.data.model_copy(update={"digest": "sha256:" + "1" * 64})
    other = second.model_copy(
        update={"facts": second.facts.model_copy(update={"data": data, "job": "forest"})}
    )
    page = comparison_report([first, other]).decode()
    assert "their test rows differ" in page
    assert "forest (f0f0f0f0)" in page
    assert "forest (1e1e1e1e)" in page


def test_the_command_writes_the_report_and_says_what_it_cannot_compare(
    records: list[EvaluationRecord], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for record in records:
        paths.append(tmp_path / f"{record.facts.job}.json")
        paths[-1].write_text(record.model_dump_json(by_alias=True))
    output = tmp_path / "report.html"
    assert main([*map(str, paths), "-o", str(output)]) == 0
    assert output.read_bytes() == comparison_report(records)
    assert main([str(paths[0]), "-o", str(output)]) == 2
    assert "2 to 50 are compared" in capsys.readouterr().err
    assert main([str(paths[0]), str(tmp_path / "none.json"), "-o", str(output)]) == 2
    assert "none.json: cannot be read" in capsys.readouterr().err
    paths[1].write_text("{}")
    assert main([*map(str, paths), "-o", str(output)]) == 2
    assert "is no record of an evaluation" in capsys.readouterr().err
