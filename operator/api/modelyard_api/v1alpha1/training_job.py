"""TrainingJob: one model, trained once on one version of a Dataset."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from modelyard_api.base import ApiModel, OneOf, StatusModel, also, immutable
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import (
    ColumnName,
    Digest,
    JobOptions,
    MetricName,
    NamedValue,
    ObjectMeta,
    ResourceName,
    ResourceStatus,
)
from modelyard_api.v1alpha1.own_container import EnvironmentVariable, OwnContainer
from modelyard_api.v1alpha1.pipeline import Pipeline
from modelyard_api.v1alpha1.tuning import BestTrial, Tuning, TuningProgress

ModelName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=52)]


class DatasetRef(ApiModel):
    """A version of a Dataset of the same namespace; the latest when the job starts, unless pinned."""

    name: ResourceName
    """Name of the Dataset."""
    variant: Annotated[str, Field(max_length=30)]
    """Variant of it."""
    digest: Digest | None = None
    """Content digest that the version must have."""
    sequence: Annotated[int, Field(ge=1)] | None = None
    """Load whose version is meant."""
    as_of: datetime | None = None
    """Time whose latest version is meant."""


class Features(OneOf):
    """Which columns the model sees; the target, the key and the weights of rows never are features."""

    include: Annotated[list[ColumnName], Field(min_length=1, max_length=1000)] | None = None
    """Only these."""
    exclude: Annotated[list[ColumnName], Field(min_length=1, max_length=1000)] | None = None
    """All but these."""


class CrossValidation(ApiModel):
    """Folds of the training part: the pipeline is fitted once for each of them, on the rows of the others."""

    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Number of folds."""


