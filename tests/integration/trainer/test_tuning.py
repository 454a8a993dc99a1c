"""Workers of one TrainingJob as its pods run them: killed at any time, the trials are exact and there is one run."""

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from modelyard_api.contract.progress import PROGRESS_VARIABLE, StepProgress
from tests.integration.trainer.test_training import BARE, FOREST, houses
from tests.support.gate import Gate
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer, Project
from tests.support.training import TrainerRun, publish
from tests.support.tuning import Studies
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)

TUNING: dict[str, Any] = {
    "trials": 8,
    "parallelism": 2,
    "sampler": {"tpe": {"seed": 7, "startupTrials": 4}},
    "objective": {"folds": 3},
    "space": [
        {"parameter": "estimator.n_estimators", "integer": {"low": 100, "high": 200}},
        {"parameter": "estimator.max_features", "choice": {"values": ["sqrt", "1.0"]}},
        {"parameter": "estimator.min_samples_leaf", "integer": {"low": 1, "high": 20, "log": True}},
    ],
}
SMALL: dict[str, Any] = {
    **TUNING,
    "trials": 4,
    "parallelism": 1,
    "pruner": {"median": {"startupTrials": 4}},
    "space": [
        {"parameter": "estimator.n_estimators", "integer": {"low": 2, "high": 20}},
        {"parameter": "estimator.min_samples_leaf", "integer": {"low": 1, "high": 20}},
    ],
}
"""Trials that take next to no time. Their folds are written one by one for a pruner that has too few to compare with."""
WRITES_TO_POSTGRES = (
    b"INSERT INTO tuning_studies",
    b"INSERT INTO tuning_trials",
    b"SET parameters = $",
    b"SET folds = $",
    b"SET state = $",
)


@pytest.fixture
def tuner(trainer: TrainerRun, postgres_server: PostgresServer, project: Project) -> TrainerRun:
    """The trainer in an empty project that has a schema in Postgres."""
    return replace(trainer, postgres=(postgres_server, project))


@pytest.fixture
def studies(postgres_server: PostgresServer, project: Project) -> Iterator[Studies]:
    """What the trainer records."""
    seen = Studies(postgres_server, project)
    yield seen
    seen.close()


def test_workers_killed_in_a_trial_and_in_the_training_leave_exact_trials_one_run_and_one_version(
    tuner: TrainerRun, studies: Studies
) -> None:
    step = tuner.step({**FOREST, "tuning": TUNING}, publish(tuner.store, houses()))
    first, second = tuner.worker(0), tuner.worker(1)
    with Gate.after(tuner.mlflow.server.port, b"POST /api/2.0/mlflow/runs/create") as gate:
        answering = first.start(step.model_copy(update={"mlflow": tuner.mlflow.endpoint(gate.url)}))
        helping = second.start(step)
        until(lambda: studies.working(tuner.uid, 1), 60, "a trial of the second worker")
        helping.kill()
        helped = second.run(step)
        assert gate.reached.wait(60)
        answering.kill()
    assert helped.exit_status == 0
    assert helped.outcome is not None
    assert helped.outcome.trials is not None
    trained = first.run(step).trained

    rows = studies.rows(tuner.uid)
    assert [row["number"] for row in rows] == list(range(8))
    assert {row["state"] for row in rows} == {"Completed"}
    assert sum(row["fence"] for row in rows) == 9
    best = min(rows, key=lambda row: row["value"])
    assert trained.best is not None
    assert trained.best.number == best["number"]
    assert {own.name: json.loads(own.value) for own in trained.best.parameters} == best["parameters"]
    assert trained.progress is not None
    assert (trained.progress.percent, trained.progress.trials_completed) == (100, 8)
    with tuner.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(tuner.uid)
        (version,) = tracking.versions("houses")
        assert tracking.files_of(run["info"]["run_id"], "tuning") == {
            "trials.json",
            "history.png",
            "importance.png",
            "parallel.png",
        }
        report = tracking.file(run["info"]["run_id"], "evaluation/report.html")
        assert "<h2>Trials</h2>" in report.decode()
    assert (run["info"]["run_id"], run["info"]["status"]) == (trained.run_id, "FINISHED")
    assert version["version"] == "1"
    parameters = {own["key"]: own["value"] for own in run["data"]["params"]}
    assert parameters["estimator.n_estimators"] == str(best["parameters"]["estimator.n_estimators"])
    assert parameters["tuning.trial"] == str(best["number"])
    metrics = {own["key"]: own["value"] for own in run["data"]["metrics"]}
    assert metrics["tuning_rmse"] == best["value"]
    assert metrics["rmse"] > 0

    again = first.run(tuner.step({**FOREST, "tuning": TUNING}, step.data, attempt=2)).trained
    assert (again.run_id, again.best, again.model_digest) == (
        trained.run_id,
        trained.best,
        trained.model_digest,
    )


