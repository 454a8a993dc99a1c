"""ModelPromotion against a real MLflow: candidates, gates, the alias, and swaps that all pods have to confirm."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from modelyard_api import labels
from tests.support import mlflow
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import DEPLOYMENT, PROMOTION, SERVICE, Document, KubeApi
from tests.support.mlflow import MLflowServer
from tests.support.operating import Kubelet, condition, empty, install, running_operator
from tests.support.ports import free_port
from tests.support.resources import promotion
from tests.support.serving import ServerPods, answering
from tests.support.tracking import post
from tests.support.waiting import until

NAMESPACE = "promoting"


@dataclass(frozen=True)
class Registry:
    """Writes into the project's registry as trainers do."""

    client: httpx.Client

    def register(self, model: str, **metrics: float) -> str:
        """A finished run and the version that it made."""
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
            labels.TAG_MODEL_DIGEST: f"sha256:{run}{run}",
            labels.TAG_BUNDLE_URI: f"s3://modelyard/{NAMESPACE}/models/{run}{run}",
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
class Stage:
    """One promotion's surroundings."""

    api: KubeApi
    registry: Registry
    pods: ServerPods

    def promotion(self, name: str = "housing") -> Document:
        return self.api.read(PROMOTION, NAMESPACE, name) or {}

    def await_reason(self, type_: str, reason: str, name: str = "housing") -> Document:
        def look() -> Document | None:
            seen = self.promotion(name)
            return seen if condition(seen, type_).get("reason") == reason else None

        return until(look, 30, f"{type_} with reason {reason}")

    def await_champion(self, version: str) -> Document:
        def look() -> Document | None:
            seen = self.promotion()
            champion = seen.get("status", {}).get("champion", {})
            return seen if champion.get("version") == version else None

        return until(look, 30, f"champion {version}")


@pytest.fixture(scope="module")
def server_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def promoting(
    control_plane: ControlPlane,
    kube: KubeApi,
    mlflow_server: MLflowServer,
    server_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Registry]:
    """An operator that serves one project with a workspace."""
    install(kube, [NAMESPACE, "promoting-platform"])
    workspace = mlflow_server.make_project(NAMESPACE)
    directory: Path = tmp_path_factory.mktemp("promoting")
    (directory / "mlflow-username").write_text(mlflow._OPERATOR.username)
    (directory / "mlflow-password").write_text(mlflow._OPERATOR.password)
    settings = {
        "NAMESPACE": "promoting-platform",
        "MLFLOW__URL": mlflow_server.url,
        "CREDENTIALS_DIRECTORY": str(directory),
        "SERVER_PORT": str(server_port),
        "ROLLOUT_PATIENCE_SECONDS": "2",
        "RESYNC_SECONDS": "3",
    }
    with (
        running_operator(control_plane, directory, [NAMESPACE], settings),
        httpx.Client(
            base_url=mlflow_server.url,
            auth=(workspace.login.username, workspace.login.password),
            headers={"X-MLFLOW-WORKSPACE": NAMESPACE},
            timeout=30,
            trust_env=False,
        ) as client,
    ):
        yield Registry(client)


@pytest.fixture
def stage(kube: KubeApi, promoting: Registry, server_port: int) -> Iterator[Stage]:
    with answering(ServerPods(kube, NAMESPACE, "housing", server_port)) as pods:
        yield Stage(kube, promoting, pods)
    empty(kube, NAMESPACE)
    for kind in (DEPLOYMENT, SERVICE):
        kube.delete(kind, NAMESPACE, "housing")
    Kubelet(kube, NAMESPACE)


def test_a_version_that_passes_its_gate_is_served_and_gets_the_alias(stage: Stage) -> None:
    version = stage.registry.register("first", rmse=0.4, r2=0.81)
    gates = [{"metric": {"name": "r2", "min": "0.70"}}]
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="first", gates=gates))
    waiting = stage.await_reason("Ready", "RollingOut")
    assert "champion" not in waiting["status"]
    assert stage.registry.alias("first") is None
    stage.pods.become_ready()
    done = stage.await_reason("Ready", "Serving")
    status = done["status"]
    assert status["champion"]["version"] == version
    assert status["candidate"]["gates"] == [
        {"gate": "metric r2", "required": "≥ 0.70", "observed": "0.81", "passed": True}
    ]
    assert status["url"] == f"http://housing.{NAMESPACE}.svc"
    assert status["readyReplicas"] == 1
    assert stage.registry.alias("first") == version


