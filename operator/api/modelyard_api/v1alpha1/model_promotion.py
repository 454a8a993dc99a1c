"""ModelPromotion: which version of a model is in charge of a stage, and its server."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator

from modelyard_api.base import STORED_DEFAULT_KEY, ApiModel, OneOf, StatusModel, immutable, rules
from modelyard_api.v1alpha1.common import (
    LabelMap,
    MetricName,
    ObjectMeta,
    Percent,
    ResourceName,
    ResourceRequirements,
    ResourceStatus,
    Toleration,
)
from modelyard_api.v1alpha1.gates import Gate, GateResult
from modelyard_api.v1alpha1.rollout import Immediate, Rollback, Rollout, RolloutStatus, SwapStatus
from modelyard_api.v1alpha1.sources import SecretRef
from modelyard_api.v1alpha1.training_job import ModelName

_MOST_FALSE_ALARMS = 20
_CPU_IS_KNOWN = (
    "!has(self.replicas) || !has(self.replicas.max) || !has(self.resources)"
    " || (has(self.resources.requests) && 'cpu' in self.resources.requests)"
    " || (has(self.resources.limits) && 'cpu' in self.resources.limits)"
)
_CPU_FAULT = "replicas.max needs resources.requests.cpu: the autoscaler compares with it"
HISTORY_LIMIT = 20
"""Entries of status.history at most: those that Postgres does not have yet are kept beyond spec.historyLimit."""


class Latest(ApiModel):
    """The newest version."""


class Best(ApiModel):
    """The version with the best value of a metric; ties go to the older one."""

    metric: MetricName
    """Metric of the test part."""


class TrainingJobRef(ApiModel):
    """The version that a TrainingJob of the same namespace made."""

    name: ResourceName
    """Name of the TrainingJob."""


class Candidate(OneOf):
    """Which version is tried."""

    latest: Latest | None = None
    """The newest version."""
    version: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$", max_length=9)] | None = None
    """This version."""
    training_job: TrainingJobRef | None = None
    """The version that a TrainingJob made."""
    best: Best | None = None
    """The best version by a metric."""


class Replicas(ApiModel):
    """How many server pods there are."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.max) || self.max >= (has(self.min) ? self.min : 1)", "max must be at least min"),
            ("!has(self.targetCpuPercent) || has(self.max)", "targetCpuPercent needs max"),
        )
    )

    min: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of pods, or the least one where there is a max."""
    max: Annotated[int, Field(ge=1, le=100)] | None = None
    """Greatest number of pods: an autoscaler chooses by their load. As many as min if unset."""
    target_cpu_percent: Annotated[int, Field(ge=1, le=100)] = 70
    """CPU at which more pods are made, as a percent of what a pod requests."""

    @property
    def scales(self) -> bool:
        """Whether an autoscaler chooses the number."""
        return self.max is not None and self.max > self.min


class Auth(ApiModel):
    """Who may ask for predictions: whoever brings a key."""

    keys_secret: SecretRef
    """Secret of the same namespace: each entry is a client's name and its key, of 16 to 512 printable characters."""


class RequestLimits(ApiModel):
    """What a request may come to; more is refused with 413, and one that takes longer to come with 408."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=128 * 1024 * 1024)] = 10 * 1024 * 1024
    """Bytes of its body."""
    max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    """Rows that it asks predictions for."""
    request_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """From its first byte to its last."""


class PredictionLog(ApiModel):
    """Every prediction as rows of Parquet files on S3, and labels for them by POST /feedback."""

    sample_percent: Percent = "100"
    """Percent of the requests that are logged, chosen by their ids."""
    retention_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Days after which the servers remove files of predictions and of labels; unset, nobody does."""


