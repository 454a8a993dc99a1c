"""The whole step: data, fit, evaluation, bundle, run, registration; answers at once where it was done before."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api import labels
from modelyard_api.catalog import check_evaluation, check_pipeline
from modelyard_api.contract.manifest import Column
from modelyard_api.contract.outcome import Outcome, TrainOutcome
from modelyard_api.contract.steps import Step, TrainStep
from modelyard_api.metrics import METRICS, Task
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import InvalidSpecError, StepError
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import Version, load_version
from modelyard_runtime.tracking import MLflowClient
from modelyard_runtime.versions import Reference, resolve_version
from modelyard_trainer import machine
from modelyard_trainer.bundle import Origin, PackedModel, libraries, pack, store
from modelyard_trainer.data import TrainingData, prepare
from modelyard_trainer.evaluation.assess import Assessment, Measuring, assess, primary_of, validate
from modelyard_trainer.evaluation.folds import make_folds
from modelyard_trainer.evaluation.judged import gives
from modelyard_trainer.evaluation.metrics import values_of, wanted_metrics
from modelyard_trainer.evaluation.record import RunFacts, record_of, split_clause
from modelyard_trainer.features import Plan, make_plan
from modelyard_trainer.fit import fit
from modelyard_trainer.parameters import parameters_of
from modelyard_trainer.pipeline import Build, accepting_missing, build, refuse
from modelyard_trainer.threads import set_threads
from modelyard_trainer.tracking.model_directory import DIRECTORY, column_schema, model_directory
from modelyard_trainer.tracking.registry import Registry
from modelyard_trainer.tracking.runs import DatasetInput, Run, Runs, RunStatus

TAG_CPU_SECONDS = "modelyard.dev/cpu-seconds"
TAG_PEAK_MEMORY = "modelyard.dev/peak-memory-bytes"
TAG_THREADS = "modelyard.dev/threads"
TAG_FAILURE = "modelyard.dev/failure"
TAG_DATASET_VERSION = "modelyard.dev/dataset-version"
"""JSON of the version that was trained on, so that an answer given again names it."""

_DIGEST_LENGTH = 32
_TAG_LIMIT = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What the step talks to."""

    store: ObjectStore
    runs: Runs
    registry: Registry
    now: Callable[[], datetime]


@dataclass(frozen=True)
class Trained:
    """A fitted model and what was measured of it."""

    packed: PackedModel
    assessment: Assessment
    threads: int


def work(step: Step, environment: Mapping[str, str]) -> Outcome:
    """Carries out the training step of a pod."""
    if step.train is None:
        raise InvalidSpecError("is not a training step", field="step", value=step.chosen)
    asked = step.train
    credentials = Credentials.mounted(environment)
    with MLflowClient(asked.mlflow, credentials.mlflow()) as client:
        services = Services(
            store=ObjectStore(asked.s3, credentials.s3()),
            runs=Runs(client, asked.spec.dataset_ref.name),
            registry=Registry(client),
            now=lambda: datetime.now(UTC),
        )
        return Outcome(train=train(asked, services))


def train(step: TrainStep, services: Services) -> TrainOutcome:
    """Trains, tracks and registers once; a step that was finished before is only read back."""
    weights = step.spec.sample_weight_column is not None
    refuse(check_pipeline(step.spec.pipeline, step.spec.task, weights=weights))
    refuse(check_evaluation(step.spec.evaluation, step.spec.task))
    known = services.runs.find(step.owner.uid)
    if known is not None and known.status == RunStatus.FINISHED:
        _log.info("run %s is finished; nothing is trained again", known.id)
        return _registered(step, services, known)
    source = step.data or resolve_version(services.store, _reference(step))
    version = load_version(source.uri, services.store)
    _log.info("read %d rows of %s", version.manifest.rows, source.uri)
    plan = make_plan(version.manifest, step.spec)
    data = prepare(version, plan, step.spec.task)
    run = services.runs.begin(step.owner, services.now())
    try:
        _log_request(step, services.runs, run, version, plan, source)
        rows = _Rows(version, plan, data, source)
        trained = _train(step, rows, run.id)
        _log_evaluation(step, services, run, rows, trained)
        _log_result(services, run, trained)
    except StepError as error:
        _report_failure(services, run, error)
        raise
    finished = services.runs.find(step.owner.uid)
    if finished is None:
        raise StepError(f"run {run.id} cannot be found again")
    return _registered(step, services, finished)


