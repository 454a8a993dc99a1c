"""A project in which models are promoted: its registry, its operator, and the pods that would serve."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from modelyard_api import labels
from modelyard_api.contract.route import RoutedModel
from tests.support import mlflow, plain
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    POD,
    PROMOTION,
    REPLICA_SET,
    SERVICE,
    Document,
    KubeApi,
)
from tests.support.mlflow import MLflowServer
from tests.support.operating import Operator, condition, empty, install, running_operator
from tests.support.ports import free_port
from tests.support.serving import ServerPods, answering
from tests.support.tracking import post
from tests.support.waiting import until


@dataclass(frozen=True)
class Registry:
    """Writes into the project's registry as trainers do."""

    client: httpx.Client
    project: str

    def register(self, model: str, bundle: RoutedModel | None = None, **metrics: float) -> str:
        """A finished run and the version that it made, of a bundle that is there or of one that nobody will read."""
        post(self.client, "registered-models/create", {"name": model}, known="RESOURCE_ALREADY_EXISTS")
        post(self.client, "experiments/create", {"name": model}, known="RESOURCE_ALREADY_EXISTS")
        found = self.client.get("/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": model})
        experiment = found.json()["experiment"]["experiment_id"]
        run = post(self.client, "runs/create", {"experiment_id": experiment, "start_time": 1})["run"]["info"][
            "run_id"
        ]
        values = [{"key": k, "value": v, "timestamp": 1, "step": 0} for k, v in metrics.items()]
        post(self.client, "runs/log-batch", {"run_id": run, "metrics": values})
        post(self.client, "runs/update", {"run_id": run, "status": "FINISHED", "end_time": 2})
        tags = {
            labels.TAG_MODEL_DIGEST: bundle.model_digest if bundle else f"sha256:{run}{run}",
            labels.TAG_BUNDLE_URI: bundle.bundle_uri
            if bundle
            else f"s3://modelyard/{self.project}/models/{run}{run}",
            labels.TAG_DATASET_DIGEST: "sha256:" + "5" * 64,
        }
        version = post(
            self.client,
            "model-versions/create",
            {
                "name": model,
                "source": tags[labels.TAG_BUNDLE_URI],
                "run_id": run,
                "tags": [{"key": k, "value": v} for k, v in tags.items()],
            },
        )
        return str(version["model_version"]["version"])

    def alias(self, model: str, alias: str = "production") -> str | None:
        found = self.client.get(
            "/api/2.0/mlflow/registered-models/alias", params={"name": model, "alias": alias}
        )
        return str(found.json()["model_version"]["version"]) if found.is_success else None

    def move_alias(self, model: str, version: str, alias: str = "production") -> None:
        post(self.client, "registered-models/alias", {"name": model, "alias": alias, "version": version})


@dataclass(frozen=True)
class Promoting:
    """A project's registry, and the operator that serves it."""

    registry: Registry
    operator: Operator


@dataclass(frozen=True)
class Stage:
    """One promotion's surroundings."""

    api: KubeApi
    registry: Registry
    pods: ServerPods
    operator: Operator

    def promotion(self, name: str = "housing") -> Document:
        return self.api.read(PROMOTION, self.registry.project, name) or {}

    def await_reason(self, type_: str, reason: str, name: str = "housing") -> Document:
        def look() -> Document | None:
            seen = self.promotion(name)
            return seen if condition(seen, type_).get("reason") == reason else None

        return until(look, 120, f"{type_} with reason {reason}")

    def jobs(self, kind: str) -> list[str]:
        """Names of the Jobs of a step of the promotion."""
        found = self.api.items(JOB, self.registry.project, f"{labels.PROMOTION}=housing")
        return [
            job["metadata"]["name"]
            for job in found
            if job["metadata"]["annotations"][labels.RECIPE].startswith(kind)
        ]

    def await_job(self, kind: str) -> str:
        return until(lambda: next(iter(self.jobs(kind)), None), 30, f"a Job for {kind}")

    def await_champion(self, version: str, seconds: float = 30) -> Document:
        def look() -> Document | None:
            seen = self.promotion()
            champion = seen.get("status", {}).get("champion", {})
            return seen if champion.get("version") == version else None

        return until(look, seconds, f"champion {version}")


@pytest.fixture(scope="module")
def server_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def promoting(
    request: pytest.FixtureRequest,
    control_plane: ControlPlane,
    mlflow_server: MLflowServer,
    server_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Promoting]:
    """An operator that serves the module's NAMESPACE, a project with a workspace, perhaps with SETTINGS of its own."""
    project: str = request.module.NAMESPACE
    install(request.getfixturevalue("kube"), [project, f"{project}-platform"])
    workspace = mlflow_server.make_project(project)
    directory: Path = tmp_path_factory.mktemp(project)
    (directory / "mlflow-username").write_text(mlflow._OPERATOR.username)
    (directory / "mlflow-password").write_text(mlflow._OPERATOR.password)
    settings = {
        "NAMESPACE": f"{project}-platform",
        "MLFLOW__URL": mlflow_server.url,
        "CREDENTIALS_DIRECTORY": str(directory),
        "SERVER_PORT": str(server_port),
        "ROLLOUT_PATIENCE_SECONDS": "2",
        "RESYNC_SECONDS": "3",
        **getattr(request.module, "SETTINGS", {}),
    }
    with (
        running_operator(control_plane, directory, [project], settings) as operator,
        plain.client(
            mlflow_server.url,
            auth=(workspace.login.username, workspace.login.password),
            headers={"X-MLFLOW-WORKSPACE": project},
        ) as client,
    ):
        yield Promoting(Registry(client, project), operator)


@pytest.fixture
def unserved(kube: KubeApi, promoting: Promoting, server_port: int) -> Iterator[Stage]:
    """A stage whose server is the test's affair."""
    project = promoting.registry.project
    pods = ServerPods(kube, project, "housing", server_port)
    yield Stage(kube, promoting.registry, pods, promoting.operator)
    empty(kube, project)
    for kind in (DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, AUTOSCALER):
        kube.delete(kind, project, "housing")
    until(partial(_no_pods, kube, project), 60, "the servers being gone")


def _no_pods(kube: KubeApi, project: str) -> bool:
    """Removes what a Deployment left; until the garbage collector comes, its pods would be made again and again.

    The next test would take such a pod for one of its own server.
    """
    left = [(kind, item) for kind in (REPLICA_SET, POD) for item in kube.items(kind, project)]
    for kind, item in left:
        kube.delete(kind, project, item["metadata"]["name"], grace_seconds=0)
    return not left


@pytest.fixture
def stage(unserved: Stage) -> Iterator[Stage]:
    """A stage whose pods serve whatever they should."""
    with answering(unserved.pods):
        yield unserved