def test_killed_after_each_write_of_a_trial_before_its_answer_the_next_worker_goes_on_from_there(
    tuner: TrainerRun, studies: Studies
) -> None:
    asked = {**BARE, "tuning": {**SMALL, "trials": 2}}
    worker, step = tuner.worker(0), tuner.step(asked, publish(tuner.store, houses()))
    assert step.postgres is not None
    for marker in WRITES_TO_POSTGRES:
        with Gate.after(step.postgres.port, marker) as gate:
            there = step.postgres.model_copy(update={"port": gate.port})
            started = worker.start(step.model_copy(update={"postgres": there}))
            assert gate.reached.wait(60), marker
            started.kill()
    trained = worker.run(step).trained
    rows = studies.rows(tuner.uid)
    assert [(row["number"], row["state"], len(row["folds"]), row["fence"]) for row in rows] == [
        (0, "Completed", 3, 4),
        (1, "Completed", 3, 2),
    ]
    with tuner.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(tuner.uid)
        (version,) = tracking.versions_of(tuner.uid)
    assert (run["info"]["run_id"], run["info"]["status"]) == (trained.run_id, "FINISHED")
    assert version["version"] == trained.model_version


def test_a_worker_that_is_asked_to_stop_gives_its_trial_back_and_tells_how_far_all_are(
    tuner: TrainerRun, studies: Studies
) -> None:
    step = tuner.step({**BARE, "tuning": {**TUNING, "parallelism": 1}}, publish(tuner.store, houses()))
    port = free_port()
    own = replace(tuner, environment={PROGRESS_VARIABLE: str(port)})
    started = own.start(step)
    until(lambda: len(studies.rows(tuner.uid)) > 1, 60, "two trials")
    said = StepProgress.model_validate_json(httpx.get(f"http://127.0.0.1:{port}/progress").content)
    started.process.send_signal(signal.SIGTERM)
    ended = own.finish(started, seconds=20)
    assert said.phase == "Tuning"
    assert said.tuning is not None
    assert ended.exit_status == 128 + signal.SIGTERM
    held = [row for row in studies.rows(tuner.uid) if row["state"] == "Running"]
    assert [row["worker"] for row in held] == [None]
    trained = tuner.worker(0).run(step).trained
    assert trained.progress is not None
    assert trained.progress.trials_completed == 8


def test_what_no_trial_can_be_judged_by_ends_the_job_in_words(tuner: TrainerRun) -> None:
    data = publish(tuner.store, houses(12))
    nobody = {**BARE, "tuning": {**TUNING, "warmStart": {"trainingJob": "nobody"}}}
    ended = tuner.worker(0).run(tuner.step(nobody, data))
    assert ended.exit_status == 10
    assert "spec.tuning.warmStart.trainingJob = 'nobody': has no completed trials" in ended.complaint
    many = {**BARE, "tuning": {**TUNING, "objective": {"folds": 9}}}
    ended = tuner.worker(0).run(tuner.step(many, data))
    assert ended.exit_status == 11
    assert "spec.tuning.objective.folds = 9: are too many for" in ended.complaint