def _reference(step: TrainStep) -> Reference:
    """What the spec pins."""
    ref = step.spec.dataset_ref
    return Reference(ref.name, ref.variant, step.dataset_uid or None, ref.sequence, ref.digest, ref.as_of)


@dataclass(frozen=True)
class _Rows:
    """What is trained on."""

    version: Version
    plan: Plan
    data: TrainingData
    source: DatasetVersion


def _train(step: TrainStep, rows: _Rows, run_id: str) -> Trained:
    spec, threads, data = step.spec, machine.threads(), rows.data
    classes = sorted(set(data.train.y.tolist())) if spec.task is Task.CLASSIFICATION else []
    model = build(spec.pipeline, spec.task, rows.plan, Build(threads, classes))
    measuring = Measuring(wanted_metrics(spec.evaluation, spec.task, gives(model), classes), threads)
    asked = spec.evaluation.cross_validation
    folds = make_folds(rows.version, data.train.y, spec.task, asked.folds) if asked is not None else None
    started = time.monotonic()
    fit(model, data, spec, threads)
    _log.info("fitted %s in %.1f s", spec.pipeline.estimator.class_, time.monotonic() - started)
    validated = validate(model, data, spec, folds, measuring) if folds is not None else None
    # Threads of a forest sum in any order; what is stored, compared and served is made on one.
    set_threads(model, None)
    assessment = assess(model, data, spec, measuring, validated)
    values = values_of(assessment.metrics)
    _log.info("metrics: %s", ", ".join(f"{name}={value:.4g}" for name, value in values.items()))
    return Trained(_packed(model, step, rows, run_id), assessment, threads)


def _packed(model: FittablePipeline, step: TrainStep, rows: _Rows, run_id: str) -> PackedModel:
    missing = accepting_missing(rows.plan, rows.data.missing_in_training)
    inputs = [
        Column(name=column.name, type=column.type, nullable=column.name in missing)
        for column in rows.plan.inputs
    ]
    origin = Origin(step.spec.task, step.spec.target, inputs, run_id, rows.source.digest)
    return pack(model, origin, rows.data.train, rows.data.test)


def _log_request(
    step: TrainStep, runs: Runs, run: Run, version: Version, plan: Plan, source: DatasetVersion
) -> None:
    runs.log_parameters(run.id, parameters_of(step, version, plan))
    tags = {
        labels.TAG_DATASET_DIGEST: source.digest,
        TAG_DATASET_VERSION: source.model_dump_json(by_alias=True),
    }
    runs.tag(run.id, tags)
    digest = source.digest.removeprefix("sha256:")[:_DIGEST_LENGTH]
    columns = [column for column in version.manifest.columns if column.name not in version.manifest.key]
    runs.log_input(
        run.id,
        DatasetInput(
            name=f"{step.spec.dataset_ref.name}/{source.variant}",
            digest=digest,
            uri=source.uri,
            schema={"mlflow_colspec": column_schema(columns)},
            rows=version.manifest.rows,
        ),
    )


