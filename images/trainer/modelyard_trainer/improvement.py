"""The step: whether a candidate's answers on the test rows are better than the champion's, beyond the luck of the rows.

Both runs kept their answers, so nothing is loaded or predicted again. They may be of different loads of a Dataset, as
they are where data grow: compared are the test rows that both have, and only where neither run has learned from a test
row of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from modelyard_api.contract.outcome import ImprovementOutcome, MetricChange
from modelyard_api.contract.steps import AskedMetric, ImprovementStep
from modelyard_api.contract.training_record import RECORD_FILE, TrainingRecord
from modelyard_api.metrics import Direction, find_metric
from modelyard_api.v1alpha1.training_job import Bootstrap
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_manifest
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.split import SplitLine
from modelyard_runtime.table import read_parts
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import Answers, hashes_of, read_answers
from modelyard_trainer.evaluation.bootstrap import lower_bound
from modelyard_trainer.evaluation.paired import draw
from modelyard_trainer.evaluation.present import DIRECTORY
from modelyard_trainer.tracking.runs import read_run

_DRAWS = Bootstrap(resamples=2000)
_LONGEST = 400


@dataclass(frozen=True)
class Contender:
    """A run and what it left."""

    name: str
    """``candidate`` or ``champion``."""
    record: TrainingRecord
    answers: Answers


def improvement(step: ImprovementStep, client: MLflowClient, store: ObjectStore) -> ImprovementOutcome:
    """The changes of all metrics that are asked for, or why there is no telling.

    Raises PlatformError where S3 or MLflow does not answer.
    """
    try:
        candidate = read_contender(client, "candidate", step.candidate_run)
        champion = read_contender(client, "champion", step.champion_run)
        check_same_question(candidate.record, champion.record)
        check_apart(candidate, champion, store)
        return changes(candidate.answers, champion.answers, step.metrics)
    except DataError as error:
        return ImprovementOutcome(refused=error.failure().sentence()[:_LONGEST])


def read_contender(client: MLflowClient, name: str, run_id: str) -> Contender:
    """Raises DataError where the run is gone or did not leave what a comparison needs."""
    run = read_run(client, run_id)
    if run is None:
        raise DataError(f"the {name}'s run {run_id} is not in MLflow any more")
    record = client.download(run.artifact_uri, RECORD_FILE)
    answers = client.download(run.artifact_uri, f"{DIRECTORY}/{PREDICTIONS}")
    if record is None or answers is None:
        missing = RECORD_FILE if record is None else f"{DIRECTORY}/{PREDICTIONS}"
        raise DataError(
            f"the {name}'s run {run_id} has no {missing}", remedy="Train it anew to have it compared"
        )
    try:
        read = TrainingRecord.model_validate_json(record)
    except ValidationError as error:
        raise DataError(
            f"the {name}'s {RECORD_FILE} is of another version of Modelyard",
            remedy="Train it anew to have it compared",
        ) from error
    return Contender(name, read, read_answers(answers, PREDICTIONS))


def check_same_question(candidate: TrainingRecord, champion: TrainingRecord) -> None:
    """Raises DataError where the two were not trained for the same thing."""
    pairs = (
        ("Dataset", candidate.spec.dataset_ref.name, champion.spec.dataset_ref.name),
        ("target", candidate.spec.target, champion.spec.target),
        ("task", candidate.spec.task, champion.spec.task),
    )
    for what, new, old in pairs:
        if new != old:
            raise DataError(
                f"the candidate's {what} is {new}, the champion's is {old}",
                remedy="Models of different data cannot be compared: leave this gate out, or use another stage",
            )


def check_apart(candidate: Contender, champion: Contender, store: ObjectStore) -> None:
    """Raises DataError where one has learned from rows that the other is judged on."""
    if candidate.record.data.uri == champion.record.data.uri:
        # One version has one split.
        return
    for learner, judged in ((champion, candidate), (candidate, champion)):
        overlap = _learned_from(learner.record, judged.answers.rows, store)
        if overlap:
            raise DataError(
                f"the {learner.name} was trained on {overlap:,} of the {len(judged.answers.rows):,} test rows "
                f"of the {judged.name}: the split of the Dataset is not the same, or moves as rows arrive",
                remedy="Train both on one version, or on versions with the same split by hash",
            )


def changes(candidate: Answers, champion: Answers, asked: Sequence[AskedMetric]) -> ImprovementOutcome:
    """How much better the candidate is. Raises DataError where the two cannot be compared row by row."""
    rows, found = 0, []
    for wanted in asked:
        metric = find_metric(wanted.metric)
        if metric is None:
            raise DataError(f"{wanted.metric} is not a metric")
        drawn = draw(champion, candidate, wanted.metric, _DRAWS)
        sign = 1 if metric.direction is Direction.MAXIMIZE else -1
        # Of equals this is 0, and not the negative zero that is told as -0.
        better_by = sign * (drawn.second - drawn.first) + 0.0
        if not math.isfinite(better_by):
            raise DataError(
                f"{wanted.metric} is {drawn.second} of the candidate, {drawn.first} of the champion"
            )
        rows = drawn.rows
        found.append(
            MetricChange(
                metric=wanted.metric,
                confidence=wanted.confidence,
                candidate=drawn.second,
                champion=drawn.first,
                better_by=better_by,
                at_least=lower_bound(sign * drawn.differences + 0.0, wanted.confidence),
            )
        )
    return ImprovementOutcome(rows=rows, changes=found)


def _learned_from(record: TrainingRecord, rows: np.ndarray, store: ObjectStore) -> int:
    """How many of the rows are in the training part of a run's version."""
    manifest = read_manifest(store, record.data.uri)
    if manifest.content_digest != record.data.digest:
        raise DataError(
            f"the rows have the digest {manifest.content_digest}, the run was trained on {record.data.digest}"
        )
    line, count = SplitLine.of(manifest), 0
    for part in read_parts(manifest, store):
        hashes = hashes_of(part, manifest.key)
        count += int(np.isin(hashes[~line.mask(part)], rows).sum())
    return count
