"""Runs of a real MLflow server with users and workspaces, as a person at a terminal sees them."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelyard_api.contract.steps import Owner
from modelyard_api.labels import TAG_DATASET_DIGEST
from modelyard_cli.__main__ import run as command
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.tracking.registry import Registry
from modelyard_trainer.tracking.runs import Runs, RunStatus
from tests.integration.cli.conftest import NAMESPACE
from tests.support.kubeapi import OWN_KINDS, KubeApi
from tests.support.mlflow import MLflowProject
from tests.support.waiting import until
from tests.unit.cli.seeing import condition

START = datetime(2026, 1, 1, tzinfo=UTC)
PARAMETERS = {
    "task": "Regression",
    "target": "MedHouseVal",
    "dataset": "houses",
    "variant": "v1",
    "sequence": "1",
    "estimator.class": "Ridge",
}


@pytest.fixture(scope="module")
def tracked(project: MLflowProject) -> dict[str, str]:
    """Two finished runs as the trainer leaves them, one of which is a version of a model, and one that failed."""
    with MLflowClient(project.endpoint(), project.login) as client:
        runs, made = Runs(client, "houses"), {}
        for number, (name, value) in enumerate({"first": 0.5, "second": 0.4}.items()):
            now = START + timedelta(hours=number)
            run = runs.begin(
                Owner(project=NAMESPACE, name=name, uid=f"uid-{name}", generation=1, image="t:1"), now
            )
            alpha = str(number + 1)
            runs.log_parameters(run.id, {**PARAMETERS, "estimator.alpha": alpha})
            runs.tag(run.id, {TAG_DATASET_DIGEST: "sha256:" + "a" * 64})
            runs.log_metrics(
                run.id, {"rmse": value, "rmse_low": value - 0.01, "rmse_high": value + 0.01}, now
            )
            runs.log_file(run, "model/requirements.txt", f"numpy==2.{number}\n".encode())
            runs.log_file(run, "evaluation/report.html", b"<html>")
            runs.log_file(run, "evaluation/predictions.parquet", b"PAR1")
            if name == "second":
                trials = {
                    "columns": ["number", "state", "rmse"],
                    "data": [[0, "Completed", 0.5], [1, "Failed", None]],
                }
                runs.log_file(run, "tuning/trials.json", json.dumps(trials).encode())
            runs.log_file(run, "model/inner/model.skops", b"model")
            runs.end(run.id, RunStatus.FINISHED, now)
            made[name] = run.id
        earlier = START - timedelta(hours=1)
        failed = runs.begin(Owner(project=NAMESPACE, name="third", uid="uid-third", generation=1), earlier)
        runs.end(failed.id, RunStatus.FAILED, START)
        tags = {"modelyard.dev/training-job": "second", "modelyard.dev/training-job-uid": "uid-second"}
        Registry(client).register("housing", made["second"], tags)
    return made


@pytest.fixture
def at_terminal(
    signed_in: None, project: MLflowProject, tracked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del signed_in, tracked
    monkeypatch.setenv("MLFLOW_TRACKING_URI", project.server.url)


pytestmark = pytest.mark.usefixtures("at_terminal")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code = command([*words, "-n", NAMESPACE])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def test_runs_of_deleted_jobs_are_listed_and_found_by_name_and_id(
    capsys: pytest.CaptureFixture[str], tracked: dict[str, str]
) -> None:
    rows = json.loads(printed(capsys, "metrics", "--tracked", "--dataset", "houses", "-o", "json"))
    assert [(row["job"], row["state"]) for row in rows] == [
        ("second", "FINISHED"),
        ("first", "FINISHED"),
        ("third", "FAILED"),
    ]
    assert rows[0]["metrics"] == {"rmse": 0.4}
    assert [row["model"] for row in rows] == ["housing 1", "", ""]
    assert printed(capsys, "metrics", "--tracked", "--dataset", "nothing", "-o", "name") == ""
    found = json.loads(printed(capsys, "compare", "first", tracked["second"], "-o", "json"))
    assert [run["job"] for run in found["runs"]] == ["second", "first"]
    assert found["runs"][0]["bestBy"] == ["rmse"]


def test_diff_names_parameters_and_libraries_and_the_effect(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "diff", "first", "second", "-o", "json"))
    changes = {
        section["name"]: [tuple(c.values()) for c in section["changes"]] for section in found["sections"]
    }
    assert changes == {
        "estimator": [("estimator.alpha", "1", "2")],
        "libraries": [("numpy", "2.0", "2.1")],
    }
    assert [(effect["metric"], effect["verdict"]) for effect in found["effects"]] == [("rmse", "better")]
    shown = printed(capsys, "diff", "first", "second")
    assert "first → second" in shown
    assert "2 kinds of things changed (estimator, libraries)" in shown


def test_compare_takes_all_runs_of_a_dataset_and_saves_their_reports(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown = printed(capsys, "compare", "--dataset", "houses", "--reports", str(tmp_path))
    assert [line.split()[0] for line in shown.splitlines()] == ["RUN", "second", "first"]
    assert "* 0.4000 [0.3900, 0.4100]" in shown
    assert sorted(folder.name.split("-")[0] for folder in tmp_path.iterdir()) == ["first", "second"]
    for folder in tmp_path.iterdir():
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
            "report.html": b"<html>",
            "predictions.parquet": b"PAR1",
        }


def test_plot_draws_the_trials_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "plot", "--trials", "second")
    assert "rmse by trial of second" in shown
    assert "best so far" in shown
    assert command(["plot", "--trials", "first", "-n", NAMESPACE]) == 1
    assert "the run of first has no trials" in capsys.readouterr().err


def test_plot_draws_a_metric_over_runs(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "plot", "rmse")
    assert "rmse by run" in shown
    assert "first" in shown
    assert "Ridge" in shown
    assert command(["plot", "nothing", "-n", NAMESPACE]) == 1
    assert "Known are rmse" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["nobody", "0" * 32])
def test_a_run_that_is_not_there_is_said_so(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert command(["diff", word, "first", "-n", NAMESPACE]) == 1
    assert word in capsys.readouterr().err


def test_a_wrong_password_and_a_silent_server_are_told_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    assert command(["metrics", "--tracked", "-n", NAMESPACE]) == 3
    assert "MLflow refuses the login (HTTP 401)" in capsys.readouterr().err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert command(["metrics", "--tracked", "-n", NAMESPACE]) == 3
    assert "MLflow does not answer at http://127.0.0.1:9" in capsys.readouterr().err


def test_without_an_address_the_cluster_s_mlflow_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert command(["metrics", "--tracked", "-n", NAMESPACE]) == 3
    said = capsys.readouterr().err
    assert "the Service modelyard/modelyard-mlflow cannot be reached" in said
    assert "not found" in said


@pytest.mark.parametrize(("status", "code"), [("True", 0), ("False", 1)])
def test_replay_makes_a_run_again_and_says_whether_it_is_the_same(
    kube: KubeApi, tracked: dict[str, str], status: str, code: int
) -> None:
    kind, name = OWN_KINDS["TrainingJob"], f"again-{status.lower()}"
    words = ["replay", "first", "--name", name, "-n", NAMESPACE, "--secret", "HUB_TOKEN=hub/token"]
    with subprocess.Popen(
        [sys.executable, "-m", "modelyard_cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        made = until(lambda: kube.read(kind, NAMESPACE, name), 60, "the replay")
        assert made["spec"]["replay"] == {"runId": tracked["first"]}
        assert made["spec"]["environment"] == [
            {"name": "HUB_TOKEN", "secret": {"name": "hub", "key": "token"}}
        ]
        ended = [
            condition("Succeeded", "True", "Completed"),
            condition("Reproduced", status, "Reason", "words"),
        ]
        done = kube.merge(kind, NAMESPACE, f"{name}/status", {"status": {"conditions": ended}})
        assert done.is_success, done.text
        shown, said = process.communicate(timeout=60)
    assert (process.returncode, shown) == (code, "first: Reason: words\n"), said


def test_models_download_saves_all_files_of_a_version_and_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "model"
    said = printed(capsys, "models", "download", "housing", "1", str(folder))
    assert said.splitlines() == [f"saved {folder}/inner/model.skops", f"saved {folder}/requirements.txt"]
    assert (folder / "inner" / "model.skops").read_bytes() == b"model"
    assert (folder / "requirements.txt").read_bytes() == b"numpy==2.1\n"
    assert command(["models", "download", "housing", "9", str(tmp_path / "no"), "-n", NAMESPACE]) == 1
    assert "there is no version 9 of housing" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
