"""What stands before and behind a container with own code, against a real S3 store and a real MLflow server.

The container itself is a process of this machine: the sample's code as it stands, or the files that it would leave.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bringup.paths import REPOSITORY
from modelyard_api import labels
from modelyard_api.contract.own_container import (
    INPUT_VARIABLE,
    JUDGED_VARIABLE,
    METER_PROGRAM,
    METER_PROGRAM_VARIABLE,
    METER_VARIABLE,
    OUTPUT_VARIABLE,
    OWN_USE_FILE,
)
from modelyard_api.contract.steps import ContainerStep, JudgeStep, Step
from modelyard_api.contract.used import Used
from modelyard_trainer.own.places import Places
from tests.integration.trainer.test_training import houses
from tests.support.meter import build_meter
from tests.support.own_code import leave, places_in
from tests.support.training import Finished, TrainerRun, publish

_UID = "44444444-0000-4000-8000-00000000000"
SAMPLES = REPOSITORY / "manifests" / "samples" / "containers"
IMAGE = "registry/own@sha256:" + "1" * 64
SPEC: dict[str, Any] = {
    "task": "Regression",
    "target": "price",
    "container": {"image": IMAGE, "args": ["--fast"]},
    "evaluation": {"primary": "rmse"},
    "register": {"modelName": "houses"},
}


def with_places(trainer: TrainerRun, folder: str) -> tuple[TrainerRun, Places]:
    directory = trainer.directory / folder
    directory.mkdir()
    places = places_in(directory)
    environment = {
        INPUT_VARIABLE: str(places.input),
        OUTPUT_VARIABLE: str(places.output),
        JUDGED_VARIABLE: str(places.judged),
        METER_VARIABLE: str(places.meter),
        METER_PROGRAM_VARIABLE: str(places.program),
    }
    return replace(trainer, environment=environment), places


def run_sample(name: str, places: Places, home: Path, **given: str) -> None:
    """As the pod does, with the program that the first step left there."""
    variables = {INPUT_VARIABLE: str(places.input), OUTPUT_VARIABLE: str(places.output), "HOME": str(home)}
    environment = {**os.environ, **variables, "MLFLOW_DISABLE_TELEMETRY": "true", **given}
    meter = [str(places.meter / METER_PROGRAM), str(places.meter / OWN_USE_FILE), str(home)]
    program = [sys.executable, str(SAMPLES / name / "train.py")]
    done = subprocess.run([*meter, *program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def prepared(trainer: TrainerRun, step: ContainerStep) -> None:
    ended = trainer.run(Step(prepare=step))
    assert ended.outcome is not None, ended.log
    assert ended.outcome.prepared is not None, ended.outcome


def recorded(trainer: TrainerRun, step: ContainerStep) -> Finished:
    judged = trainer.run(Step(judge=JudgeStep(owner=step.owner)))
    assert judged.outcome is not None, judged.log
    assert judged.outcome.judged is not None, judged.outcome
    return trainer.run(Step(record=step))


def named(pairs: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in pairs}


@pytest.mark.parametrize(("name", "parameter"), [("plain", "max_leaf_nodes"), ("autolog", "n_estimators")])
def test_a_sample_container_leaves_what_a_pipeline_leaves(
    trainer: TrainerRun, name: str, parameter: str
) -> None:
    at_work, places = with_places(trainer, name)
    build_meter(places.program)
    data = publish(trainer.store, houses())
    step = at_work.own_step(SPEC, data)
    prepared(at_work, step)
    run_sample(name, places, at_work.directory)
    own = Used.model_validate_json((places.meter / OWN_USE_FILE).read_bytes())
    trained = recorded(at_work, step).trained

    assert trained.not_servable == ""
    assert trained.model_version == "1"
    assert trained.data == data
    assert trained.cpu_seconds is not None
    assert trained.cpu_seconds > own.cpu_seconds > 0
    assert trained.peak_memory_bytes is not None
    assert trained.peak_memory_bytes >= own.peak_memory_bytes > 50 * 2**20
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        (version,) = tracking.versions("houses")
        files = {
            folder: tracking.files_of(trained.run_id, folder)
            for folder in ("model", "evaluation", "container")
        }
    assert run["info"]["status"] == "FINISHED"
    parameters, metrics = named(run["data"]["params"]), named(run["data"]["metrics"])
    assert (parameters["container.image"], parameters["container.args"]) == (IMAGE, '["--fast"]')
    assert parameter in parameters
    assert {"rmse", "rmse_low", "baseline_rmse", "reported_rmse"} <= set(metrics)
    assert metrics["rmse"] == pytest.approx(metrics["reported_rmse"], rel=1e-9)
    (read,) = run["inputs"]["dataset_inputs"]
    assert read["dataset"]["digest"] == data.digest.removeprefix("sha256:")[:32]
    assert named(version["tags"])[labels.TAG_BUNDLE_URI] == trained.bundle_uri
    assert {"MLmodel", "model.skops"} <= files["model"]
    assert {"report.html", "predictions.parquet"} <= files["evaluation"]
    assert {"metrics.json", "params.json"} <= files["container"]


def test_a_model_of_another_kind_is_registered_as_it_is_and_says_that_nobody_can_serve_it(
    trainer: TrainerRun,
) -> None:
    at_work, places = with_places(trainer, "other")
    step = at_work.own_step(SPEC, publish(trainer.store, houses()))
    prepared(at_work, step)
    leave(places, {"weights.bin": b"123"}, {"rmse": 7.5, "epochs": 3}, {"rate": 0.1})
    trained = recorded(at_work, step).trained

    assert trained.not_servable == "the model's directory holds no model.skops"
    assert trained.cpu_seconds is None
    assert (trained.bundle_uri, trained.metrics["rmse"]) == ("", 7.5)
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        (version,) = tracking.versions("houses")
        assert tracking.files_of(trained.run_id, "model") == {"weights.bin"}
        assert tracking.files_of(trained.run_id, "container") == {"metrics.json", "params.json"}
    assert named(run["data"]["metrics"]) == {"rmse": 7.5, "epochs": 3}
    tags = named(version["tags"])
    assert tags[labels.TAG_NOT_SERVABLE] == trained.not_servable
    assert labels.TAG_BUNDLE_URI not in tags


def test_a_pod_that_finds_the_run_finished_answers_without_what_the_container_left(
    trainer: TrainerRun,
) -> None:
    at_work, places = with_places(trainer, "first")
    data = publish(trainer.store, houses())
    step = at_work.own_step(SPEC, data)
    prepared(at_work, step)
    leave(places, {"weights.bin": b"123"}, {"rmse": 7.5})
    first = recorded(at_work, step).trained
    later, _ = with_places(trainer, "second")
    again = later.run(Step(record=later.own_step(SPEC, data, attempt=2)))
    assert again.trained == first


def test_a_container_that_left_too_little_is_told_what_is_missing(trainer: TrainerRun) -> None:
    at_work, places = with_places(trainer, "little")
    step = at_work.own_step(SPEC, publish(trainer.store, houses()))
    prepared(at_work, step)
    leave(places, {"weights.bin": b"123"}, {"mae": 1})
    assert "metrics.json: lacks rmse" in recorded(at_work, step).complaint


def replayed(
    trainer: TrainerRun, folder: str, run_id: str, step: ContainerStep, uid: str
) -> tuple[TrainerRun, Places, Step]:
    """What stands before the container when its run is made again."""
    at_work, places = with_places(trainer, folder)
    build_meter(places.program)
    prepared(at_work, step)
    again = at_work.replay_step(run_id, uid=uid).model_copy(update={"container": True})
    return at_work, places, Step(replay=again)


def test_a_run_of_own_code_is_made_again_bit_for_bit_and_what_differs_is_told(trainer: TrainerRun) -> None:
    spec = {**SPEC, "evaluation": {"primary": "rmse", "plots": "None"}}
    step = trainer.own_step(spec, publish(trainer.store, houses()))
    at_work, places = with_places(trainer, "first")
    build_meter(places.program)
    prepared(at_work, step)
    run_sample("plain", places, at_work.directory, LEAVES="4")
    trained = recorded(at_work, step).trained
    judge = Step(judge=JudgeStep(owner=step.owner))

    later, places, again = replayed(trainer, "same", trained.run_id, step, f"{_UID}1")
    run_sample("plain", places, later.directory, LEAVES="4")
    assert later.run(judge).outcome is not None
    same = later.run(again).replayed
    assert same.differences == []
    assert "image of the container, predictions of " in same.compared
    assert same.metrics["rmse"] == trained.metrics["rmse"]
    assert same.cpu_seconds is not None
    with trainer.mlflow.tracking() as tracking:
        assert len(tracking.versions("houses")) == 1

    other, places, again = replayed(trainer, "other", trained.run_id, step, f"{_UID}2")
    run_sample("plain", places, other.directory, LEAVES="3")
    assert other.run(judge).outcome is not None
    told = other.run(again).replayed.differences
    assert [clause.partition(":")[0] for clause in told] == ["predictions", "metrics", "model"]

    lost, places, again = replayed(trainer, "lost", trained.run_id, step, f"{_UID}3")
    leave(places, {"weights.bin": b"123"}, {"rmse": 7.5})
    assert lost.run(judge).outcome is not None
    told = lost.run(again).replayed.differences
    assert told[0] == "the model could be served, now not: the model's directory holds no model.skops"
    assert told[1].startswith("metrics: rmse ")


def test_a_run_whose_image_is_a_tag_is_compared_by_all_but_its_image(trainer: TrainerRun) -> None:
    spec = {**SPEC, "container": {"image": "registry/own:1"}}
    step = trainer.own_step(spec, publish(trainer.store, houses()))
    at_work, places = with_places(trainer, "first")
    prepared(at_work, step)
    leave(places, {"weights.bin": b"123"}, {"rmse": 7.5})
    trained = recorded(at_work, step).trained
    judge = Step(judge=JudgeStep(owner=step.owner))

    later, places, again = replayed(trainer, "again", trained.run_id, step, f"{_UID}1")
    leave(places, {"weights.bin": b"123"}, {"rmse": 7.5})
    assert later.run(judge).outcome is not None
    tag = "container: registry/own:1 is a tag, so that there is no digest to compare"
    assert later.run(again).replayed.differences == [tag]

    other, places, again = replayed(trainer, "other", trained.run_id, step, f"{_UID}2")
    leave(places, {"weights.bin": b"124"}, {"rmse": 7.25})
    assert other.run(judge).outcome is not None
    image, metrics, model = other.run(again).replayed.differences
    assert (image, metrics) == (tag, "metrics: rmse 7.5, now 7.25")
    assert model.startswith("model: was sha256:")


def test_a_run_of_own_code_is_not_compared_with_what_was_not_at_work(trainer: TrainerRun) -> None:
    step = trainer.own_step(SPEC, publish(trainer.store, houses()))
    at_work, places = with_places(trainer, "first")
    prepared(at_work, step)
    leave(places, {"weights.bin": b"123"}, {"rmse": 7.5})
    trained = recorded(at_work, step).trained
    again = trainer.run(trainer.replay_step(trained.run_id, uid=f"{_UID}1"))
    assert "is a run of a container, which was not at work again" in again.complaint
