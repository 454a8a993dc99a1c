"""The example repository's report and its try of a model outside, on what Modelyard really gives them."""

import json
import runpy
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelyard_api.metrics import Task
from modelyard_cli.runs import Run
from modelyard_cli.views.comparison import compare
from modelyard_cli.views.difference import Facts, differ
from modelyard_trainer.bundle import Origin, pack
from modelyard_trainer.tracking.model_directory import model_directory
from tests.support.example import EXAMPLE
from tests.support.fitting import fit_in_memory, version_of
from tests.unit.cli.running import run
from tests.unit.trainer.test_fitting import CLASSES, branch, offers, regression

Main = Callable[[Path], int]
PASSED = {"gate": "metric r2", "required": "≥ 0.75", "observed": "0.8", "passed": True}
TEXTS = regression(
    features={"include": ["title", "size"]},
    preprocess=[branch("title", "TfidfVectorizer"), branch("size", "StandardScaler")],
)
REFUSED = {"gate": "metric rmse", "required": "≤ 0.60", "observed": "0.7", "passed": False}


def main_of(name: str) -> Main:
    main: Main = runpy.run_path(str(EXAMPLE / "ci" / name))["main"]
    return main


def compared(folder: Path, *runs: Run, gates: list[dict[str, Any]]) -> Path:
    """The files that ci/compare.sh leaves."""
    (folder / "compare.json").write_text(json.dumps(compare(runs).document()))
    if len(runs) > 1:
        found = differ(*(Facts(one) for one in runs))
        effects = [{**asdict(effect), "delta": effect.delta} for effect in found.effects]
        (folder / "diff.json").write_text(json.dumps({**asdict(found), "effects": effects}))
    (folder / "promotion.json").write_text(
        json.dumps({"status": {"candidate": {"version": "2", "gates": gates}}})
    )
    return folder


def test_a_better_candidate_is_reported_with_what_changed_and_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    champion = run("old", 1, metrics={"rmse": 0.5, "r2": 0.7})
    candidate = run("new", 2, metrics={"rmse": 0.4, "r2": 0.8}, parameters={"estimator.class": "Lasso"})
    assert main_of("report.py")(compared(tmp_path, champion, candidate, gates=[PASSED])) == 0
    said = capsys.readouterr().out
    assert "| new | v1 of load 1 | Lasso | **0.4** | **0.8** |" in said
    assert "| estimator.class | Ridge | Lasso |" in said
    assert "| rmse | 0.5 | 0.4 | better |" in said
    assert "| metric r2 | ≥ 0.75 | 0.8 | passed |" in said


def test_a_worse_candidate_fails_and_a_refusing_gate_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, candidate = (run(name, n, metrics={"rmse": v}) for name, n, v in (("a", 1, 0.4), ("b", 2, 0.7)))
    assert main_of("report.py")(compared(tmp_path, champion, candidate, gates=[REFUSED])) == 1
    said = capsys.readouterr().out
    assert "The candidate is worse by rmse" in said
    assert "| metric rmse | ≤ 0.60 | 0.7 | **refused** |" in said


def test_a_gate_without_an_answer_is_shown_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = {"gate": "signature", "required": "the same", "observed": "being found out"}
    assert main_of("report.py")(compared(tmp_path, run("first"), gates=[waiting])) == 0
    assert "| signature | the same | being found out | no answer yet |" in capsys.readouterr().out


def test_what_lies_within_noise_does_not_fail(tmp_path: Path) -> None:
    champion = run("a", 1, metrics={"rmse": 0.40, "rmse_low": 0.38, "rmse_high": 0.42})
    candidate = run("b", 2, metrics={"rmse": 0.41, "rmse_low": 0.39, "rmse_high": 0.43})
    assert main_of("report.py")(compared(tmp_path, champion, candidate, gates=[])) == 0


def test_a_first_candidate_has_nothing_to_be_compared_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_of("report.py")(compared(tmp_path, run("first"), gates=[PASSED])) == 0
    assert "There is nothing to compare with" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spec", "task"),
    [
        (regression("RandomForestRegressor"), Task.REGRESSION),
        (TEXTS, Task.REGRESSION),
        (CLASSES, Task.CLASSIFICATION),
    ],
    ids=["numbers", "texts", "labels"],
)
def test_a_model_answers_alike_by_scikit_learn_alone_and_another_answer_is_noticed(
    spec: dict[str, Any], task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = fit_in_memory(spec, version_of(offers()))
    origin = Origin(task, fitted.plan.target.name, fitted.plan.inputs, "run", "sha256:" + "0" * 64)
    packed = pack(fitted.model, origin, fitted.data.train, fitted.data.test)
    for name, content in model_directory(packed, datetime.now(UTC)).items():
        (tmp_path / name).write_bytes(content)
    answers = fitted.model.predict(fitted.data.train.X[:5]).tolist()
    (tmp_path / "answers.json").write_text(json.dumps({"predictions": answers}))
    assert main_of("elsewhere.py")(tmp_path) == 0
    assert "the same answers" in capsys.readouterr().out
    answers[0] = "neither" if task is Task.CLASSIFICATION else answers[0] * 1.001
    (tmp_path / "answers.json").write_text(json.dumps({"predictions": answers}))
    assert main_of("elsewhere.py")(tmp_path) == 1
