"""The step: the recorded run once more, from its rows to its model, and what came out otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from modelyard_api import labels
from modelyard_api.contract.outcome import ReplayOutcome
from modelyard_api.contract.steps import ReplayStep
from modelyard_api.contract.training_record import TrainingRecord
from modelyard_api.metrics import METRICS
from modelyard_runtime.errors import DataError, StepError
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import Version, load_version
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer import machine
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import answers_file, read_answers
from modelyard_trainer.making import Made, Material, make, material_of, packed
from modelyard_trainer.replay import differences
from modelyard_trainer.replay.environment import installed
from modelyard_trainer.replay.original import Original, read_original
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


def replay(step: ReplayStep, around: Surroundings) -> ReplayOutcome:
    """Makes the run again once; a replay that was finished before is only read back."""
    turn = Turn.take(around.store, step.owner, uuid4().hex)
    original = read_original(around.client, step.run_id)
    runs = Runs(around.client, original.spec.dataset_ref.name, turn.check)
    known = runs.find_finished(step.owner, turn.run_id, around.now())
    if known is not None:
        return ReplayOutcome.model_validate_json(known.tags[labels.TAG_REPLAY])
    run = runs.begin(step.owner, around.now())
    runs.tag(run.id, {labels.TAG_REPLAY_OF: step.run_id, "mlflow.parentRunId": step.run_id})
    try:
        outcome = _outcome(run, step, original, around.store)
        _record(runs, run, outcome, around, turn)
    except StepError as error:
        runs.fail(run.id, error.message, around.now())
        raise
    return outcome


def _outcome(run: Run, step: ReplayStep, original: Original, store: ObjectStore) -> ReplayOutcome:
    record = original.record
    found = [
        *differences.of_image(record.image, step.owner.image),
        *differences.of_libraries(record.libraries, installed()),
    ]
    metrics: dict[str, float] = {}
    compared = "image and libraries"
    try:
        version = _rows(record, store)
    except DataError as error:
        # The rest would be another experiment, not this one again.
        found.append(f"data: {error.message}")
    else:
        material = material_of(version, original.spec)
        made = make(original.spec, material, record.threads)
        # Those of single classes would not fit into an answer; the comparison has them.
        metrics = {name: value for name, value in made.assessment.numbers().items() if name in METRICS}
        found += _of_result(original, material, made)
        rows = len(made.assessment.judged.truth)
        compared = (
            f"{compared}, {version.manifest.rows} rows by their digest, predictions of {rows} test rows, "
            f"{len(made.assessment.numbers())} metrics, bytes of the model"
        )
    used = machine.used_so_far()
    return ReplayOutcome(
        run_id=run.id,
        data=record.data,
        differences=[clause[:_CLAUSE_LENGTH] for clause in found[:_CLAUSES]],
        compared=compared,
        metrics=metrics,
        cpu_seconds=used.cpu_seconds,
        peak_memory_bytes=used.peak_memory_bytes,
        seconds=used.seconds,
    )


def _rows(record: TrainingRecord, store: ObjectStore) -> Version:
    version = load_version(record.data.uri, store)
    digest = version.manifest.content_digest
    if digest != record.data.digest:
        raise DataError(f"the rows have the digest {digest}, the run was trained on {record.data.digest}")
    return version


def _of_result(original: Original, material: Material, made: Made) -> list[str]:
    record, manifest = original.record, material.version.manifest
    # As a file and back, since that is what the recorded ones went through.
    content = answers_file(made.assessment.judged, material.version.test, manifest.key)
    answers = read_answers(content, PREDICTIONS)
    # With the id of the run that is made again: the id is a part of the bundle.
    metrics = made.assessment.numbers()
    model = packed(made.model, original.spec, material, original.run.id, record.data.digest)
    return [
        *differences.of_answers(original.answers, answers),
        *differences.of_metrics(_judged_again(original, metrics), metrics),
        *differences.of_model(original.model_digest, model.digest),
    ]


def _judged_again(original: Original, metrics: Mapping[str, float]) -> dict[str, float]:
    """The run's metrics but those that are not of the model, such as what its search took."""
    return {name: value for name, value in original.run.metrics.items() if name in metrics}


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
