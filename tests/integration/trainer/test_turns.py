"""Two pods of one job at a time: only the one that took the work over last finishes the run, registers and answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.steps import Owner
from modelyard_api.labels import RUN_TAG_ATTEMPT
from modelyard_runtime.s3 import ObjectStore
from modelyard_trainer.tracking.turn import SupersededError, Turn
from tests.integration.trainer.test_training import FOREST, houses
from tests.support.gate import Gate
from tests.support.s3 import BUCKET, S3Server
from tests.support.training import TrainerRun, publish

QUICK = {
    **FOREST,
    "pipeline": {"estimator": {"class": "Ridge"}},
    "evaluation": {"metrics": ["rmse"], "plots": "None"},
}
# The first of them also waits for MLflow to make its databases.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def store(s3_server: S3Server, request: pytest.FixtureRequest) -> ObjectStore:
    """A project's part of each store that there is."""
    return s3_server.store(f"turns-{abs(hash(request.node.name))}")


def owner(attempt: int) -> Owner:
    return Owner(project="turns", name="job", uid="one", generation=1, attempt=attempt)


def test_a_later_attempt_takes_the_turn_and_an_earlier_one_cannot_take_it_back(store: ObjectStore) -> None:
    first = Turn.take(store, owner(1), "a")
    first.check()
    second = Turn.take(store, owner(2), "b")
    with pytest.raises(SupersededError, match="attempt 2, in another pod, has taken the work over"):
        first.check()
    with pytest.raises(SupersededError):
        first.finish("run-of-the-first")
    with pytest.raises(SupersededError):
        Turn.take(store, owner(1), "c")
    second.check()
    second.finish("run-of-the-second")
    assert Turn.take(store, owner(3), "d").run_id == "run-of-the-second"


def test_another_pod_of_the_same_attempt_takes_the_turn(store: ObjectStore) -> None:
    lost = Turn.take(store, owner(1), "a")
    replaced = Turn.take(store, owner(1), "b")
    with pytest.raises(SupersededError):
        lost.finish("run")
    replaced.finish("run")
    replaced.check()


def test_who_ended_before_the_turn_was_taken_is_the_one_that_ended(store: ObjectStore) -> None:
    first = Turn.take(store, owner(1), "a")
    first.finish("run-of-the-first")
    second = Turn.take(store, owner(2), "b")
    assert second.run_id == "run-of-the-first"
    with pytest.raises(SupersededError):
        first.check()


@contextmanager
def held_back(trainer: TrainerRun, where: str) -> Iterator[tuple[Gate, str, str]]:
    """A gate before one of the pod's writes, and the addresses of MLflow and S3 by which the pod meets it."""
    mlflow, s3 = trainer.mlflow.server.port, trainer.s3.port
    end = f"PUT /{BUCKET}/{trainer.mlflow.name}/attempts/{trainer.uid}/000002.json".encode()
    marker = {"run": b"POST /api/2.0/mlflow/runs/create", "end": end, "version": b"model-versions/create"}
    to_s3 = where == "end"
    with Gate.before(s3 if to_s3 else mlflow, marker[where]) as gate:
        tracking, store = trainer.mlflow.endpoint().url, trainer.s3.url
        yield gate, tracking if to_s3 else gate.url, gate.url if to_s3 else store


@pytest.mark.parametrize(
    ("where", "tracked_attempt"),
    [("run", "2"), ("end", "2"), ("version", "1")],
    ids=["run", "end", "version"],
)
def test_a_late_pod_of_an_older_attempt_finishes_and_registers_nothing(
    trainer: TrainerRun, where: str, tracked_attempt: str
) -> None:
    data = publish(trainer.store, houses())
    late = replace(trainer, directory=trainer.directory / "late")
    late.directory.mkdir()
    with held_back(trainer, where) as (gate, mlflow, s3):
        step = late.step(QUICK, data).model_copy(
            update={"mlflow": late.mlflow.endpoint(mlflow), "s3": late.s3.endpoint(late.mlflow.name, s3)}
        )
        started = late.start(step)
        assert gate.reached.wait(60)
        trained = trainer.run(trainer.step(QUICK, data, attempt=2)).trained
        gate.release()
        ended = late.finish(started)
    assert ended.exit_status == 1
    assert ended.outcome is not None
    assert ended.outcome.failure is not None, "a late pod must not answer"
    assert ended.outcome.failure.failure_class is FailureClass.EVICTED
    assert "attempt 2, in another pod, has taken the work over" in ended.complaint
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        (version,) = tracking.versions("houses")
    assert (run["info"]["run_id"], run["info"]["status"]) == (trained.run_id, "FINISHED")
    assert {tag["key"]: tag["value"] for tag in run["data"]["tags"]}[RUN_TAG_ATTEMPT] == tracked_attempt
    assert (version["version"], version["run_id"]) == (trained.model_version, trained.run_id)