class Bootstrap(ApiModel):
    """How intervals are drawn around the metrics of the test part."""

    resamples: Annotated[int, Field(ge=100, le=10000)] = 1000
    """Draws of the test rows; fewer where rows are so many that it would take long."""
    confidence: Literal["0.90", "0.95", "0.99"] = "0.95"
    """Share of the draws that lies within the interval."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """Seed of the draws."""


class Evaluation(ApiModel):
    """How the model is judged on the test part."""

    primary: MetricName | None = None
    """Metric shown first and used to compare; rmse or f1_macro if unset."""
    metrics: Annotated[list[MetricName], Field(max_length=20)] = []
    """Metrics to compute; all of the task if empty."""
    cross_validation: CrossValidation | None = None
    """Set, the metrics are also worked out on folds of the training part: their mean and standard deviation."""
    bootstrap: Bootstrap = Bootstrap()
    """Intervals around the metrics."""
    plots: Literal["Default", "None"] = "Default"
    """Default: the plots that fit the task and a report with them go to the run; None: neither."""


class Register(ApiModel):
    """Where the model goes in the registry."""

    model_name: ModelName
    """Registered model that gets a new version."""


class Replay(ApiModel):
    """A finished run to make again: the same rows by their digest, pipeline, seeds and threads, or the same container."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """Id of the run in MLflow."""


class CachePolicy(StrEnum):
    """Whether a result that is there already is taken."""

    USE = "Use"
    """An earlier run of the same ingredients is the answer, and this run may be one for later jobs."""
    REFRESH = "Refresh"
    """Trains anew; later jobs take this run."""
    NEVER = "Never"
    """Trains anew, and no later job takes this run."""


_OF_THE_RUN = (
    *("datasetRef", "task", "target", "features", "sampleWeightColumn"),
    *("tuning", "evaluation", "register"),
)
"""What a replay takes from its run."""
_ONE_OF_THREE = (
    "(has(self.pipeline) ? 1 : 0) + (has(self.container) ? 1 : 0) + (has(self.replay) ? 1 : 0) == 1",
    "exactly one of pipeline, container, replay must be set",
)
_LEARNING_NEEDS_DATA = (
    "has(self.replay) || (has(self.datasetRef) && has(self.task) && has(self.target))",
    "datasetRef, task and target must be set: they say what is learnt",
)
_CONTAINER_FITS_ITSELF = (
    "!has(self.container) || !(has(self.tuning) || (has(self.evaluation) && has(self.evaluation.crossValidation)))",
    "tuning and evaluation.crossValidation fit a pipeline again and again: a container does that itself",
)
_ENVIRONMENT_IS_OF_A_CONTAINER = (
    "has(self.container) || has(self.replay) || !has(self.environment) || size(self.environment) == 0",
    "environment is for a container",
)
_REPLAY_IS_ALONE = (
    "!has(self.replay) || !(" + " || ".join(f"has(self.{field})" for field in _OF_THE_RUN) + ")",
    f"replay takes these from its run, leave them out: {', '.join(_OF_THE_RUN)}",
)
_WEIGHT_IS_NO_TARGET = (
    "!has(self.sampleWeightColumn) || !has(self.target) || self.sampleWeightColumn != self.target",
    "sampleWeightColumn must not be the target",
)
_RESAMPLE_IS_OF_CLASSES = (
    "!has(self.pipeline) || !has(self.pipeline.resample) || !has(self.task) || self.task == 'Classification'",
    "pipeline.resample is for task Classification: it evens out classes",
)
_RESAMPLE_OR_WEIGHTS = (
    "!has(self.pipeline) || !has(self.pipeline.resample) || !has(self.sampleWeightColumn)",
    "pipeline.resample makes rows that have no weight: use it or sampleWeightColumn",
)


class TrainingJobFields(JobOptions):
    """What a TrainingJob asks for."""

    model_config = ConfigDict(
        json_schema_extra=also(
            immutable("TrainingJob", *_OF_THE_RUN, "pipeline", "container", "environment", "replay"),
            _ONE_OF_THREE,
            _LEARNING_NEEDS_DATA,
            _CONTAINER_FITS_ITSELF,
            _ENVIRONMENT_IS_OF_A_CONTAINER,
            _REPLAY_IS_ALONE,
            _WEIGHT_IS_NO_TARGET,
            _RESAMPLE_IS_OF_CLASSES,
            _RESAMPLE_OR_WEIGHTS,
        )
    )

    dataset_ref: DatasetRef | None = None
    """Version of a Dataset to train on."""
    task: Task | None = None
    """Regression or Classification."""
    target: ColumnName | None = None
    """Column to predict."""
    features: Features | None = None
    """Columns that the model sees; all but the target, the key and the weights if unset."""
    sample_weight_column: ColumnName | None = None
    """Column of numbers from 0 upwards by which the rows of the training part count; never a feature."""
    pipeline: Pipeline | None = None
    """The model."""
    container: OwnContainer | None = None
    """Own code that makes the model instead."""
    environment: Annotated[list[EnvironmentVariable], Field(max_length=64)] = []
    """Variables of the container, which has no credentials but those that are given here; of a replay, those that the run had from Secrets."""
    tuning: Tuning | None = None
    """Search for parameters of the pipeline; it is trained as it stands if unset."""
    replay: Replay | None = None
    """A run to make again instead, and to compare with what comes of it; nothing is registered."""
    evaluation: Evaluation = Evaluation()
    """How it is judged."""
    register_: Annotated[Register | None, Field(alias="register")] = None
    """Registered model that gets a new version; the model stays with its run if unset."""
    cache_policy: CachePolicy = CachePolicy.USE
    """Use: takes the result of an earlier run of the same data, spec and image. Refresh trains anew, Never also keeps the run from others."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31536000)] | None = None
    """Seconds after the end when this resource deletes itself; run and model stay."""


class LearningSpec(TrainingJobFields):
    """A spec that makes a model from a version of a Dataset."""

    dataset_ref: DatasetRef
    task: Task
    target: ColumnName
    replay: None = None


class TrainingJobSpec(LearningSpec):
    """A spec that trains a pipeline."""

    pipeline: Pipeline
    container: None = None


class ContainerSpec(LearningSpec):
    """A spec that has own code train a model."""

    container: OwnContainer
    pipeline: None = None
    tuning: None = None


class ReplaySpec(TrainingJobFields):
    """A spec that makes a run again."""

    replay: Replay


AnySpec = TrainingJobSpec | ContainerSpec | ReplaySpec


def parse_training_job_spec(value: object) -> AnySpec:
    """The spec as what it asks for. Raises pydantic's ValidationError."""
    if isinstance(value, dict) and value.get("replay") is not None:
        return ReplaySpec.model_validate(value)
    return parse_learning_spec(value)


def parse_learning_spec(value: object) -> TrainingJobSpec | ContainerSpec:
    """The spec as what it asks for, where that is a model. Raises pydantic's ValidationError."""
    if isinstance(value, dict) and value.get("container") is not None:
        return ContainerSpec.model_validate(value)
    return TrainingJobSpec.model_validate(value)


