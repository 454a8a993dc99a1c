"""What is applied: TrainingJobs of the sample, the Dataset that they refer to, and Jobs for the floor."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import yaml

from bringup.paths import REPOSITORY
from modelyard_api.conditions import ConditionStatus, Observation, merge_conditions
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus, VariantStatus
from modelyard_api.v1alpha1.reasons import DatasetCondition, DatasetReason
from modelyard_api.v1alpha1.training_job import DatasetVersion, TrainingJobSpec
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.pods import MLFLOW_KEYS, S3_KEYS
from modelyard_operator.resources.step_job import JobDefaults, StepJob, build_step_job
from modelyard_operator.resources.steps import train_step
from modelyard_operator.settings import Settings

NAMESPACE = "bench"
PLATFORM = "modelyard"

_GROUP = f"/apis/modelyard.dev/v1alpha1/namespaces/{NAMESPACE}"
TRAINING_JOBS = f"{_GROUP}/trainingjobs"
DATASETS = f"{_GROUP}/datasets"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"

_SAMPLE = REPOSITORY / "manifests" / "samples" / "california-housing.yaml"
_DIGEST = "0" * 64


def custom_resource_definitions() -> Iterator[dict[str, Any]]:
    """The three kinds, as they are generated."""
    for file in sorted((REPOSITORY / "manifests" / "crds").glob("*.yaml")):
        yield yaml.safe_load(file.read_text())


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def everything_for(group: str) -> dict[str, Any]:
    """Lets a group do everything: which verbs are needed is not what is measured."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "bench"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
    }


def dataset() -> dict[str, Any]:
    """The sample's Dataset."""
    return _sample("Dataset")


def loaded(dataset: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A patch of a Dataset's status that says that every variant exists."""
    variants = [
        VariantStatus(
            name=variant["name"],
            sequence=1,
            rows=20640,
            columns=9,
            digest=f"sha256:{_DIGEST}",
            uri=_manifest(variant["name"]),
        )
        for variant in dataset["spec"]["variants"]
    ]
    observations = [
        Observation(type=DatasetCondition.READY, status=ConditionStatus.TRUE, reason=DatasetReason.PUBLISHED),
        Observation(
            type=DatasetCondition.LOADED, status=ConditionStatus.TRUE, reason=DatasetReason.ROWS_LOADED
        ),
    ]
    recipe = DatasetSpec.model_validate(dataset["spec"]).recipe()
    status = DatasetStatus(
        observed_generation=1,
        conditions=merge_conditions([], observations, generation=1, now=now.astimezone(UTC)),
        load=LoadStatus(sequence=1, rows=20640, percent="100", recipe=recipe),
        recipe=recipe,
        variants=variants,
    )
    return {"status": status.to_wire()}


def training_jobs(names: list[str]) -> list[dict[str, Any]]:
    """The sample's first TrainingJob under other names."""
    sample = _sample("TrainingJob")
    return [{**sample, "metadata": {"name": name}} for name in names]


def jobs(names: list[str], settings: Settings) -> list[dict[str, Any]]:
    """The Jobs that the operator would make of these TrainingJobs."""
    spec = TrainingJobSpec.model_validate(_sample("TrainingJob")["spec"])
    data = DatasetVersion(variant="v1", sequence=1, digest=f"sha256:{_DIGEST}", uri=_manifest("v1"))
    defaults = JobDefaults(settings.project_secret, settings.image_pull_policy, settings.job_ttl_seconds)
    documents = []
    for name in names:
        parent = Parent("TrainingJob", NAMESPACE, name, str(uuid.uuid4()), 1)
        wanted = StepJob(
            parent=parent,
            identity=(),
            attempt=1,
            step=train_step(parent, spec, data, 1, settings),
            options=spec,
            pod=settings.trainer,
            keys=(*S3_KEYS, *MLFLOW_KEYS),
        )
        documents.append(build_step_job(wanted, defaults).to_wire())
    return documents


def _manifest(variant: str) -> str:
    return f"s3://modelyard/{NAMESPACE}/datasets/california-housing/manifests/{variant}/{_DIGEST}.json"


def _sample(kind: str) -> dict[str, Any]:
    documents: Iterator[dict[str, Any]] = yaml.safe_load_all(_SAMPLE.read_text())
    return next(d for d in documents if d["kind"] == kind)
