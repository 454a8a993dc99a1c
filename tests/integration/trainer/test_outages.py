"""Postgres, MLflow and S3 go away at each phase of a job and come back: it waits, and does everything once."""

from dataclasses import replace

import pytest

from modelyard_api.contract.steps import TrainStep
from tests.integration.trainer.test_killed import WRITES_TO_MLFLOW, WRITES_TO_S3
from tests.integration.trainer.test_training import FOREST, houses
from tests.integration.trainer.test_tuning import SMALL
from tests.support.outages import Outages
from tests.support.postgres import PostgresServer, Project
from tests.support.s3 import BUCKET
from tests.support.training import TrainerRun, publish
from tests.support.tuning import Studies

pytestmark = pytest.mark.timeout(300)

WAYS = pytest.mark.parametrize("carried_out", [False, True], ids=["before the request", "before its answer"])
STATEMENTS = (
    b"CREATE TABLE IF NOT EXISTS tuning_trials",
    b"INSERT INTO tuning_studies",
    b"FOR UPDATE",
    b"INSERT INTO tuning_trials",
    b"SET parameters = $",
    b"AND parameters = $",
    b"SET folds = $",
    b"SET state = $",
    b"SELECT state, count(*)",
    b"SELECT number, state, parameters, value, folds, same_as",
)
"""What a worker says to Postgres: to make the study, to take, choose, judge and end a trial, to tell how far all are, and
for the run's table."""


def of_s3(trainer: TrainerRun, step: TrainStep) -> tuple[bytes, ...]:
    """Requests to the store, from taking the turn to giving it back."""
    assert step.data is not None
    turn = f"PUT /{BUCKET}/{trainer.mlflow.name}/attempts/{trainer.uid}"
    version = f"GET /{BUCKET}/{trainer.store.key(step.data.uri)}"
    return (f"{turn}/000001.json".encode(), version.encode(), *WRITES_TO_S3, f"{turn}/000002.json".encode())


def check_done_once(trainer: TrainerRun, run_id: str) -> None:
    """One finished run, none that is left running, and one version of the model."""
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        (version,) = tracking.versions("houses")
    assert (run["info"]["run_id"], run["info"]["status"]) == (run_id, "FINISHED")
    assert (version["version"], version["run_id"]) == ("1", run_id)


@WAYS
def test_mlflow_goes_away_at_each_write(trainer: TrainerRun, carried_out: bool) -> None:  # noqa: FBT001
    step = trainer.step(FOREST, publish(trainer.store, houses()))
    with Outages.at(trainer.mlflow.server.port, WRITES_TO_MLFLOW, carried_out=carried_out) as outages:
        ended = trainer.run(step.model_copy(update={"mlflow": trainer.mlflow.endpoint(outages.url)}))
    assert outages.left == []
    assert ended.log.count("trying again") >= len(WRITES_TO_MLFLOW)
    check_done_once(trainer, ended.trained.run_id)


@WAYS
def test_s3_goes_away_at_each_read_and_write(trainer: TrainerRun, carried_out: bool) -> None:  # noqa: FBT001
    step = trainer.step(FOREST, publish(trainer.store, houses()))
    with Outages.at(trainer.s3.port, of_s3(trainer, step), carried_out=carried_out) as outages:
        endpoint = trainer.s3.endpoint(trainer.mlflow.name, outages.url)
        ended = trainer.run(step.model_copy(update={"s3": endpoint}))
    assert outages.left == []
    check_done_once(trainer, ended.trained.run_id)
    prefixes = {key.rsplit("/", 1)[0] for key in trainer.store.keys(f"{trainer.mlflow.name}/models")}
    assert prefixes == {trainer.store.key(ended.trained.bundle_uri)}


@WAYS
def test_each_service_goes_away_at_each_phase_of_a_tuning_and_the_count_of_trials_is_exact(
    trainer: TrainerRun,
    postgres_server: PostgresServer,
    project: Project,
    carried_out: bool,  # noqa: FBT001
) -> None:
    tuner = replace(trainer, postgres=(postgres_server, project))
    step = tuner.step({**FOREST, "tuning": SMALL}, publish(tuner.store, houses()))
    assert step.postgres is not None
    with (
        Outages.at(postgres_server.port, STATEMENTS, carried_out=carried_out) as postgres,
        Outages.at(tuner.mlflow.server.port, WRITES_TO_MLFLOW, carried_out=carried_out) as mlflow,
        Outages.at(tuner.s3.port, of_s3(tuner, step), carried_out=carried_out) as s3,
    ):
        update = {
            "postgres": step.postgres.model_copy(update={"port": postgres.port}),
            "mlflow": tuner.mlflow.endpoint(mlflow.url),
            "s3": tuner.s3.endpoint(tuner.mlflow.name, s3.url),
        }
        trained = tuner.worker(0).run(step.model_copy(update=update)).trained
    assert (postgres.left, mlflow.left, s3.left) == ([], [], [])
    studies = Studies(postgres_server, project)
    rows = studies.rows(tuner.uid)
    studies.close()
    assert [(row["number"], row["state"], len(row["folds"])) for row in rows] == [
        (number, "Completed", 3) for number in range(4)
    ]
    assert trained.progress is not None
    assert (trained.progress.trials_completed, trained.progress.trials_running) == (4, 0)
    check_done_once(tuner, trained.run_id)