class Drift(ApiModel):
    """How traffic is compared with the rows that the model was trained on."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.falseAlarmPercent) || double(self.falseAlarmPercent) <= 20.0",
                "falseAlarmPercent must be at most 20",
            )
        )
    )

    window_rows: Annotated[int, Field(ge=100, le=100_000)] = 500
    """Rows that are judged at once, by each server process."""
    false_alarm_percent: Percent = "1"
    """Percent of the windows without drift in which some feature or the output is above its limit all the same."""

    @field_validator("false_alarm_percent")
    @classmethod
    def _still_an_alarm(cls, value: str) -> str:
        if float(value) > _MOST_FALSE_ALARMS:
            raise ValueError(f"falseAlarmPercent must be at most {_MOST_FALSE_ALARMS}")
        return value


class Serving(ApiModel):
    """How the server runs."""

    model_config = ConfigDict(json_schema_extra=rules((_CPU_IS_KNOWN, _CPU_FAULT)))

    replicas: Replicas = Replicas()
    """How many pods."""
    processes: Annotated[int, Field(ge=1, le=16)] = 1
    """Processes of a pod that answer side by side; each holds the models itself and makes use of one more CPU."""
    resources: ResourceRequirements | None = None
    """Compute of a pod; the chart's default if unset."""
    auth: Auth | None = None
    """Who may ask; anyone who reaches the pods if unset."""
    limits: RequestLimits = RequestLimits()
    """What a request may come to."""
    prediction_log: PredictionLog | None = None
    """Logs predictions; unset, none are."""
    drift: Drift = Drift()
    """How drift is watched for."""
    node_selector: LabelMap | None = None
    """Labels that the node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=16)] = []
    """Taints that the pods accept."""
    priority_class_name: Annotated[str, Field(max_length=253)] | None = None
    """PriorityClass of the pods."""


class ModelPromotionSpec(ApiModel):
    """What a ModelPromotion asks for."""

    model_config = ConfigDict(json_schema_extra=immutable("ModelPromotion", "modelName", "stage"))

    model_name: ModelName
    """Registered model."""
    stage: Annotated[
        str,
        Field(
            pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
            max_length=52,
            json_schema_extra={STORED_DEFAULT_KEY: "production"},
        ),
    ] = "production"
    """Alias in the registry that this resource owns."""
    candidate: Candidate
    """Which version is tried."""
    gates: Annotated[list[Gate], Field(max_length=20)] = []
    """Tests in order; the first that fails is the reason."""
    approval: Literal["Automatic", "Manual"] = "Automatic"
    """Manual: a candidate that passed waits until the annotation modelyard.dev/approved-version names its version."""
    rollout: Rollout = Rollout(immediate=Immediate())
    """How traffic moves."""
    rollback: Rollback | None = None
    """When a version that took charge gives way to the one before it; never if unset."""
    serving: Serving = Serving()
    """How the server runs."""
    suspend: bool = False
    """True keeps champion and server as they are, whatever candidates appear."""
    history_limit: Annotated[int, Field(ge=1, le=10)] = 10
    """Entries of status.history; Postgres has all of them."""


class ServedModel(StatusModel):
    """A version in charge, now or before."""

    version: Annotated[str, Field(max_length=16)]
    """Version in the registry."""
    run_id: Annotated[str, Field(max_length=64)]
    """Run that made it."""
    dataset_digest: Annotated[str, Field(max_length=71)] | None = None
    """Content digest of the data it was trained on."""
    model_digest: Annotated[str, Field(max_length=71)]
    """Digest of the bundle."""
    bundle_uri: Annotated[str, Field(max_length=1024)]
    """Address of the bundle."""
    since: Annotated[str, Field(max_length=32)]
    """When it took charge."""
    number: int = 0
    """Which one of the champions of this ModelPromotion it is, from 1."""
    compiled: bool | None = None
    """Whether its compiled program answers in every pod; set of the champion alone."""
    not_compiled_because: Annotated[str, Field(max_length=256)] | None = None
    """Why scikit-learn answers instead, as a pod says it."""
    drifted: bool | None = None
    """Whether its traffic was found to differ from the rows that it was trained on, when that was last known."""


class CandidateStatus(StatusModel):
    """The version last tried."""

    version: Annotated[str, Field(max_length=16)]
    """Version in the registry."""
    gates: Annotated[list[GateResult], Field(max_length=20)] = []
    """Results in the order of the gates."""
    against: Annotated[str, Field(max_length=16)] | None = None
    """Version in charge when the gates were tried; absent where none was."""
    gates_digest: Annotated[str, Field(max_length=71)] | None = None
    """Identity of the gates that were tried."""
    admitted_at: Annotated[str, Field(max_length=32)] | None = None
    """When it had passed all gates and was approved; from then on the same gates are not asked again."""
    refused: Annotated[str, Field(max_length=512)] | None = None
    """Why the servers did not take it, or had to give it back; forgotten when the spec is edited."""
    rollout: RolloutStatus | None = None
    """How far its rollout has come."""


class ModelPromotionStatus(ResourceStatus):
    """What was seen of a ModelPromotion."""

    champion: ServedModel | None = None
    """The version in charge."""
    previous: ServedModel | None = None
    """The version in charge before."""
    candidate: CandidateStatus | None = None
    """The version last tried."""
    last_swap: SwapStatus | None = None
    """Requests during the rollout of the champion, and how many of them failed."""
    url: Annotated[str, Field(max_length=512)] | None = None
    """Address of the server inside the cluster."""
    ready_replicas: int = 0
    """Server pods that serve the present route."""
    history: Annotated[list[ServedModel], Field(max_length=HISTORY_LIMIT)] = []
    """Versions that were in charge, the latest first."""
    recorded: int = 0
    """Number of the last champion that Postgres has."""


class ModelPromotion(StatusModel):
    """The version of a model in charge of a stage, and its server."""

    metadata: ObjectMeta
    spec: ModelPromotionSpec
    status: ModelPromotionStatus = ModelPromotionStatus()
