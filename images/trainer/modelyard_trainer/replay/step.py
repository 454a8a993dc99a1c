"""The step: the recorded run once more, from its rows to its model, and what came out otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from modelyard_api import labels
from modelyard_api.contract.outcome import ReplayOutcome
from modelyard_api.contract.steps import ReplayStep
from modelyard_api.contract.training_record import TrainingRecord
from modelyard_api.metrics import METRICS
from modelyard_api.v1alpha1.training_job import ContainerSpec
from modelyard_runtime.errors import DataError, StepError
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import Version, load_version
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.making import Material, material_of
from modelyard_trainer.own.places import Places
from modelyard_trainer.replay import differences
from modelyard_trainer.replay.environment import installed
from modelyard_trainer.replay.original import Original, read_original
from modelyard_trainer.replay.own_code import of_container
from modelyard_trainer.replay.result import Result, of_pipeline
from modelyard_trainer.tracking.runs import Run, Runs, RunStatus
from modelyard_trainer.tracking.turn import Turn

REPORT_FILE = "replay.json"

_CLAUSES = 10
_CLAUSE_LENGTH = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What the step talks to."""

    client: MLflowClient
    store: ObjectStore
    now: Callable[[], datetime]
    places: Places
    """Where own code left what it made."""


def replay(step: ReplayStep, around: Surroundings) -> ReplayOutcome:
    """Makes the run again once; a replay that was finished before is only read back."""
    turn = Turn.take(around.store, step.owner, uuid4().hex)
    original = read_original(around.client, step.run_id)
    runs = Runs(around.client, original.record.spec.dataset_ref.name, turn.check)
    known = runs.find_finished(step.owner, turn.run_id, around.now())
    if known is not None:
        return ReplayOutcome.model_validate_json(known.tags[labels.TAG_REPLAY])
    run = runs.begin(step.owner, around.now())
    runs.tag(run.id, {labels.TAG_REPLAY_OF: step.run_id, "mlflow.parentRunId": step.run_id})
    try:
        outcome = _outcome(run, step, original, around)
        _record(runs, run, outcome, around, turn)
    except StepError as error:
        runs.fail(run.id, error.message, around.now())
        raise
    return outcome


def _outcome(run: Run, step: ReplayStep, original: Original, around: Surroundings) -> ReplayOutcome:
    record = original.record
    found = [
        *differences.of_image(record.image, step.owner.image),
        *differences.of_libraries(record.libraries, installed()),
    ]
    metrics: dict[str, float] = {}
    compared, used = "image and libraries", None
    try:
        version = _rows(record, around.store)
    except DataError as error:
        # The rest would be another experiment, not this one again.
        found.append(f"data: {error.message}")
    else:
        result = _again(step, original, material_of(version, record.spec), around.places)
        # Those of single classes would not fit into an answer; the comparison has them.
        metrics = {name: value for name, value in result.metrics.items() if name in METRICS}
        found += result.differences
        compared = f"{compared}, {version.manifest.rows} rows by their digest, {result.compared}"
        used = result.used
    return ReplayOutcome(
        run_id=run.id,
        data=record.data,
        differences=[clause[:_CLAUSE_LENGTH] for clause in found[:_CLAUSES]],
        compared=compared,
        metrics=metrics,
        cpu_seconds=used.cpu_seconds if used else None,
        peak_memory_bytes=used.peak_memory_bytes if used else None,
        seconds=used.seconds if used else None,
    )


def _again(step: ReplayStep, original: Original, material: Material, places: Places) -> Result:
    """What came of the run this time."""
    spec = original.record.spec
    if isinstance(spec, ContainerSpec) and step.container:
        return of_container(original, spec, material, places)
    return of_pipeline(original, material)


def _rows(record: TrainingRecord, store: ObjectStore) -> Version:
    version = load_version(record.data.uri, store)
    digest = version.manifest.content_digest
    if digest != record.data.digest:
        raise DataError(f"the rows have the digest {digest}, the run was trained on {record.data.digest}")
    return version


def _record(runs: Runs, run: Run, outcome: ReplayOutcome, around: Surroundings, turn: Turn) -> None:
    text = outcome.model_dump_json(by_alias=True, exclude_none=True)
    runs.log_file(run, REPORT_FILE, text.encode())
    if outcome.metrics:
        runs.log_metrics(run.id, outcome.metrics, around.now())
    reproduced = str(not outcome.differences).lower()
    runs.tag(run.id, {labels.TAG_REPLAY: text, labels.TAG_REPRODUCED: reproduced})
    turn.finish(run.id)
    runs.end(run.id, RunStatus.FINISHED, around.now())
    _log.info("%s differ: %s", len(outcome.differences), "; ".join(outcome.differences) or "nothing")
