"""The same job again is answered by the run that there is, against a real MLflow; anything else is trained, and why is said.

A run of own code is made again by the record that it left there.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelyard_api import labels
from modelyard_api.contract.training_record import RECORD_FILE, TrainingRecord
from modelyard_api.v1alpha1.training_job import ContainerSpec, DatasetVersion
from tests.integration.operator.conftest import Project
from tests.support import mlflow
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import DATASET, TRAINING_JOB, Document, KubeApi
from tests.support.mlflow import MLflowProject, MLflowServer
from tests.support.operating import Kubelet, condition, empty, install, running_operator
from tests.support.resources import dataset, loaded, replay, trained, training_job
from tests.support.tracking import post

NAMESPACE = "cached"
IMAGE = "modelyard/trainer:0.1.0-0123456789ab"
HIT_SECONDS = 2.0


@dataclass(frozen=True)
class Trainers:
    """Writes what trainers write, with the tags that their steps ask for."""

    client: httpx.Client

    def train(self, step: Document, record: str = "") -> str:
        """A finished run with metrics, a model and a version of it."""
        name = step["spec"]["datasetRef"]["name"]
        made = post(self.client, "experiments/create", {"name": name}, known="RESOURCE_ALREADY_EXISTS")
        if not made:
            found = self.client.get(
                "/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": name}
            )
            made = found.json()["experiment"]
        cache = step.get("cache") or {}
        tags = {
            labels.TAG_CACHE_KEY: cache.get("key"),
            labels.TAG_CACHE_INGREDIENTS: cache.get("ingredients"),
        }
        pairs = [{"key": key, "value": value} for key, value in tags.items() if value]
        run = post(self.client, "runs/create", {"experiment_id": made["experiment_id"], "tags": pairs})[
            "run"
        ]["info"]
        id_ = str(run["run_id"])
        metric = {"key": "rmse", "value": 0.25, "timestamp": 1, "step": 0}
        post(self.client, "runs/log-batch", {"run_id": id_, "metrics": [metric]})
        self._upload(run["artifact_uri"], "model/MLmodel", "a: b")
        self._upload(run["artifact_uri"], RECORD_FILE, record)
        ended = int(time.time() * 1000)
        post(self.client, "runs/update", {"run_id": id_, "status": "FINISHED", "end_time": ended})
        self._register(step["spec"]["register"]["modelName"], id_)
        return id_

    def delete(self, run: str) -> None:
        post(self.client, "runs/delete", {"run_id": run})

    def _upload(self, artifact_uri: str, path: str, content: str) -> None:
        place = artifact_uri.split("mlflow-artifacts:/", 1)[1].lstrip("/")
        answer = self.client.put(f"/api/2.0/mlflow-artifacts/artifacts/{place}/{path}", content=content)
        assert answer.is_success, answer.text

    def _register(self, model: str, run: str) -> None:
        post(self.client, "registered-models/create", {"name": model}, known="RESOURCE_ALREADY_EXISTS")
        tags = {
            labels.TAG_MODEL_DIGEST: "sha256:" + "7" * 64,
            labels.TAG_BUNDLE_URI: "s3://modelyard/cached/a",
        }
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        body = {"name": model, "source": "s3://modelyard/cached/a", "run_id": run, "tags": pairs}
        post(self.client, "model-versions/create", body)


@pytest.fixture(scope="module")
def workspace(mlflow_server: MLflowServer) -> MLflowProject:
    return mlflow_server.make_project(NAMESPACE)


@pytest.fixture(scope="module")
def trainers(
    control_plane: ControlPlane,
    kube: KubeApi,
    workspace: MLflowProject,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Trainers]:
    """An operator that serves one project with a workspace, and the project's trainers."""
    install(kube, [NAMESPACE, "cached-platform"])
    directory: Path = tmp_path_factory.mktemp("cached")
    (directory / "mlflow-username").write_text(mlflow._OPERATOR.username)
    (directory / "mlflow-password").write_text(mlflow._OPERATOR.password)
    settings = {
        "NAMESPACE": "cached-platform",
        "MLFLOW__URL": workspace.server.url,
        "CREDENTIALS_DIRECTORY": str(directory),
        "TRAINER__IMAGE": IMAGE,
    }
    with running_operator(control_plane, directory, [NAMESPACE], settings), workspace.tracking() as reader:
        yield Trainers(reader.client)


