"""The report of a run: one file that needs nothing else."""

import re

import numpy as np
import pyarrow as pa
import pytest

from modelyard_trainer.evaluation.assess import Assessment
from modelyard_trainer.evaluation.present import record_files, report_files
from modelyard_trainer.evaluation.record import EvaluationRecord
from tests.support.evaluating import assessed, recorded

RNG = np.random.default_rng(8)
ROWS = 200
X = RNG.normal(size=ROWS)
HOSTILE = "<script>alert(1)</script>"
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS)),
        "x": pa.array(X),
        "label": pa.array(np.where(X + 0.5 * RNG.normal(size=ROWS) > 0.3, HOSTILE, "low & slow")),
    }
)
SPEC = {
    "task": "Classification",
    "target": "label",
    "pipeline": {"estimator": {"class": "LogisticRegression"}},
    "evaluation": {"crossValidation": {"folds": 3}},
}


def files_of(assessment: Assessment, record: EvaluationRecord) -> dict[str, bytes]:
    return {**record_files(record, b""), **report_files(assessment, record)}


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    return assessed(SPEC, TABLE)


@pytest.fixture(scope="module")
def files(assessment: Assessment) -> dict[str, bytes]:
    return files_of(assessment, recorded(SPEC, assessment))


def test_the_report_holds_its_plots_and_loads_nothing(files: dict[str, bytes]) -> None:
    assert {"evaluation.json", "report.html", "roc.png", "learning-curve.png"} < files.keys()
    page = files["report.html"].decode()
    pictures = [name for name in files if name.endswith(".png")]
    assert page.count('src="data:image/png;base64,') == len(pictures)
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "<link" not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "low &amp; slow" in page


def test_the_plots_of_trials_are_a_part_of_the_report(assessment: Assessment) -> None:
    record = recorded(SPEC, assessment)
    plain = report_files(assessment, record)["report.html"].decode()
    told = report_files(assessment, record, [("Each trial", b"PNG")])["report.html"].decode()
    assert "<h2>Trials</h2>" not in plain
    assert "Each trial" in told[told.index("<h2>Trials</h2>") :]
    assert told.count("<img") == plain.count("<img") + 1


def test_the_report_says_everything_that_was_found_out(
    assessment: Assessment, files: dict[str, bytes]
) -> None:
    record = recorded(SPEC, assessment)
    page = files["report.html"].decode()
    for said in (
        "95 % interval",
        "3 folds",
        "1,000 draws",
        "the most frequent class",
        "demo/data",
        "sha256:" + "0" * 64,
        "20 % held out by hash with seed 42",
        "scikit-learn",
        "modelyard/trainer:tests",
        "LogisticRegression",
        "f1_macro",
    ):
        assert said in page, said
    first = record.metrics[0]
    assert first.name == "f1_macro"
    assert first.value is not None
    assert f"{first.value:.4g}" in page


def test_the_same_run_gives_the_same_files_and_its_document_is_read_back(
    assessment: Assessment, files: dict[str, bytes]
) -> None:
    record = recorded(SPEC, assessment)
    assert files == files_of(assessment, record)
    assert EvaluationRecord.model_validate_json(files["evaluation.json"]) == record


def test_what_is_not_defined_is_said_and_is_no_number() -> None:
    small = {**SPEC, "evaluation": {"plots": "None", "metrics": ["accuracy", "mcc"], "primary": "accuracy"}}
    table = TABLE.set_column(2, "label", pa.array(["a"] * (ROWS - 6) + ["b"] * 6))
    assessment = assessed(small, table)
    (mcc,) = [one for one in recorded(small, assessment).metrics if one.name == "mcc"]
    assert mcc.value is None
    assert "all predictions are a" in mcc.note or "all rows are of one class" in mcc.note
    page = files_of(assessment, recorded(small, assessment))["report.html"].decode()
    assert "not defined" in page
    assert mcc.note in page