def test_a_better_version_takes_over_only_when_the_pods_serve_it(stage: Stage) -> None:
    old = stage.registry.register("second", rmse=0.5)
    stage.api.apply(
        PROMOTION, promotion("housing", NAMESPACE, modelName="second", candidate={"best": {"metric": "rmse"}})
    )
    stage.pods.become_ready()
    stage.await_champion(old)
    new = str(int(old) + 1)
    stage.pods.refused = {new}
    stage.registry.register("second", rmse=0.3)
    rolling = stage.await_reason("Progressing", "ModelUnusable")
    assert rolling["status"]["champion"]["version"] == old
    assert condition(rolling, "Ready")["status"] == "True"
    put_back = until(lambda: _refused(stage), 30, "the refusal being recorded")
    assert "digest" in put_back["status"]["candidate"]["refused"]
    until(lambda: (route := stage.pods.route()) and route.champion.version == old, 30, "the old route")
    assert stage.registry.alias("second") == old
    worse = stage.registry.register("second", rmse=0.9)
    best = stage.registry.register("second", rmse=0.2)
    done = stage.await_champion(best)
    assert done["status"]["previous"]["version"] == old
    assert [item["version"] for item in done["status"]["history"]] == [best, old]
    assert worse not in {item["version"] for item in done["status"]["history"]}
    assert stage.registry.alias("second") == best


def test_a_version_below_its_gate_never_gets_a_server(stage: Stage) -> None:
    stage.registry.register("third", f1_macro=0.65)
    gates = [{"metric": {"name": "f1_macro", "min": "0.70"}}]
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="third", gates=gates))
    seen = stage.await_reason("Ready", "GateFailed")
    message = condition(seen, "Ready")["message"]
    assert message.startswith("spec.gates[0]: metric f1_macro is 0.65, required is ≥ 0.70")
    assert condition(seen, "GatesPassed")["status"] == "False"
    assert stage.api.read(DEPLOYMENT, NAMESPACE, "housing") is None


def test_a_candidate_that_does_not_exist_is_waited_for(stage: Stage) -> None:
    stage.registry.register("fourth", rmse=0.5)
    stage.api.apply(
        PROMOTION, promotion("housing", NAMESPACE, modelName="fourth", candidate={"version": "77"})
    )
    seen = stage.await_reason("Ready", "CandidateNotFound")
    assert "has no version 77, it has 1" in condition(seen, "Ready")["message"]


def test_an_alias_moved_by_hand_is_put_back_and_told(stage: Stage) -> None:
    other = stage.registry.register("fifth", rmse=0.5)
    version = stage.registry.register("fifth", rmse=0.4)
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="fifth"))
    stage.pods.become_ready()
    stage.await_champion(version)
    stage.registry.move_alias("fifth", other)
    seen = stage.await_reason("AliasInSync", "AliasRestored")
    assert f"pointed to version {other}" in condition(seen, "AliasInSync")["message"]
    assert stage.registry.alias("fifth") == version


def test_of_two_promotions_on_one_alias_the_older_one_owns_it(stage: Stage) -> None:
    stage.registry.register("sixth", rmse=0.5)
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="sixth"))
    stage.await_reason("Ready", "RollingOut")
    until(lambda: stage.promotion()["metadata"]["creationTimestamp"] < _now(), 5)
    stage.api.apply(PROMOTION, promotion("intruder", NAMESPACE, modelName="sixth"))
    seen = stage.await_reason("Ready", "AliasConflict", "intruder")
    assert "housing is older" in condition(seen, "Ready")["message"]
    assert stage.api.read(DEPLOYMENT, NAMESPACE, "intruder") is None


def _refused(stage: Stage) -> Document | None:
    seen = stage.promotion()
    return seen if seen["status"]["candidate"].get("refused") else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