@pytest.fixture
def project(kube: KubeApi, trainers: Trainers) -> Iterator[Project]:
    """The project with the Dataset ``houses``."""
    del trainers
    project = Project(kube, NAMESPACE, Kubelet(kube, NAMESPACE))
    project.load_houses()
    yield project
    empty(kube, NAMESPACE)


def job(name: str, seed: int, **spec: Any) -> Document:  # noqa: ANN401  JSON
    """A job that no other test has run."""
    params = {"n_estimators": 10, "random_state": seed}
    return training_job(
        name,
        NAMESPACE,
        **{"pipeline": {"estimator": {"class": "RandomForestRegressor", "params": params}}, **spec},
    )


def carry_out(project: Project, trainers: Trainers, name: str) -> str:
    """The trainer's and the kubelet's part; returns the run."""
    made = project.job("training-job", name)
    run = trainers.train(step_of(project, name))
    project.kubelet.succeed(made, trained().replace("0" * 31 + "a", run))
    project.training(name, "Completed")
    return run


def step_of(project: Project, name: str) -> Document:
    (made,) = project.jobs("training-job", name)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    text = next(item["value"] for item in container["env"] if item["name"] == "MODELYARD_STEP")
    step: Document = json.loads(text)["train"]
    return step


def cached(seen: Document) -> tuple[str, str]:
    found = condition(seen, "Cached")
    return found["status"], found["reason"]


def test_the_same_spec_again_has_succeeded_at_once_and_without_a_job(
    project: Project, trainers: Trainers
) -> None:
    project.apply(job("first", 1))
    run = carry_out(project, trainers, "first")
    first = project.training("first", "Completed")
    assert cached(first) == ("False", "CacheMiss")
    started = time.monotonic()
    project.apply(job("second", 1, suspend=False, backoffLimit=7))
    second = project.training("second", "Completed")
    assert time.monotonic() - started < HIT_SECONDS
    assert project.jobs("training-job", "second") == []
    assert cached(second) == ("True", "CacheHit")
    status = second["status"]
    assert status["run"]["id"] == run
    assert status["summary"] == "rmse=0.2500"
    assert status["model"] == {"name": "housing", "version": "1", "digest": "sha256:" + "7" * 64}
    assert status["datasetVersion"] == first["status"]["datasetVersion"]
    assert status["cache"] == {
        "key": first["status"]["cache"]["key"],
        "hit": True,
        "nearestRun": run,
        "missBecause": [],
    }


def test_a_change_is_trained_and_named(project: Project, trainers: Trainers) -> None:
    project.apply(job("before", 2))
    run = carry_out(project, trainers, "before")
    project.apply(job("changed", 3))
    seen = project.training("changed", "JobCreated")
    assert cached(seen) == ("False", "CacheMiss")
    assert seen["status"]["cache"]["missBecause"] == ["pipeline.estimator.params.random_state"]
    assert seen["status"]["cache"]["nearestRun"] == run
    assert "pipeline.estimator.params.random_state" in condition(seen, "Cached")["message"]


def test_a_run_that_was_deleted_is_trained_again(project: Project, trainers: Trainers) -> None:
    project.apply(job("before", 4))
    trainers.delete(carry_out(project, trainers, "before"))
    project.apply(job("again", 4))
    seen = project.training("again", "JobCreated")
    assert seen["status"]["cache"]["missBecause"] == ["run"]
    assert "deleted" in condition(seen, "Cached")["message"]


def test_the_policy_says_who_takes_and_who_gives(project: Project, trainers: Trainers) -> None:
    project.apply(job("before", 5))
    carry_out(project, trainers, "before")
    for name, policy in (("anew", "Refresh"), ("alone", "Never")):
        project.apply(job(name, 5, cachePolicy=policy))
        project.job("training-job", name)
        assert cached(project.training(name, "JobCreated")) == ("False", "CacheOff")
        assert ("cache" in step_of(project, name)) == (policy == "Refresh")


