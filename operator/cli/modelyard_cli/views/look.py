"""How one resource stands: a sentence, a share that is done, and whether there is more to wait for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modelyard_api.conditions import Condition, ConditionStatus
from modelyard_api.v1alpha1.dataset_status import LoadProgress
from modelyard_api.v1alpha1.reasons import DatasetCondition, PromotionReason, TrainingJobReason
from modelyard_api.v1alpha1.tuning import TuningProgress
from modelyard_cli.objects import (
    DatasetSeen,
    PromotionSeen,
    Seen,
    TrainingJobSeen,
    current,
)

_REFUSED = frozenset(
    {
        PromotionReason.GATE_FAILED,
        PromotionReason.WAITING_FOR_APPROVAL,
        PromotionReason.METRIC_MISSING,
        PromotionReason.INVALID_SPEC,
        PromotionReason.MODEL_UNUSABLE,
        PromotionReason.ALIAS_CONFLICT,
    }
)
"""Reasons of a ModelPromotion that last until somebody acts."""


class State(StrEnum):
    """Whether waiting makes sense."""

    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Look:
    """How a resource stands."""

    state: State
    reason: str
    """Reason of the summary condition; Pending where nobody looked at the resource yet."""
    message: str
    fraction: float | None = None
    """Share that is done, from 0 to 1, where it is known."""

    def line(self) -> str:
        """Reason and message."""
        return f"{self.reason}: {self.message}" if self.message else self.reason


def look_at(seen: Seen, *, complete: bool = False) -> Look:
    """How a resource stands. ``complete`` waits for a Dataset until nothing more is due by itself."""
    match seen:
        case DatasetSeen():
            return _dataset(seen, complete=complete)
        case TrainingJobSeen():
            return _training_job(seen)
        case PromotionSeen():
            return _promotion(seen)


def _dataset(seen: DatasetSeen, *, complete: bool) -> Look:
    ready = current(seen.metadata, seen.status, DatasetCondition.READY)
    stalled = current(seen.metadata, seen.status, DatasetCondition.STALLED)
    going_on = current(seen.metadata, seen.status, DatasetCondition.PROGRESSING)
    if stalled is not None and stalled.status == ConditionStatus.TRUE:
        return _look(State.FAILED, stalled)
    load = seen.status.load
    running = load.progress if load is not None else None
    more = complete and (going_on is None or going_on.status == ConditionStatus.TRUE)
    if ready is not None and ready.status == ConditionStatus.TRUE and not more:
        return _look(State.DONE, ready, 1.0)
    if running is not None:
        reason = ready.reason if ready is not None else "Loading"
        return Look(State.WORKING, reason, _told(running), _fraction(running))
    share = float(load.percent) / 100 if load is not None and load.percent else None
    return _look(State.WORKING, going_on if more and going_on is not None else ready, share)


def _training_job(seen: TrainingJobSeen) -> Look:
    succeeded = current(seen.metadata, seen.status, "Succeeded")
    if succeeded is None or succeeded.status == ConditionStatus.UNKNOWN:
        trials = seen.status.progress
        if trials is not None and succeeded is not None and succeeded.reason == TrainingJobReason.TRAINING:
            return Look(State.WORKING, succeeded.reason, _trials(trials), trials.percent / 100)
        return _look(State.WORKING, succeeded)
    if succeeded.status == ConditionStatus.FALSE:
        return _look(State.FAILED, succeeded)
    return _look(State.DONE, succeeded, 1.0)


def _promotion(seen: PromotionSeen) -> Look:
    ready = current(seen.metadata, seen.status, "Ready")
    if ready is not None and ready.status == ConditionStatus.TRUE:
        return _look(State.DONE, ready, 1.0)
    if ready is not None and ready.reason in _REFUSED:
        return _look(State.FAILED, ready)
    wanted = int(seen.spec.get("serving", {}).get("replicas", {}).get("min", 1))
    share = min(1.0, seen.status.ready_replicas / wanted) if seen.status.ready_replicas else None
    return _look(State.WORKING, ready, share)


def _look(state: State, condition: Condition | None, fraction: float | None = None) -> Look:
    if condition is None:
        return Look(state, "Pending", "the operator has not looked at it yet", fraction)
    return Look(state, condition.reason, condition.message, fraction)


def _fraction(progress: LoadProgress) -> float | None:
    if progress.percent is not None:
        return float(progress.percent) / 100
    return progress.rows / progress.total_rows if progress.total_rows else None


def _trials(progress: TuningProgress) -> str:
    ended = progress.trials_completed + progress.trials_pruned + progress.trials_failed
    best = f", the best {progress.best_value}" if progress.best_value is not None else ""
    left = progress.estimated_seconds_remaining
    rest = f", {left} s left" if left is not None else ""
    return f"{ended} trials ended, {progress.trials_running} at work{best}{rest}"


def _told(progress: LoadProgress) -> str:
    total = f" of {progress.total_rows:,}" if progress.total_rows is not None else ""
    speed = f", {progress.rows_per_second:,} a second" if progress.rows_per_second else ""
    left = progress.estimated_seconds_remaining
    rest = f", {left} s left" if left is not None else ""
    return f"{progress.phase.lower()} {progress.rows:,}{total} rows{speed}{rest}"