def _log_evaluation(step: TrainStep, services: Services, run: Run, rows: _Rows, trained: Trained) -> None:
    """Plots and report of the run, before it counts as finished."""
    if step.spec.evaluation.plots == "None":
        return
    # Half a second and 60 MiB, which a job without plots does not spend.
    from modelyard_trainer.evaluation import present  # noqa: PLC0415

    manifest, data = rows.version.manifest, rows.data
    facts = RunFacts(
        project=step.owner.project,
        job=step.owner.name,
        run_id=run.id,
        image=step.owner.image,
        dataset=step.spec.dataset_ref.name,
        data=rows.source,
        task=step.spec.task,
        target=step.spec.target,
        primary=primary_of(step.spec),
        split=split_clause(manifest.split),
        rows_train=len(data.train.y),
        rows_test=len(data.test.y),
        parameters=parameters_of(step, rows.version, rows.plan),
        libraries=libraries(),
        threads=trained.threads,
        made_at=services.now(),
    )
    record = record_of(trained.assessment, facts, step.spec.evaluation.bootstrap.confidence)
    for path, content in present.evaluation_directory(trained.assessment, record).items():
        services.runs.log_file(run, f"{present.DIRECTORY}/{path}", content)


def _log_result(services: Services, run: Run, trained: Trained) -> None:
    uri = store(trained.packed, services.store)
    for path, content in model_directory(trained.packed, services.now()).items():
        services.runs.log_file(run, f"{DIRECTORY}/{path}", content)
    services.runs.log_metrics(run.id, trained.assessment.numbers(), services.now())
    used = machine.used_so_far()
    services.runs.tag(
        run.id,
        {
            labels.TAG_MODEL_DIGEST: trained.packed.digest,
            labels.TAG_BUNDLE_URI: uri,
            TAG_CPU_SECONDS: str(used.cpu_seconds),
            TAG_PEAK_MEMORY: str(used.peak_memory_bytes),
            TAG_THREADS: str(trained.threads),
        },
    )
    services.runs.end(run.id, RunStatus.FINISHED, services.now())


def _registered(step: TrainStep, services: Services, run: Run) -> TrainOutcome:
    """The outcome of a finished run, its version registered if that was asked for."""
    held = run.tags.get(TAG_DATASET_VERSION)
    tags = {
        labels.RUN_TAG_JOB: step.owner.name,
        labels.RUN_TAG_UID: step.owner.uid,
        labels.TAG_DATASET_DIGEST: run.tags[labels.TAG_DATASET_DIGEST],
        labels.TAG_MODEL_DIGEST: run.tags[labels.TAG_MODEL_DIGEST],
        labels.TAG_BUNDLE_URI: run.tags[labels.TAG_BUNDLE_URI],
    }
    version = None
    if step.spec.register_ is not None:
        version = services.registry.register(step.spec.register_.model_name, run.id, tags)
        _log.info("model %s version %s", step.spec.register_.model_name, version)
    return TrainOutcome(
        run_id=run.id,
        model_digest=run.tags[labels.TAG_MODEL_DIGEST],
        bundle_uri=run.tags[labels.TAG_BUNDLE_URI],
        model_version=version,
        data=DatasetVersion.model_validate_json(held) if held else step.data,
        metrics=_answered(step, run),
        cpu_seconds=float(run.tags[TAG_CPU_SECONDS]),
        peak_memory_bytes=int(run.tags[TAG_PEAK_MEMORY]),
    )


def _answered(step: TrainStep, run: Run) -> dict[str, float]:
    """The metrics that fit into an answer: those of the task, and of single classes only what was asked for."""
    asked = step.spec.evaluation
    wanted = {*METRICS, *asked.metrics, asked.primary}
    return {name: value for name, value in run.metrics.items() if name in wanted}


def _report_failure(services: Services, run: Run, error: StepError) -> None:
    """Leaves the reason with the run; that MLflow cannot be told is no second failure."""
    try:
        services.runs.tag(run.id, {TAG_FAILURE: error.message[:_TAG_LIMIT]})
        services.runs.end(run.id, RunStatus.FAILED, services.now())
    except StepError as second:
        _log.warning("the failure could not be recorded: %s", second)
