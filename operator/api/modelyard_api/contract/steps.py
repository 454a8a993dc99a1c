"""What the operator asks of a pod: one JSON document in one environment variable.

A step holds everything but the secrets, which are files: so a Job explains itself, is as immutable as its pod
template, and costs one write instead of a ConfigMap and a Job.
"""

from __future__ import annotations

from datetime import datetime

from modelyard_api.base import OneOf, StatusModel
from modelyard_api.contract.monitoring import MonitoringSettings
from modelyard_api.v1alpha1.common import ColumnName
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.loading import ColumnSpec, Fail, HashOrder, OnReject, Order
from modelyard_api.v1alpha1.sources import Source
from modelyard_api.v1alpha1.training_job import (
    ContainerSpec,
    DatasetVersion,
    LearningSpec,
    TrainingJobSpec,
)
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_api.v1alpha1.validation import Rule

STEP_VARIABLE = "MODELYARD_STEP"
SERVER_VARIABLE = "MODELYARD_SERVER"
CREDENTIALS_DIRECTORY = "/var/run/modelyard/credentials"
SOURCE_DIRECTORY = "/var/run/modelyard/source"
"""Where the keys of the source's Secret are, as files; empty if there is no such Secret."""
KEYS_DIRECTORY = "/var/run/modelyard/keys"
"""Where a server sees the keys of its clients as files; empty if the Secret is not there."""
SOURCE_VARIABLE = "MODELYARD_SOURCE_CREDENTIALS"
"""Names another directory of the source's secret files, for a step outside a pod."""
CREDENTIALS_VARIABLE = "MODELYARD_CREDENTIALS"
"""Names another directory of secret files, for a step outside a pod."""
WORKER_VARIABLE = "JOB_COMPLETION_INDEX"
"""Number of a worker among those of one step, from 0, as Kubernetes gives it to the pods of an Indexed Job."""
TMP_SIZE_VARIABLE = "MODELYARD_TMP_SIZE"
"""Room for temporary files as a quantity such as ``2Gi``; a pod that takes more would be evicted."""

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


class DatasetWork(StatusModel):
    """What every step of a Dataset is told: the parts of the spec that say what the data are, and where they go."""

    owner: Owner
    source: Source
    primary_key: list[ColumnName]
    columns: list[ColumnSpec] = []
    variants: list[Variant]
    split: Split
    validation: list[Rule] = []
    postgres: PostgresEndpoint
    s3: S3Endpoint


class Published(StatusModel):
    """A version that exists."""

    variant: str
    digest: str
    """``sha256:<hex>`` of the content."""
    uri: str
    """Address of the manifest."""


class NetworkRules(StatusModel):
    """Where an ``http`` source may lead, as the chart allows it."""

    private_addresses: bool = False
    """Whether addresses of private and link-local networks may be asked."""
    redirects: bool = False
    """Whether a redirect is followed; where it leads is judged anew."""


class LoadStep(DatasetWork):
    """Make sure that load ``sequence`` is committed, and publish every variant of it.

    A loader that finds the load committed goes on with publishing; the answer is the same whoever committed it.
    """

    sequence: int = 1
    """Number of the load, from 1. One that is committed already is published anew, as after an edit of the variants.

    Where ``columns`` are others than those of the loaded rows, a load that changes them comes first, whatever was asked.
    """
    percent: str = "100"
    """Share of the source's rows that is loaded once this load is committed."""
    refresh: bool = False
    """True looks at the source again, which was loaded up to the target, for what is new or changed."""
    order: Order = Order(hash=HashOrder())
    on_reject: OnReject = OnReject(fail=Fail())
    parent: Published | None = None
    """Version of the Dataset that is the source, where one is."""
    network: NetworkRules = NetworkRules()
    trigger: str = "Initial"
    """Why now: Initial, Schedule, Interval, Request, Edit or Source; a column of the ledger."""
    requested_by: str = ""
    """Who applied the spec or asked for the step, as far as Kubernetes knows; a column of the ledger."""


class VerifyStep(DatasetWork):
    """Build versions a second time with other settings, publish nothing, and say whether the values are the same."""

    sequence: int
    versions: list[Published]


class SweepStep(DatasetWork):
    """Remove what no kept version needs: the last ones of each variant and all that are referred to are kept."""

    keep_last: int
    protected: list[str] = []
    """Content digests that resources of the cluster refer to; those of runs and models are asked of MLflow."""
    protected_sequences: list[int] = []
    """Loads that resources of the cluster refer to by number; their versions of every variant are kept."""
    protected_times: list[datetime] = []
    """Times that resources of the cluster refer to; of every variant the latest version of that time is kept."""
    dry_run: bool = False
    """True lists what would go, in the table ``data_sweeps``, and removes nothing."""
    mlflow: MLflowEndpoint


