"""The whole step: data, fit, evaluation, bundle, run, registration; answers at once where it was done before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelyard_api import labels
from modelyard_api.catalog.training_job import check_training_job
from modelyard_api.contract.outcome import TrainOutcome
from modelyard_api.contract.steps import ModelStep, TrainStep
from modelyard_api.contract.training_record import RECORD_FILE, TrainingRecord
from modelyard_api.contract.used import Used
from modelyard_api.digests import canonical_json
from modelyard_api.metrics import METRICS
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_runtime.errors import StepError
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import load_version
from modelyard_runtime.versions import Reference, resolve_version
from modelyard_trainer import machine
from modelyard_trainer.bundle import PackedModel, store
from modelyard_trainer.compiled import read_tag, tags_of
from modelyard_trainer.evaluation import present
from modelyard_trainer.evaluation.answers import answers_file
from modelyard_trainer.evaluation.assess import Assessment, primary_of
from modelyard_trainer.evaluation.record import RunFacts, record_of, split_clause
from modelyard_trainer.making import Material, make, material_of, packed
from modelyard_trainer.parameters import parameters_of
from modelyard_trainer.pipeline import refuse
from modelyard_trainer.replay.environment import installed
from modelyard_trainer.tracking.model_directory import DIRECTORY, column_schema, model_directory
from modelyard_trainer.tracking.registry import Registry
from modelyard_trainer.tracking.runs import DatasetInput, Run, Runs, RunStatus
from modelyard_trainer.tracking.turn import Turn

TAG_CPU_SECONDS = "modelyard.dev/cpu-seconds"
TAG_PEAK_MEMORY = "modelyard.dev/peak-memory-bytes"
TAG_SECONDS = "modelyard.dev/seconds"
TAG_THREADS = "modelyard.dev/threads"
TAG_DATASET_VERSION = "modelyard.dev/dataset-version"
"""JSON of the version that was trained on, so that an answer given again names it."""

_DIGEST_LENGTH = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What the step talks to."""

    store: ObjectStore
    runs: Runs
    registry: Registry
    now: Callable[[], datetime]
    turn: Turn | None = None
    """The right to write; None for a pod that takes trials and leaves the rest to the first."""

    def own_turn(self) -> Turn:
        """The right to write. Raises StepError for a pod that has none."""
        if self.turn is None:
            raise StepError("a pod that only takes trials writes nothing else")
        return self.turn


@dataclass(frozen=True)
class Source:
    """What was read to train on."""

    material: Material
    version: DatasetVersion


@dataclass(frozen=True)
class Extra:
    """What a run keeps of how its pipeline came about, besides what every run keeps."""

    parameters: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    files: Callable[[], dict[str, bytes]] = dict
    """Makes files of the run, by their paths."""
    captions: Mapping[str, str] = field(default_factory=dict)
    """Which of them are pictures for the run's report, and what is written below each."""


@dataclass(frozen=True)
class Trained:
    """A fitted model and what was measured of it."""

    packed: PackedModel
    assessment: Assessment
    threads: int


def train(step: TrainStep, services: Services) -> TrainOutcome:
    """Trains, tracks and registers once; a step that was finished before is only read back."""
    known = finished_run(step, services)
    if known is not None:
        return answer_of(step, services, known)
    return train_on(step, services, read_source(step, services))


def finished_run(step: ModelStep, services: Services) -> Run | None:
    """The run of an earlier attempt that came to its end. Raises InvalidSpecError for a spec that no run can have."""
    refuse(check_training_job(step.spec))
    ended = services.turn.run_id if services.turn is not None else None
    known = services.runs.find_finished(step.owner, ended, services.now())
    if known is None:
        return None
    _log.info("run %s is finished; nothing is trained again", known.id)
    return known


def read_source(step: ModelStep, services: Services) -> Source:
    """Reads the version and checks that it can be trained on."""
    source = step.data or resolve_version(services.store, reference_of(step))
    version = load_version(source.uri, services.store)
    _log.info("read %d rows of %s", version.manifest.rows, source.uri)
    return Source(material_of(version, step.spec), source)


