"""What the operator asks of a pod: one JSON document in one environment variable.

A step holds everything but the secrets, which are files: so a Job explains itself, is as immutable as its pod
template, and costs one write instead of a ConfigMap and a Job.
"""

from __future__ import annotations

from modelyard_api.base import OneOf, StatusModel
from modelyard_api.v1alpha1.common import ColumnName
from modelyard_api.v1alpha1.dataset import Source, Split
from modelyard_api.v1alpha1.training_job import DatasetVersion, TrainingJobSpec
from modelyard_api.v1alpha1.transforms import Variant

STEP_VARIABLE = "MODELYARD_STEP"
SERVER_VARIABLE = "MODELYARD_SERVER"
CREDENTIALS_DIRECTORY = "/var/run/modelyard/credentials"
CREDENTIALS_VARIABLE = "MODELYARD_CREDENTIALS"
"""Names another directory of secret files, for a step outside a pod."""

POSTGRES_USERNAME = "postgres-username"
POSTGRES_PASSWORD = "postgres-password"  # noqa: S105  a file's name
S3_ACCESS_KEY = "s3-access-key"
S3_SECRET_KEY = "s3-secret-key"  # noqa: S105  a file's name
MLFLOW_USERNAME = "mlflow-username"
MLFLOW_PASSWORD = "mlflow-password"  # noqa: S105  a file's name


class PostgresEndpoint(StatusModel):
    """Where the working copy is."""

    host: str
    port: int = 5432
    database: str = "modelyard"
    schema_: str
    """Schema of the project."""
    sslmode: str = "prefer"


class S3Endpoint(StatusModel):
    """Where the record is."""

    endpoint_url: str
    """URL of the store; empty for that of AWS."""
    region: str = "us-east-1"
    bucket: str
    prefix: str
    """Prefix of the project, without slashes around it."""


class MLflowEndpoint(StatusModel):
    """Where runs and models are tracked."""

    url: str
    workspace: str | None = None
    """Workspace of the project, where the server has workspaces."""


class Owner(StatusModel):
    """The resource that a step is for."""

    project: str
    name: str
    uid: str
    generation: int
    attempt: int = 1
    image: str = ""
    """Image that carries the step out, as the operator asked for it."""


class LoadStep(StatusModel):
    """Load the source, once, and publish every variant."""

    owner: Owner
    source: Source
    primary_key: list[ColumnName]
    variants: list[Variant]
    split: Split
    postgres: PostgresEndpoint
    s3: S3Endpoint


class TrainStep(StatusModel):
    """Train one model on one version and track it."""

    owner: Owner
    spec: TrainingJobSpec
    data: DatasetVersion
    s3: S3Endpoint
    mlflow: MLflowEndpoint


class Step(OneOf):
    """What a pod is asked to do."""

    load: LoadStep | None = None
    train: TrainStep | None = None


class ServerSettings(StatusModel):
    """What a server pod is told; which versions it serves stands in the route document instead."""

    promotion: str
    project: str
    model_name: str
    route_path: str = "/etc/modelyard/route/route.json"
    port: int = 8080
    s3: S3Endpoint
    max_body_bytes: int = 10 * 1024 * 1024
    max_model_bytes: int = 1024 * 1024 * 1024
    """Bytes of a bundle at most; it may come to twice as much when it is unpacked."""
    drain_seconds: float = 5.0
    """Time between SIGTERM and the end, in which requests are still answered but readiness is off."""
    log_level: str = "INFO"