class DatasetVersion(StatusModel):
    """What a job was trained on, for good."""

    variant: Annotated[str, Field(max_length=30)]
    """Variant."""
    sequence: int
    """Number of the load."""
    digest: Annotated[str, Field(max_length=71)]
    """Content digest."""
    uri: Annotated[str, Field(max_length=1024)]
    """Address of the manifest."""
    split: Annotated[str, Field(max_length=16)] | None = None
    """Identity of the split that it was published with, where known."""


class RunRef(StatusModel):
    """A run in MLflow."""

    id: Annotated[str, Field(max_length=64)]
    """Run id."""
    url: Annotated[str, Field(max_length=1024)] | None = None
    """Page of the run."""


class ModelRef(StatusModel):
    """A version in the registry."""

    name: Annotated[str, Field(max_length=52)]
    """Registered model."""
    version: Annotated[str, Field(max_length=16)]
    """Version."""
    digest: Annotated[str, Field(max_length=71)]
    """Digest of the model bundle."""


class SuggestedRequests(StatusModel):
    """What to ask for as ``spec.resources.requests`` of a job like this one."""

    cpu: Annotated[str, Field(max_length=16)]
    """CPU that was used on average, with a margin of a tenth."""
    memory: Annotated[str, Field(max_length=16)]
    """Peak memory with a margin of a fifth."""


class Usage(StatusModel):
    """What the pod used."""

    cpu_seconds: Annotated[str, Field(max_length=16)]
    """CPU time."""
    peak_memory_bytes: int
    """Largest resident set; of the whole pod, where the work was done by several processes."""
    suggested_requests: SuggestedRequests | None = None
    """Requests that fit what was used."""


class Compiled(StatusModel):
    """Whether serving answers with a compiled program instead of the libraries that trained the model."""

    used: bool
    """True where the program gave the model's answers for all rows that both were asked for."""
    rows: int | None = None
    """Held-out rows that were compared."""
    max_delta: Annotated[str, Field(max_length=32)] | None = None
    """Greatest difference of a value or probability, relative to it."""
    reason: Annotated[str, Field(max_length=256)] | None = None
    """Why it is not used."""


MISSES_SHOWN = 20
NOT_SERVABLE_LIMIT = 512


class CacheStatus(StatusModel):
    """What an earlier run had to say."""

    key: Annotated[str, Field(max_length=71)] | None = None
    """Digest of all that the result follows from; none where a part of it is unknown."""
    hit: bool = False
    """Whether an earlier run is, or would be, the answer."""
    miss_because: Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=MISSES_SHOWN)] = []
    """What differs from the nearest earlier run, such as pipeline.estimator.params.n_estimators."""
    nearest_run: Annotated[str, Field(max_length=64)] | None = None
    """The run that it was compared with."""


class TrainingJobStatus(ResourceStatus):
    """What was seen of a TrainingJob."""

    attempt: int = 0
    """Which attempt this is, from 1."""
    memory_limit: Annotated[str, Field(max_length=16)] | None = None
    """Memory limit since an attempt ran out of memory; before that, what the spec or the chart says."""
    job_name: Annotated[str, Field(max_length=63)] | None = None
    """Job of the attempt."""
    start_time: Annotated[str, Field(max_length=32)] | None = None
    """When the first attempt was made."""
    completion_time: Annotated[str, Field(max_length=32)] | None = None
    """When it ended."""
    dataset_version: DatasetVersion | None = None
    """Data that it is trained on."""
    cache: CacheStatus | None = None
    """Whether an earlier run was taken, and if not, why not."""
    run: RunRef | None = None
    """Its run in MLflow."""
    model: ModelRef | None = None
    """The model version that it made."""
    progress: TuningProgress | None = None
    """How far the trials are, where there is tuning."""
    best: BestTrial | None = None
    """The trial whose parameters were trained."""
    metrics: Annotated[list[NamedValue], Field(max_length=20)] = []
    """Metrics of the test part."""
    summary: Annotated[str, Field(max_length=128)] | None = None
    """Primary metric at a glance, for example rmse=0.4163; while trials are at work the best of them, and their percentage."""
    usage: Usage | None = None
    """What the pod used; absent for a container without spec.container.command, which nobody measures."""
    compiled: Compiled | None = None
    """The model's compiled program."""
    not_servable: Annotated[str, Field(max_length=NOT_SERVABLE_LIMIT)] | None = None
    """Why no ModelPromotion can serve the model that a container made; absent where one can."""


class TrainingJob(StatusModel):
    """One model, trained once on one version of a Dataset."""

    metadata: ObjectMeta
    spec: Annotated[AnySpec, BeforeValidator(parse_training_job_spec)]
    status: TrainingJobStatus = TrainingJobStatus()
