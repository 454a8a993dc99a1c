"""The MLflow adapter against a real server with users and workspaces."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modelyard_api.contract.training_record import TrainingRecord
from modelyard_api.v1alpha1.training_job import ContainerSpec, DatasetVersion
from modelyard_operator.errors import NotHolderError, TrackingError, UnavailableError
from modelyard_operator.tracking.client import Tracking
from tests.support import mlflow
from tests.support.mlflow import MLflowProject, MLflowServer
from tests.support.ports import free_port
from tests.support.tracking import post

PROJECT = "tracked"
RECORD = TrainingRecord(
    spec=ContainerSpec.model_validate(
        {
            "datasetRef": {"name": "houses", "variant": "v1"},
            "task": "Regression",
            "target": "price",
            "container": {"image": "registry/own:1"},
        }
    ),
    data=DatasetVersion(variant="v1", sequence=1, digest="sha256:" + "1" * 64, uri="s3://modelyard/a.json"),
    image="modelyard/trainer:tests",
    libraries=[],
    threads=1,
)


@pytest.fixture(scope="module")
def workspace(mlflow_server: MLflowServer) -> MLflowProject:
    return mlflow_server.make_project(PROJECT)


def credentials(directory: Path, password: str = mlflow._OPERATOR.password) -> Path:
    (directory / "mlflow-username").write_text(mlflow._OPERATOR.username)
    (directory / "mlflow-password").write_text(password)
    return directory


@pytest.fixture
async def tracking(workspace: MLflowProject, tmp_path: Path) -> AsyncIterator[Tracking]:
    client = Tracking(workspace.server.url, credentials(tmp_path), lambda: None, workspaces=True)
    yield client
    await client.close()


@pytest.fixture(scope="module")
def run(workspace: MLflowProject) -> str:
    """A finished run with a metric, and two versions of a model made of it."""
    with workspace.tracking() as reader:
        experiment = post(reader.client, "experiments/create", {"name": "houses"})["experiment_id"]
        made = post(reader.client, "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
        metric = {"key": "rmse", "value": 0.5, "timestamp": 1, "step": 0}
        post(reader.client, "runs/log-batch", {"run_id": made, "metrics": [metric]})
        post(reader.client, "runs/update", {"run_id": made, "status": "FINISHED"})
        post(reader.client, "registered-models/create", {"name": "housing"})
        for _ in range(2):
            post(
                reader.client,
                "model-versions/create",
                {"name": "housing", "source": "s3://a/b", "run_id": made},
            )
    return str(made)


async def test_what_is_not_there_is_none_and_no_error(tracking: Tracking) -> None:
    assert await tracking.model(PROJECT, "nothing") is None
    assert await tracking.versions(PROJECT, "nothing") == []


async def test_versions_come_newest_first_with_their_run(tracking: Tracking, run: str) -> None:
    versions = await tracking.versions(PROJECT, "housing")
    assert [item.version for item in versions] == ["2", "1"]
    assert versions[0].run_id == run
    assert not versions[0].is_servable
    assert await tracking.metrics(PROJECT, run) == {"rmse": 0.5}


@pytest.mark.usefixtures("run")
async def test_an_alias_is_set_moved_and_removed(tracking: Tracking) -> None:
    for version in ("1", "2", "2"):
        await tracking.set_alias(PROJECT, "housing", "production", version)
        model = await tracking.model(PROJECT, "housing")
        assert model is not None
        assert model.alias("production") == version
    await tracking.delete_alias(PROJECT, "housing", "production")
    model = await tracking.model(PROJECT, "housing")
    assert model is not None
    assert model.alias("production") is None


async def test_a_run_has_a_page_for_people(tracking: Tracking, run: str) -> None:
    page = await tracking.page_of("https://mlflow.example/", PROJECT, run)
    assert page.startswith("https://mlflow.example/#/experiments/")
    assert page.endswith(f"/runs/{run}?workspace={PROJECT}")


async def test_a_wrong_password_is_no_reason_to_wait(workspace: MLflowProject, tmp_path: Path) -> None:
    client = Tracking(workspace.server.url, credentials(tmp_path, "wrong"), lambda: None, workspaces=True)
    with pytest.raises(TrackingError, match="401"):
        await client.versions(PROJECT, "housing")
    await client.close()


async def test_a_server_that_is_down_is(tmp_path: Path) -> None:
    client = Tracking(f"http://127.0.0.1:{free_port()}", tmp_path, lambda: None, workspaces=True)
    with pytest.raises(UnavailableError):
        await client.versions(PROJECT, "housing")
    await client.close()


async def test_nothing_is_written_without_the_lease(workspace: MLflowProject, tmp_path: Path) -> None:
    def fence() -> None:
        raise NotHolderError("not held")

    client = Tracking(workspace.server.url, credentials(tmp_path), fence, workspaces=True)
    with pytest.raises(NotHolderError):
        await client.set_alias(PROJECT, "housing", "production", "1")
    await client.close()


async def test_what_a_run_was_made_from_is_read_and_what_cannot_be_read_is_none(
    tracking: Tracking, workspace: MLflowProject, run: str
) -> None:
    assert await tracking.training_record(PROJECT, "0" * 32) is None
    assert await tracking.training_record(PROJECT, run) is None
    with workspace.tracking() as reader:
        answer = reader.client.get("/api/2.0/mlflow/runs/get", params={"run_id": run})
        place = answer.json()["run"]["info"]["artifact_uri"].split("mlflow-artifacts:/", 1)[1].lstrip("/")
        address = f"/api/2.0/mlflow-artifacts/artifacts/{place}/training.json"
        for content in ("no record", RECORD.model_dump_json(by_alias=True)):
            assert reader.client.put(address, content=content).is_success
            expected = RECORD if content != "no record" else None
            assert await tracking.training_record(PROJECT, run) == expected
