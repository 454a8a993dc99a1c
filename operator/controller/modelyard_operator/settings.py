"""Settings of the operator, from variables ``MODELYARD_…``; nested ones with two underscores between the parts."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from modelyard_api.contract import steps
from modelyard_api.contract.progress import PROGRESS_PORT
from modelyard_api.v1alpha1.common import ResourceRequirements


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PostgresSettings(_Group):
    """Where projects have their working copies."""

    host: str = "postgres"
    port: int = 5432
    database: str = "modelyard"
    sslmode: str = "prefer"


class S3Settings(_Group):
    """Where projects have their records."""

    endpoint_url: str = ""
    """URL of the store; empty for that of AWS."""
    region: str = "us-east-1"
    bucket: str = "modelyard"


class MLflowSettings(_Group):
    """Where runs and models are tracked."""

    url: str = "http://mlflow:5000"
    public_url: str = ""
    """Address under which people open MLflow; links in status are left out if it is empty."""
    workspaces: bool = True
    """Whether each project is a workspace of the server."""


class PrometheusSettings(_Group):
    """Whom gates of a ModelPromotion ask."""

    url: str = ""
    """Empty where there is none: gates that need it fail."""
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5


class PodSettings(_Group):
    """A kind of pod that the operator makes."""

    image: str
    service_account: str
    resources: ResourceRequirements
    tmp_size: str
    """Size limit of /tmp."""


def _resources(cpu: str, memory: str, limit: str) -> ResourceRequirements:
    return ResourceRequirements(requests={"cpu": cpu, "memory": memory}, limits={"memory": limit})


class LeaseSettings(_Group):
    """Who may write: seconds as in client-go."""

    name: str = "modelyard-operator"
    duration: float = 15
    renew_deadline: float = 10
    retry: float = 2


class HttpSettings(_Group):
    """Where an ``http`` source of a Dataset may lead."""

    private_addresses: bool = False
    """Whether addresses of private and link-local networks may be asked."""
    redirects: bool = False
    """Whether a redirect is followed."""


class RetrySettings(_Group):
    """Pauses between attempts of a step, in seconds."""

    first: float = 10
    limit: float = 300


class WarmSettings(_Group):
    """When small steps of Datasets share one pod that is always there."""

    max_rows: int = 0
    """Most rows that a step may have to go through; 0 makes a Job of every step."""
    begin_seconds: float = 10
    """How long a step waits for the shared pod to begin it before it becomes a Job."""


class MoreMemorySettings(_Group):
    """How the memory limit of a TrainingJob is raised, once, after its pod ran out of memory."""

    factor: Annotated[Decimal, Field(ge=1, le=16)] = Decimal(2)
    limit: str = "8Gi"
    """Highest limit that it is raised to; 0 raises none."""


class Settings(BaseSettings):
    """All settings; every one has a value in the chart."""

    model_config = SettingsConfigDict(
        env_prefix="MODELYARD_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    namespace: str = "modelyard"
    """Namespace of the platform, where the Lease is."""
    projects: Annotated[list[str], NoDecode, BeforeValidator(_words), Field(min_length=1)]
    """Namespaces that are served: names with commas between them, or a JSON list."""
    identity: str = ""
    """Name of this process in the Lease; the host's name and a random part if empty."""
    log_level: str = "INFO"
    port: int = 8080
    """Port of /metrics and /healthz."""
    host: str = "0.0.0.0"  # noqa: S104  a pod is reached by its address
    kubeconfig: Path | None = None
    """Kubeconfig of the cluster; the pod's service account if unset."""
    credentials_directory: Path = Path(steps.CREDENTIALS_DIRECTORY)
    """Where the operator's own credentials for MLflow are mounted as files."""
    project_secret: str = "modelyard-project"  # noqa: S105  a name
    """Secret of every project's namespace that holds the credentials of its pods."""
    image_pull_policy: str = "IfNotPresent"

    workers: Annotated[int, Field(ge=1, le=1000)] = 20
    resync_seconds: float = 60
    job_ttl_seconds: int = 86400
    """When a finished Job goes; its result is in the status long before."""
    write_grace_seconds: float = 30
    """How long the API server may stay silent before the process counts as dead."""

    server_port: int = 8080
    """Port on which server pods answer."""
    progress_port: int = PROGRESS_PORT
    """Port on which pods of Datasets and of TrainingJobs with tuning say how far they are."""
    rollout_patience_seconds: float = 120
    """How long pods may refuse a new version before the champion's route is put back."""
    rollout_load_seconds: float = 600
    """How long pods may take to load a new version, with nothing against it, before the champion's route is put back."""

    lease: LeaseSettings = LeaseSettings()
    retry: RetrySettings = RetrySettings()
    more_memory: MoreMemorySettings = MoreMemorySettings()
    postgres: PostgresSettings = PostgresSettings()
    s3: S3Settings = S3Settings()
    mlflow: MLflowSettings = MLflowSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    http: HttpSettings = HttpSettings()
    warm: WarmSettings = WarmSettings()
    loader: PodSettings = PodSettings(
        image="modelyard/loader:0.1.0",
        service_account="modelyard-loader",
        resources=_resources("100m", "512Mi", "2Gi"),
        tmp_size="8Gi",
    )
    trainer: PodSettings = PodSettings(
        image="modelyard/trainer:0.1.0",
        service_account="modelyard-trainer",
        resources=_resources("250m", "512Mi", "2Gi"),
        tmp_size="2Gi",
    )
    server: PodSettings = PodSettings(
        image="modelyard/server:0.1.0",
        service_account="modelyard-server",
        resources=_resources("50m", "256Mi", "1Gi"),
        tmp_size="1Gi",
    )
