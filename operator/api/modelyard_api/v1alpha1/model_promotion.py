"""ModelPromotion: which version of a model is in charge of a stage, and its server."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from modelyard_api.base import STORED_DEFAULT_KEY, ApiModel, OneOf, StatusModel, immutable, rules
from modelyard_api.v1alpha1.common import (
    DecimalString,
    LabelMap,
    MetricName,
    ObjectMeta,
    ResourceName,
    ResourceRequirements,
    ResourceStatus,
    Toleration,
)
from modelyard_api.v1alpha1.training_job import ModelName


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


class MetricGate(ApiModel):
    """A bound on a metric of the test part."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.min) || has(self.max)", "min or max must be set"),
        )
    )

    name: MetricName
    """Metric."""
    min: DecimalString | None = None
    """Least value that passes."""
    max: DecimalString | None = None
    """Greatest value that passes."""


class Gate(OneOf):
    """A test that a candidate must pass."""

    metric: MetricGate | None = None
    """A bound on a metric of the test part."""


class Immediate(ApiModel):
    """All traffic at once, after the new version is loaded and warm."""


class Rollout(OneOf):
    """How traffic moves to the candidate."""

    immediate: Immediate | None = None
    """All at once, without a failed request."""


class Replicas(ApiModel):
    """How many server pods there are."""

    min: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of pods."""


class Serving(ApiModel):
    """How the server runs."""

    replicas: Replicas = Replicas()
    """How many pods."""
    processes: Annotated[int, Field(ge=1, le=16)] = 1
    """Processes of a pod that answer side by side; each holds the models itself and makes use of one more CPU."""
    resources: ResourceRequirements | None = None
    """Compute of a pod; the chart's default if unset."""
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
    rollout: Rollout = Rollout(immediate=Immediate())
    """How traffic moves."""
    serving: Serving = Serving()
    """How the server runs."""
    suspend: bool = False
    """True keeps champion and server as they are, whatever candidates appear."""
    history_limit: Annotated[int, Field(ge=1, le=10)] = 10
    """Entries of status.history."""


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


class GateResult(StatusModel):
    """What a gate saw."""

    gate: Annotated[str, Field(max_length=128)]
    """Which gate."""
    required: Annotated[str, Field(max_length=128)]
    """What it requires."""
    observed: Annotated[str, Field(max_length=128)]
    """What it saw."""
    passed: bool
    """Whether the candidate passes."""


class CandidateStatus(StatusModel):
    """The version last tried."""

    version: Annotated[str, Field(max_length=16)]
    """Version in the registry."""
    gates: Annotated[list[GateResult], Field(max_length=20)] = []
    """Results in the order of the gates."""
    refused: Annotated[str, Field(max_length=512)] | None = None
    """Why the servers did not take it, so that the champion stays; forgotten when the spec is edited."""


class ModelPromotionStatus(ResourceStatus):
    """What was seen of a ModelPromotion."""

    champion: ServedModel | None = None
    """The version in charge."""
    previous: ServedModel | None = None
    """The version in charge before."""
    candidate: CandidateStatus | None = None
    """The version last tried."""
    url: Annotated[str, Field(max_length=512)] | None = None
    """Address of the server inside the cluster."""
    ready_replicas: int = 0
    """Server pods that serve the present route."""
    history: Annotated[list[ServedModel], Field(max_length=10)] = []
    """Versions that were in charge, the latest first."""


class ModelPromotion(StatusModel):
    """The version of a model in charge of a stage, and its server."""

    metadata: ObjectMeta
    spec: ModelPromotionSpec
    status: ModelPromotionStatus = ModelPromotionStatus()