def train_on(step: TrainStep, services: Services, source: Source, extra: Extra | None = None) -> TrainOutcome:
    """Trains on what was read, tracks and registers."""

    def work(attempt: Attempt) -> dict[str, str]:
        return {**log_trained(attempt, _train(attempt, step)), **tags_of_use(machine.used_so_far())}

    return track(step, services, source, extra or Extra(), work)


def track(
    step: ModelStep,
    services: Services,
    source: Source,
    extra: Extra,
    work: Callable[[Attempt], dict[str, str]],
) -> TrainOutcome:
    """A run from its begin to its answer. ``work`` makes the model, logs what it is like, and returns tags of its run."""
    run = services.runs.begin(step.owner, services.now())
    try:
        attempt = Attempt(step, services, run, source.material, source.version, extra)
        _log_request(attempt)
        services.runs.tag(run.id, work(attempt))
        services.own_turn().finish(run.id)
        services.runs.end(run.id, RunStatus.FINISHED, services.now())
    except StepError as error:
        services.runs.fail(run.id, error.message, services.now())
        raise
    finished = services.runs.get(run.id)
    if finished is None:
        raise StepError(f"run {run.id} cannot be found again")
    return answer_of(step, services, finished)


def reference_of(step: ModelStep) -> Reference:
    """What the spec pins."""
    ref = step.spec.dataset_ref
    return Reference(ref.name, ref.variant, step.dataset_uid or None, ref.sequence, ref.digest, ref.as_of)


@dataclass(frozen=True)
class Attempt:
    """A run under way and what its model is made from."""

    step: ModelStep
    services: Services
    run: Run
    material: Material
    source: DatasetVersion
    extra: Extra


def _train(attempt: Attempt, step: TrainStep) -> Trained:
    threads = machine.threads()
    spec, material = step.spec, attempt.material
    made = make(spec, material, threads)
    model = packed(made.model, spec, material, attempt.run.id, attempt.source.digest)
    return Trained(model, made.assessment, threads)


def _log_request(attempt: Attempt) -> None:
    runs, run, source = attempt.services.runs, attempt.run, attempt.source
    manifest = attempt.material.version.manifest
    runs.log_parameters(run.id, _parameters(attempt))
    tags = {
        labels.TAG_DATASET_DIGEST: source.digest,
        TAG_DATASET_VERSION: source.model_dump_json(by_alias=True),
    }
    cache = attempt.step.cache
    if cache is not None:
        tags |= {labels.TAG_CACHE_KEY: cache.key, labels.TAG_CACHE_INGREDIENTS: cache.ingredients}
    runs.tag(run.id, tags)
    record = TrainingRecord(
        spec=attempt.step.spec,
        data=source,
        image=attempt.step.owner.image,
        libraries=installed(),
        threads=machine.threads(),
    )
    runs.log_file(run, RECORD_FILE, canonical_json(record.to_wire()))
    digest = source.digest.removeprefix("sha256:")[:_DIGEST_LENGTH]
    columns = [column for column in manifest.columns if column.name not in manifest.key]
    runs.log_input(
        run.id,
        DatasetInput(
            name=f"{attempt.step.spec.dataset_ref.name}/{source.variant}",
            digest=digest,
            uri=source.uri,
            schema={"mlflow_colspec": column_schema(columns)},
            rows=manifest.rows,
        ),
    )


def _parameters(attempt: Attempt) -> dict[str, str]:
    own = parameters_of(attempt.step, attempt.material.version, attempt.material.plan)
    return {**own, **attempt.extra.parameters}


def log_trained(attempt: Attempt, trained: Trained) -> dict[str, str]:
    """Everything about a model that can be served; the tags of its run."""
    _log_evaluation(attempt, trained, log_extra(attempt))
    runs, now = attempt.services.runs, attempt.services.now
    uri = store(trained.packed, attempt.services.store)
    for path, content in model_directory(trained.packed, now()).items():
        runs.log_file(attempt.run, f"{DIRECTORY}/{path}", content)
    runs.log_metrics(attempt.run.id, trained.assessment.numbers(), now())
    return {
        labels.TAG_MODEL_DIGEST: trained.packed.digest,
        labels.TAG_BUNDLE_URI: uri,
        TAG_THREADS: str(trained.threads),
        **tags_of(trained.packed.bundle.certificate),
    }


