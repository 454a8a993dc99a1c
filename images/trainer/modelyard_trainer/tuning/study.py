"""A study as a whole: what makes it comparable, how far it is, and its best trial."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from modelyard_api.catalog.tuning import objective_of
from modelyard_api.contract.steps import TrainStep
from modelyard_api.digests import canonical_digest
from modelyard_api.metrics import Direction, find_metric
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.training_job import DatasetVersion, TrainingJobSpec
from modelyard_api.v1alpha1.tuning import BestTrial, TrialParameter, Tuning, TuningProgress, budget
from modelyard_trainer.tuning.record import Tally
from modelyard_trainer.tuning.trial import State, Study, Trial, loss

_VALUE_LIMIT = 120


def study_of(step: TrainStep, source: DatasetVersion) -> Study:
    """The study of a step."""
    spec = step.spec
    tuning = asked_of(spec)
    timeout, cpu = tuning.timeout_seconds, tuning.cpu_seconds
    return Study(
        uid=step.owner.uid,
        job=step.owner.name,
        context=_context(step, source),
        metric=objective_of(spec),
        direction=direction_of(spec),
        budget=budget(tuning),
        seconds=float(timeout * tuning.parallelism) if timeout is not None else None,
        cpu_seconds=float(cpu) if cpu is not None else None,
    )


def asked_of(spec: TrainingJobSpec) -> Tuning:
    """The tuning of a job that has some."""
    if spec.tuning is None:
        raise ValueError("there is no tuning")
    return spec.tuning


def direction_of(spec: TrainingJobSpec) -> Direction:
    """Which end of the objective is the good one. The metric has been judged to be known."""
    known = find_metric(objective_of(spec))
    if known is None:
        raise ValueError(f"{objective_of(spec)} is not a metric")
    return known.direction


def _context(step: TrainStep, source: DatasetVersion) -> str:
    """Digest of everything besides the parameters that a trial's value depends on."""
    spec = step.spec
    tuning = asked_of(spec)
    tuned = {dimension.parameter for dimension in tuning.space}
    return canonical_digest(
        {
            "version": source.uri,
            "image": step.owner.image,
            "task": spec.task,
            "target": spec.target,
            "features": spec.features.to_wire() if spec.features is not None else None,
            "weights": spec.sample_weight_column,
            "pipeline": spec.pipeline.model_dump(mode="json", by_alias=True),
            "tuned": sorted(tuned),
            "metric": objective_of(spec),
            "folds": tuning.objective.folds,
        }
    )


def progress_of(tuning: Tuning, tally: Tally) -> TuningProgress:
    """The tally as the status shows it."""
    counts, total = tally.counts, budget(tuning)
    running = counts.get(State.RUNNING, 0)
    ended = sum(counts.values()) - running
    return TuningProgress(
        percent=min(100, 100 * ended // total),
        trials_completed=counts.get(State.COMPLETED, 0),
        trials_pruned=counts.get(State.PRUNED, 0),
        trials_failed=counts.get(State.FAILED, 0),
        trials_running=running,
        best_value=None if tally.best is None else f"{tally.best:.6g}",
        estimated_seconds_remaining=_left(tuning, tally, total - ended, ended),
    )


def _left(tuning: Tuning, tally: Tally, waiting: int, ended: int) -> int | None:
    """By the mean of the trials so far; a budget of time may end it sooner."""
    if waiting == 0:
        return 0
    if ended == 0:
        return None
    seconds = waiting * tally.seconds / ended / min(tuning.parallelism, waiting)
    if tuning.timeout_seconds is not None:
        seconds = min(seconds, max(tuning.timeout_seconds - tally.seconds / tuning.parallelism, 0))
    return math.ceil(seconds)


def best_of(trials: Sequence[Trial], direction: Direction) -> Trial | None:
    """The completed trial with the best value, the first of equal ones."""
    done = [
        trial
        for trial in trials
        if trial.number >= 0 and trial.state is State.COMPLETED and trial.value is not None
    ]
    return min(done, key=lambda trial: loss(trial.value or 0.0, direction), default=None)


def shown(trial: Trial) -> BestTrial:
    """The trial as the status shows it."""
    return BestTrial(
        number=trial.number,
        value=f"{trial.value:.6g}",
        parameters=[
            TrialParameter(name=name, value=_text(value)) for name, value in (trial.values or {}).items()
        ],
    )


def _text(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_LIMIT else f"{text[: _VALUE_LIMIT - 1]}…"
