"""Runs side by side in one file."""

import re
from pathlib import Path

import pytest

from modelyard_trainer.evaluation.answers import answers_file, read_answers
from modelyard_trainer.evaluation.assess import Assessment
from modelyard_trainer.evaluation.compare import main
from modelyard_trainer.evaluation.record import EvaluationRecord
from modelyard_trainer.evaluation.report.comparison import comparison_report
from tests.support.evaluating import assessed, recorded
from tests.support.fitting import version_of
from tests.unit.trainer.test_plots import LINE, TABLE

FOREST = {
    **LINE,
    "pipeline": {
        "estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 5, "max_depth": 1}}
    },
    "evaluation": {"plots": "None"},
}
SIMPLE = {**LINE, "evaluation": {"plots": "None"}}


@pytest.fixture(scope="module")
def assessments() -> list[Assessment]:
    return [assessed(spec, TABLE) for spec in (FOREST, SIMPLE)]


@pytest.fixture(scope="module")
def records(assessments: list[Assessment]) -> list[EvaluationRecord]:
    return [
        recorded(FOREST, assessments[0], job="forest", run_id="f0f0f0f0f0"),
        recorded(SIMPLE, assessments[1], job="line", run_id="1e1e1e1e1e"),
    ]


@pytest.fixture(scope="module")
def answers(assessments: list[Assessment]) -> list[bytes]:
    version = version_of(TABLE)
    return [answers_file(one.judged, version.test, version.manifest.key) for one in assessments]


def verdicts(page: str) -> list[str]:
    """Cells of the table of differences, without the run's name."""
    part = page[page.index("row by row</h2>") : page.index("What differs")]
    return re.findall(r"<td class=\"(?:number|text|note)\">([^<]*)</td>", part)[1:]


def test_the_best_run_is_first_and_what_differs_is_told(records: list[EvaluationRecord]) -> None:
    page = comparison_report(records).decode()
    assert page.index(">line<") < page.index(">forest<")
    assert 'class="number best"' in page
    assert "All runs saw the same rows" in page
    told = page[page.index("What differs") :]
    assert re.search(
        r'<td class="name">estimator.class</td>.*>LinearRegression<.*>RandomForestRegressor<', told
    )
    assert ">image<" not in told
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert comparison_report(records[::-1]).decode() == page


def test_many_runs_are_rows_and_a_long_value_is_shown_by_its_beginning(
    records: list[EvaluationRecord],
) -> None:
    line = records[1]
    long = line.facts.model_copy(
        update={"parameters": {**line.facts.parameters, "features": "MedInc, " * 20}, "job": "long"}
    )
    first = line.facts.model_copy(update={"parameters": {**line.facts.parameters, "features": "MedInc"}})
    many = [first.model_copy(update={"run_id": f"{number:010}"}) for number in range(12)]
    page = comparison_report([line.model_copy(update={"facts": own}) for own in [*many, long]]).decode()
    told = page[page.index("What differs") :]
    assert re.search(r'<th class="name">run</th><th class="text">features</th>', told)
    assert f'title="{long.parameters["features"]}">{"MedInc, " * 7}' in told
    assert told.count('<td class="name">') == 13


def test_own_code_is_named_by_its_image(records: list[EvaluationRecord]) -> None:
    line = records[1]
    own = {key: value for key, value in line.facts.parameters.items() if key != "estimator.class"}
    facts = line.facts.model_copy(
        update={"parameters": {**own, "container.image": "registry.example.com/a/own:1"}}
    )
    assert ">own:1<" in comparison_report([records[0], line.model_copy(update={"facts": facts})]).decode()


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


def test_runs_are_compared_row_by_row_where_their_answers_are_at_hand(
    records: list[EvaluationRecord], answers: list[bytes]
) -> None:
    files = {
        record.facts.run_id: read_answers(content, record.facts.job)
        for record, content in zip(records, answers, strict=True)
    }
    count, value, ends, verdict = verdicts(comparison_report(records, files).decode())
    rmse = {record.facts.job: record.metrics[0].value for record in records}
    assert count == f"{version_of(TABLE).test.num_rows:,}"
    assert float(value) == pytest.approx((rmse["forest"] or 0) - (rmse["line"] or 0), rel=1e-3)
    assert re.fullmatch(r"\S+ to \S+", ends)
    assert verdict == "worse"
    assert "predictions.parquet is missing" in verdicts(comparison_report(records).decode())
    elsewhere = records[1].facts.model_copy(update={"dataset": "other"})
    mixed = [records[0], records[1].model_copy(update={"facts": elsewhere})]
    assert "the rows are of another Dataset" in verdicts(comparison_report(mixed, files).decode())


def test_the_command_writes_the_report_and_says_what_it_cannot_compare(
    records: list[EvaluationRecord],
    answers: list[bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = []
    for record, content in zip(records, answers, strict=True):
        paths.append(tmp_path / record.facts.job / "evaluation.json")
        paths[-1].parent.mkdir()
        paths[-1].write_text(record.model_dump_json(by_alias=True))
        paths[-1].with_name("predictions.parquet").write_bytes(content)
    output = tmp_path / "report.html"
    assert main([*map(str, paths), "-o", str(output)]) == 0
    assert verdicts(output.read_text())[3] == "worse"
    assert main([str(paths[0]), "-o", str(output)]) == 2
    assert "2 to 50 are compared" in capsys.readouterr().err
    assert main([str(paths[0]), str(tmp_path / "none.json"), "-o", str(output)]) == 2
    assert "none.json: cannot be read" in capsys.readouterr().err
    paths[1].write_text("{}")
    assert main([*map(str, paths), "-o", str(output)]) == 2
    assert "is no record of an evaluation" in capsys.readouterr().err