def tags_of_use(used: Used) -> dict[str, str]:
    """What the work took, as tags of its run."""
    return {
        TAG_CPU_SECONDS: str(used.cpu_seconds),
        TAG_PEAK_MEMORY: str(used.peak_memory_bytes),
        TAG_SECONDS: str(used.seconds),
    }


def _log_evaluation(attempt: Attempt, trained: Trained, kept: Mapping[str, bytes]) -> None:
    """Record, plots and report of the run, before it counts as finished; ``kept`` are files that it has already."""
    step, services, run = attempt.step, attempt.services, attempt.run
    version, data = attempt.material.version, attempt.material.data
    facts = RunFacts(
        project=step.owner.project,
        job=step.owner.name,
        run_id=run.id,
        image=step.owner.image,
        dataset=step.spec.dataset_ref.name,
        data=attempt.source,
        task=step.spec.task,
        target=step.spec.target,
        primary=primary_of(step.spec),
        split=split_clause(version.manifest.split),
        rows_train=len(data.train.y),
        rows_test=len(data.test.y),
        parameters=_parameters(attempt),
        libraries=trained.packed.bundle.libraries,
        threads=trained.threads,
        made_at=services.now(),
    )
    record = record_of(trained.assessment, facts, step.spec.evaluation.bootstrap.confidence)
    answers = answers_file(trained.assessment.judged, version.test, version.manifest.key)
    files = present.record_files(record, answers)
    if step.spec.evaluation.plots != "None":
        captions = attempt.extra.captions
        trials = [(caption, kept[path]) for path, caption in captions.items() if path in kept]
        files |= present.report_files(trained.assessment, record, trials)
    for path, content in files.items():
        services.runs.log_file(run, f"{present.DIRECTORY}/{path}", content)


def log_extra(attempt: Attempt) -> dict[str, bytes]:
    """Files and metrics of how the model came about; the files."""
    runs, extra = attempt.services.runs, attempt.extra
    files = extra.files()
    for path, content in files.items():
        runs.log_file(attempt.run, path, content)
    if extra.metrics:
        runs.log_metrics(attempt.run.id, extra.metrics, attempt.services.now())
    return files


def answer_of(step: ModelStep, services: Services, run: Run) -> TrainOutcome:
    """The outcome of a finished run, its version registered if that was asked for."""
    held = run.tags.get(TAG_DATASET_VERSION)
    tags = {
        labels.RUN_TAG_JOB: step.owner.name,
        labels.RUN_TAG_UID: step.owner.uid,
        labels.TAG_DATASET_DIGEST: run.tags[labels.TAG_DATASET_DIGEST],
        labels.TAG_MODEL_DIGEST: run.tags[labels.TAG_MODEL_DIGEST],
    }
    for name in (labels.TAG_BUNDLE_URI, labels.TAG_NOT_SERVABLE):
        if name in run.tags:
            tags[name] = run.tags[name]
    version = None
    services.own_turn().check()
    if step.spec.register_ is not None:
        version = services.registry.register(step.spec.register_.model_name, run.id, tags)
        _log.info("model %s version %s", step.spec.register_.model_name, version)
        services.own_turn().check()
    cpu, peak, seconds = (run.tags.get(name) for name in (TAG_CPU_SECONDS, TAG_PEAK_MEMORY, TAG_SECONDS))
    return TrainOutcome(
        run_id=run.id,
        model_digest=run.tags[labels.TAG_MODEL_DIGEST],
        bundle_uri=run.tags.get(labels.TAG_BUNDLE_URI, ""),
        not_servable=run.tags.get(labels.TAG_NOT_SERVABLE, ""),
        model_version=version,
        data=DatasetVersion.model_validate_json(held) if held else step.data,
        metrics=_answered(step, run),
        cpu_seconds=float(cpu) if cpu else None,
        peak_memory_bytes=int(peak) if peak else None,
        compiled=read_tag(run.tags),
        seconds=float(seconds) if seconds else None,
    )


def _answered(step: ModelStep, run: Run) -> dict[str, float]:
    """The metrics that fit into an answer: those of the task, and of single classes only what was asked for."""
    asked = step.spec.evaluation
    wanted = {*METRICS, *asked.metrics, asked.primary}
    return {name: value for name, value in run.metrics.items() if name in wanted}