def test_a_question_is_answered_and_nothing_is_done_until_it_is_taken_back(
    project: Project, trainers: Trainers
) -> None:
    project.apply(job("before", 6))
    run = carry_out(project, trainers, "before")
    ask = {"metadata": {"annotations": {labels.DRY_RUN: "true"}}}
    for name, seed, reason in (("same", 6, "CacheHit"), ("other", 7, "CacheMiss")):
        asked = job(name, seed)
        project.apply({**asked, "metadata": {**asked["metadata"], **ask["metadata"]}})
        seen = project.training(name, "DryRun")
        assert condition(seen, "Cached")["reason"] == reason
        assert run in condition(seen, "Succeeded")["message"]
        assert project.jobs("training-job", name) == []
    for name in ("same", "other"):
        change = {"metadata": {"annotations": {labels.DRY_RUN: None}}}
        assert project.api.merge(TRAINING_JOB, NAMESPACE, name, change).is_success
    project.training("same", "Completed")
    project.training("other", "JobCreated")


def test_other_rows_and_another_split_are_other_data(project: Project, trainers: Trainers) -> None:
    first = project.job("dataset", "houses")
    project.apply(job("before", 8))
    carry_out(project, trainers, "before")
    project.apply(dataset("houses", NAMESPACE, split={"seed": 7}))
    project.await_reason(DATASET, "houses", "Ready", "Loading")
    (made,) = {each["metadata"]["name"] for each in project.jobs("dataset", "houses")} - {first}
    project.kubelet.succeed(made, loaded(manifest="cd" * 32))
    project.await_reason(DATASET, "houses", "Ready", "Published")
    project.apply(job("after", 8))
    seen = project.training("after", "JobCreated")
    assert seen["status"]["cache"]["missBecause"] == ["data.split"]


OWN_CODE = {
    "datasetRef": {"name": "houses", "variant": "v1"},
    "task": "Regression",
    "target": "price",
    "container": {"image": "registry/own:1", "command": ["python"], "args": ["train.py"]},
    "environment": [
        {"name": "EPOCHS", "value": "3"},
        {"name": "TOKEN", "secret": {"name": "of-the-run", "key": "token"}},
    ],
}


def own_run(trainers: Trainers) -> tuple[str, DatasetVersion]:
    """A run of own code, whose TrainingJob is gone."""
    data = DatasetVersion(variant="v1", sequence=3, digest="sha256:" + "1" * 64, uri="s3://modelyard/a.json")
    spec = ContainerSpec.model_validate(OWN_CODE)
    record = TrainingRecord(spec=spec, data=data, image=IMAGE, libraries=[], threads=1)
    step = {"spec": {**OWN_CODE, "register": {"modelName": "housing"}}}
    return trainers.train(step, record.model_dump_json(by_alias=True)), data


def test_a_run_of_own_code_is_made_again_by_its_container_with_its_rows_and_the_secrets_of_the_replay(
    project: Project, trainers: Trainers
) -> None:
    run, data = own_run(trainers)
    document = replay("again", NAMESPACE, run)
    secret = {"name": "TOKEN", "secret": {"name": "of-the-replay", "key": "token"}}
    document["spec"]["environment"] = [secret]
    project.apply(document)
    project.job("training-job", "again")
    (made,) = project.jobs("training-job", "again")
    pod = made["spec"]["template"]["spec"]
    prepare, own, judge = pod["initContainers"]
    assert [each["name"] for each in (prepare, own, judge)] == ["prepare", "own", "judge"]
    assert (own["image"], own["command"][-1], own["args"]) == ("registry/own:1", "python", ["train.py"])
    variables = {item["name"]: item for item in own["env"]}
    assert variables["EPOCHS"]["value"] == "3"
    assert variables["TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "of-the-replay", "key": "token"}
    steps = [json.loads(each["env"][0]["value"]) for each in (prepare, pod["containers"][0])]
    assert steps[0]["prepare"]["data"]["uri"] == data.uri
    assert (steps[1]["replay"]["runId"], steps[1]["replay"]["container"]) == (run, True)


def test_a_replay_that_names_other_secrets_than_its_run_had_is_told_which(
    project: Project, trainers: Trainers
) -> None:
    run, _ = own_run(trainers)
    project.apply(replay("without", NAMESPACE, run))
    said = condition(project.training("without", "InvalidSpec"), "Succeeded")["message"]
    assert said.startswith("spec.environment lacks TOKEN, which the run had from a Secret")
    assert project.jobs("training-job", "without") == []
