"""The example repository's scripts against a real API server and a real MLflow; the operator's part is written by hand."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from modelyard_api.contract.steps import Owner
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.tracking.runs import Runs, RunStatus
from tests.integration.cli.conftest import NAMESPACE
from tests.support.example import OwnRepository, own_repository
from tests.support.kubeapi import OWN_KINDS, Document, Kind, KubeApi
from tests.support.mlflow import MLflowProject
from tests.support.waiting import until
from tests.unit.cli.seeing import DIGEST, condition

START = datetime(2026, 1, 1, tzinfo=UTC)
OWN_NAMES = "house"
"""How names of the example's resources begin; other tests have theirs in the same namespace."""
TREES = {60: 0.5, 200: 0.4}
"""What forests of so many trees reach here."""


@pytest.fixture(scope="module")
def trained(project: MLflowProject) -> dict[int, str]:
    """A finished run for each number of trees."""
    made = {}
    with MLflowClient(project.endpoint(), project.login) as client:
        runs = Runs(client, "forests")
        for trees, rmse in TREES.items():
            run = runs.begin(
                Owner(project=NAMESPACE, name=f"forest-{trees}", uid=f"uid-{trees}", generation=1), START
            )
            parameters = {"task": "Regression", "target": "MedHouseVal", "variant": "coast", "sequence": "1"}
            runs.log_parameters(run.id, {**parameters, "estimator.n_estimators": str(trees)})
            runs.log_metrics(run.id, {"rmse": rmse}, START)
            runs.log_file(run, "evaluation/report.html", b"<html>")
            runs.end(run.id, RunStatus.FINISHED, START)
            made[trees] = run.id
    return made


class Hands:
    """Writes what an operator would, as soon as there is something to write it to."""

    def __init__(self, kube: KubeApi, runs: dict[int, str]) -> None:
        self._kube = kube
        self._runs = runs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.rules_hold = True

    def __enter__(self) -> Self:
        # A kind that was just made is not served at once.
        for kind in OWN_KINDS.values():
            until(partial(self._is_served, kind), 60, kind.plural)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _is_served(self, kind: Kind) -> bool:
        self._kube.items(kind, NAMESPACE)
        return True

    def _work(self) -> None:
        answers = {"Dataset": self._dataset, "TrainingJob": self._job, "ModelPromotion": self._promotion}
        while not self._stop.wait(0.1):
            for kind, status in answers.items():
                for found in self._kube.items(OWN_KINDS[kind], NAMESPACE):
                    name = found["metadata"]["name"]
                    if not name.startswith(OWN_NAMES):
                        continue
                    answer = {"status": status(found, found["metadata"]["generation"])}
                    self._kube.merge(OWN_KINDS[kind], NAMESPACE, f"{name}/status", answer)

    def _dataset(self, found: Document, generation: int) -> dict[str, Any]:
        held = (
            condition("Valid", "True", "RulesHeld", generation=generation)
            if self.rules_hold
            else condition("Valid", "False", "RulesBroken", "rowCount of all: 7", generation)
        )
        asked = found["metadata"].get("annotations", {}).get("modelyard.dev/load-now")
        return {
            "conditions": [
                condition("Ready", "True", "Published", generation=generation),
                condition("Progressing", "False", "Complete", generation=generation),
                held,
            ],
            "load": {"sequence": 1, "rows": 20640, **({"handledRequest": asked} if asked else {})},
        }

    def _job(self, found: Document, generation: int) -> dict[str, Any]:
        trees = found["spec"]["pipeline"]["estimator"]["params"]["n_estimators"]
        return {
            "conditions": [condition("Succeeded", "True", "Completed", generation=generation)],
            "run": {"id": self._runs[trees]},
            "model": {"name": "house-prices", "version": str(trees), "digest": DIGEST},
        }

    def _promotion(self, found: Document, generation: int) -> dict[str, Any]:
        version = found["spec"]["candidate"].get("version")
        if version is None:
            return {}
        gate = {"gate": "metric r2", "required": "≥ 0.75", "observed": "0.8", "passed": True}
        champion = {
            "version": version,
            "runId": self._runs[int(version)],
            "modelDigest": DIGEST,
            "bundleUri": "s3://a/b",
            "since": "2026-01-01T00:00:00Z",
        }
        return {
            "conditions": [condition("Ready", "True", "Serving", generation=generation)],
            "champion": champion,
            "candidate": {"version": version, "gates": [gate]},
        }


@pytest.fixture
def hands(kube: KubeApi, trained: dict[int, str]) -> Iterator[Hands]:
    with Hands(kube, trained) as working:
        yield working


@pytest.fixture
def repository(
    signed_in: None, project: MLflowProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> OwnRepository:
    """The example on the branch main, with more trees in the work tree."""
    del signed_in
    monkeypatch.setenv("MLFLOW_TRACKING_URI", project.server.url)
    monkeypatch.setenv("NAMESPACE", NAMESPACE)
    monkeypatch.setenv("BASE", "main")
    made = own_repository(tmp_path)
    made.commit("main")
    made.edit("modelyard/model.yaml", "n_estimators: 60", "n_estimators: 200")
    return made


@pytest.mark.usefixtures("hands")
def test_the_steps_train_champion_and_candidate_compare_them_and_ask_the_gates(
    repository: OwnRepository, kube: KubeApi, trained: dict[int, str]
) -> None:
    # As by hand: an earlier run has left its promotion, pointed at what was judged then.
    promotion = yaml.safe_load((repository.folder / "modelyard" / "promotion.yaml").read_text())
    earlier = {**promotion["spec"], "candidate": {"version": "60"}, "gates": []}
    metadata = {**promotion["metadata"], "namespace": NAMESPACE}
    kube.create(OWN_KINDS["ModelPromotion"], {**promotion, "metadata": metadata, "spec": earlier})
    for script in ("champion.sh", "candidate.sh", "compare.sh"):
        done = repository.step(script)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    made = repository.folder / "build" / "ci"
    assert [(made / name).read_text() for name in ("champion", "candidate", "version")] == [
        trained[60],
        trained[200],
        "200",
    ]
    report = (made / "report.md").read_text()
    assert "| estimator.n_estimators | 60 | 200 |" in report
    assert "| rmse | 0.5 | 0.4 | better |" in report
    assert "| metric r2 | ≥ 0.75 | 0.8 | passed |" in report
    assert len(list((made / "reports").glob("*/report.html"))) == 2
    found = kube.read(OWN_KINDS["ModelPromotion"], NAMESPACE, metadata["name"]) or {}
    assert (found["spec"]["candidate"], found["spec"]["gates"]) == (
        {"version": "200"},
        promotion["spec"]["gates"],
    )


def test_nothing_is_trained_on_data_that_break_a_rule(
    repository: OwnRepository, kube: KubeApi, hands: Hands
) -> None:
    hands.rules_hold = False
    repository.edit("modelyard/model.yaml", "n_estimators: 200", "n_estimators: 300")
    before = {job["metadata"]["name"] for job in kube.items(OWN_KINDS["TrainingJob"], NAMESPACE)}
    done = repository.step("candidate.sh")
    assert done.returncode == 1
    assert "a rule of houses is broken: rowCount of all: 7" in done.stderr
    assert {job["metadata"]["name"] for job in kube.items(OWN_KINDS["TrainingJob"], NAMESPACE)} == before
    assert not (repository.folder / "build" / "ci" / "candidate").exists()
