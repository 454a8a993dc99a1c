"""A trainer that is killed anywhere is followed by one that leaves one run, one model version and the same answer."""

import signal
from dataclasses import replace

import pytest

from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import PlatformError
from modelyard_runtime.retry import Patience
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.tracking.runs import Runs
from tests.integration.trainer.test_training import BARE, FOREST, houses
from tests.support.gate import Gate
from tests.support.s3 import BUCKET
from tests.support.training import TrainerRun, publish

# Many trainers one after the other, and the first test also waits for MLflow to make its databases.
pytestmark = pytest.mark.timeout(600)

WRITES_TO_MLFLOW = (
    b"POST /api/2.0/mlflow/experiments/create",
    b"POST /api/2.0/mlflow/runs/create",
    b"POST /api/2.0/mlflow/runs/log-batch",
    b"POST /api/2.0/mlflow/runs/log-inputs",
    b"/evaluation/report.html",
    b"/model/MLmodel",
    b"POST /api/2.0/mlflow/runs/update",
    b"POST /api/2.0/mlflow/registered-models/create",
    b"POST /api/2.0/mlflow/model-versions/create",
)
WRITES_TO_S3 = (b"/model.skops", b"/bundle.json")
_PATIENCE_SECONDS = 180
"""For one trainer, on a machine that does other things too."""


def test_killed_after_each_write_before_its_answer_there_is_one_run_and_one_version(
    trainer: TrainerRun,
) -> None:
    step = trainer.step(FOREST, publish(trainer.store, houses()))
    server = trainer.mlflow.server
    for marker in WRITES_TO_MLFLOW:
        with Gate.after(server.port, marker) as gate:
            tracked = step.model_copy(update={"mlflow": trainer.mlflow.endpoint(gate.url)})
            started = trainer.start(tracked)
            assert gate.reached.wait(_PATIENCE_SECONDS), marker
            started.kill()
        with trainer.mlflow.tracking() as tracking:
            assert len(tracking.runs_of(trainer.uid)) <= 1, marker
    trained = trainer.run(step).trained
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        (version,) = tracking.versions("houses")
    assert (run["info"]["run_id"], run["info"]["status"]) == (trained.run_id, "FINISHED")
    assert version["version"] == trained.model_version == "1"


def test_killed_once_its_end_is_said_the_next_one_only_finishes_registers_and_answers(
    trainer: TrainerRun,
) -> None:
    step = trainer.step(BARE, publish(trainer.store, houses()))
    end = f"PUT /{BUCKET}/{trainer.mlflow.name}/attempts/{trainer.uid}/000002.json".encode()
    with Gate.after(trainer.s3.port, end) as gate:
        endpoint = trainer.s3.endpoint(trainer.mlflow.name, gate.url)
        started = trainer.start(step.model_copy(update={"s3": endpoint}))
        assert gate.reached.wait(_PATIENCE_SECONDS)
        started.kill()
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
    assert run["info"]["status"] == "RUNNING"
    again = trainer.run(step)
    assert "nothing is trained again" in again.log
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        (version,) = tracking.versions("houses")
    assert (run["info"]["run_id"], run["info"]["status"]) == (again.trained.run_id, "FINISHED")
    assert version["version"] == again.trained.model_version == "1"


@pytest.mark.parametrize("marker", WRITES_TO_S3)
def test_killed_before_a_file_of_the_bundle_is_written_the_next_one_writes_it(
    trainer: TrainerRun, marker: bytes
) -> None:
    step = trainer.step(BARE, publish(trainer.store, houses()))
    with Gate.before(trainer.s3.port, marker) as gate:
        endpoint = trainer.s3.endpoint(trainer.mlflow.name, gate.url)
        started = trainer.start(step.model_copy(update={"s3": endpoint}))
        assert gate.reached.wait(_PATIENCE_SECONDS)
        started.kill()
    trained = trainer.run(step).trained
    store = trainer.store
    prefixes = {key.rsplit("/", 1)[0] for key in store.keys(f"{trainer.mlflow.name}/models")}
    assert prefixes == {store.key(trained.bundle_uri)}
    with trainer.mlflow.tracking() as tracking:
        assert len(tracking.runs_of(trainer.uid)) == 1


def test_asked_to_stop_it_ends_soon_and_leaves_the_run_to_the_next_attempt(trainer: TrainerRun) -> None:
    data = publish(trainer.store, houses())
    step = trainer.step(BARE, data)
    with Gate.before(trainer.mlflow.server.port, b"runs/log-inputs") as gate:
        started = trainer.start(step.model_copy(update={"mlflow": trainer.mlflow.endpoint(gate.url)}))
        assert gate.reached.wait(_PATIENCE_SECONDS)
        started.process.send_signal(signal.SIGTERM)
        ended = trainer.finish(started, seconds=20)
    assert ended.exit_status == 128 + signal.SIGTERM
    assert ended.outcome is not None
    assert ended.outcome.failure is not None
    assert ended.outcome.failure.failure_class == "Evicted"
    again = trainer.run(trainer.step(BARE, data, attempt=2)).trained
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
    assert run["info"]["run_id"] == again.run_id


def test_an_mlflow_that_does_not_answer_is_a_failure_of_the_platform(trainer: TrainerRun) -> None:
    nowhere = trainer.mlflow.endpoint("http://127.0.0.1:9")
    with MLflowClient(nowhere, trainer.mlflow.login, Patience(total=0.5)) as client:
        with pytest.raises(PlatformError, match="did not answer") as raised:
            Runs(client, "data").find(trainer.uid)
        assert "http://127.0.0.1:9" in raised.value.message


def test_a_refused_account_is_named_and_its_password_is_not_shown(trainer: TrainerRun) -> None:
    login = Login(trainer.mlflow.login.username, "a wrong password")
    other = TrainerRun(trainer.directory, trainer.s3, replace(trainer.mlflow, login=login))
    ended = other.run(trainer.step(BARE, publish(trainer.store, houses())))
    assert ended.exit_status == 20
    assert "refuses the project's account (HTTP 401)" in ended.complaint
    assert login.password not in ended.log
