"""Whether a trial goes on after a fold: rules that look at the trials of the record alone.

Folds are the same for all trials and are judged in the same order, so that means over the same folds are compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Hyperband, Median, Pruner
from modelyard_trainer.tuning.trial import State, Trial, loss


def is_pruned(
    pruner: Pruner, trial: Trial, others: Sequence[Trial], folds: int, direction: Direction
) -> bool:
    """Whether a trial that was judged on some of ``folds`` is worth no more of them."""
    if not trial.folds or len(trial.folds) >= folds:
        return False
    if pruner.median is not None:
        return _below_median(pruner.median, trial, others, direction)
    assert pruner.hyperband is not None  # noqa: S101  one is set
    return _left_behind(pruner.hyperband, trial, others, folds, direction)


def _below_median(asked: Median, trial: Trial, others: Sequence[Trial], direction: Direction) -> bool:
    judged = len(trial.folds)
    done = [own for own in others if own.number >= 0 and own.state is State.COMPLETED and own.folds]
    if judged < asked.warmup_folds or len(done) < asked.startup_trials:
        return False
    seen = [loss(own.mean(judged), direction) for own in others if len(own.folds) >= judged]
    return loss(trial.mean(), direction) > median(seen)


def _left_behind(
    asked: Hyperband, trial: Trial, others: Sequence[Trial], folds: int, direction: Direction
) -> bool:
    """Asynchronous successive halving: at each rung of its bracket only the best share goes on."""
    judged, factor = len(trial.folds), asked.reduction_factor
    brackets = brackets_of(folds, factor)
    bracket = trial.number % brackets
    rungs = {factor**power for power in range(bracket, brackets)}
    if judged not in rungs:
        return False
    rivals = [
        loss(own.mean(judged), direction)
        for own in others
        if own.number >= 0 and own.number % brackets == bracket and len(own.folds) >= judged
    ]
    own = loss(trial.mean(), direction)
    places = max(1, (len(rivals) + 1) // factor)
    return sum(rival < own for rival in rivals) >= places


def brackets_of(folds: int, factor: int) -> int:
    """Number of brackets: the first looks after one fold, each further one after more."""
    return int(math.log(folds - 1, factor) + 1e-9) + 1 if folds > 1 else 1