class RebuildStep(DatasetWork):
    """Make the working copy and its ledger again from S3 alone."""


class CacheEntry(StatusModel):
    """How later jobs find the run of this one: tags that the trainer sets as they are."""

    key: str
    ingredients: str
    """What the key was made of, packed."""


class LearningStep(StatusModel):
    """Make one model from one version and track it."""

    owner: Owner
    spec: LearningSpec
    data: DatasetVersion | None = None
    """Version to train on; where unset, that which ``spec.dataset_ref`` pins is looked up in the record."""
    dataset_uid: str = ""
    """Uid of the Dataset, by which its versions are found in the record."""
    cache: CacheEntry | None = None
    """None for a run that no later job may take."""
    s3: S3Endpoint
    mlflow: MLflowEndpoint


class TrainStep(LearningStep):
    """Train a pipeline on one version and track it."""

    spec: TrainingJobSpec
    postgres: PostgresEndpoint | None = None
    """Where the trials are recorded, for a step with tuning."""


class ContainerStep(LearningStep):
    """What stands before and behind a container with own code: hand the rows over, and track what it made of them."""

    spec: ContainerSpec


ModelStep = TrainStep | ContainerStep
"""Either way to a model."""


class JudgeStep(StatusModel):
    """Load the model that a container made, in a container that has no credentials, and ask it about the test part."""

    owner: Owner


class ReplayStep(StatusModel):
    """Make a run again from what it recorded, and say what differs."""

    owner: Owner
    run_id: str
    """The run to make again."""
    container: bool = False
    """Whether the run's own code was at work again before this step, and left what it made."""
    s3: S3Endpoint
    mlflow: MLflowEndpoint


class AskedMetric(StatusModel):
    """A metric in which two runs are compared."""

    metric: str
    confidence: str
    """Of the bound, as a decimal: the share of the draws that lies beyond it."""


class ImprovementStep(StatusModel):
    """Compare the answers of two runs on the test rows that both have."""

    owner: Owner
    candidate_run: str
    champion_run: str
    metrics: list[AskedMetric]
    s3: S3Endpoint
    mlflow: MLflowEndpoint


class StoredBundle(StatusModel):
    """Where a model's bundle is and how it is recognised."""

    version: str
    """Version in the registry."""
    uri: str
    digest: str
    """``sha256:<hex>``."""


class InspectionStep(StatusModel):
    """Hold a candidate's bundle against the champion's and against the image of the server, which carries this out."""

    owner: Owner
    candidate: StoredBundle
    champion: StoredBundle | None = None
    s3: S3Endpoint


class ChampionEntry(StatusModel):
    """A version that took charge."""

    number: int
    """Which one of the promotion's champions it is, from 1."""
    version: str
    run_id: str
    model_digest: str
    dataset_digest: str | None = None
    since: datetime


class ChampionsStep(StatusModel):
    """Append to the history of champions what is not in it yet."""

    owner: Owner
    model_name: str
    stage: str
    entries: list[ChampionEntry]
    postgres: PostgresEndpoint


class Step(OneOf):
    """What a pod is asked to do."""

    load: LoadStep | None = None
    verify: VerifyStep | None = None
    sweep: SweepStep | None = None
    rebuild: RebuildStep | None = None
    train: TrainStep | None = None
    replay: ReplayStep | None = None
    prepare: ContainerStep | None = None
    judge: JudgeStep | None = None
    record: ContainerStep | None = None
    improvement: ImprovementStep | None = None
    inspection: InspectionStep | None = None
    champions: ChampionsStep | None = None


class ServerSettings(StatusModel):
    """What a server pod is told; which versions it serves stands in the route document instead."""

    promotion: str
    project: str
    model_name: str
    route_path: str = "/etc/modelyard/route/route.json"
    port: int = 8080
    grpc_port: int | None = None
    """Port of the protocol's gRPC half; none where it is not asked for."""
    s3: S3Endpoint
    max_body_bytes: int = 10 * 1024 * 1024
    max_rows: int = 100_000
    """Rows of a request at most."""
    request_seconds: float = 60.0
    """From the first byte of a request to its last."""
    keys_directory: str | None = None
    """Where the keys of clients are; anyone may ask if unset."""
    max_model_bytes: int = 1024 * 1024 * 1024
    """Bytes of a bundle at most; it may come to twice as much when it is unpacked."""
    processes: int = 1
    """Processes that answer side by side, each with a copy of every model."""
    drain_seconds: float = 5.0
    """Time between SIGTERM and the end, in which requests are still answered but readiness is off."""
    monitoring: MonitoringSettings = MonitoringSettings()
    log_level: str = "INFO"
