"""Recorded trials as a study of Optuna in memory, for what Optuna works out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.tuning import Dimension, point, points
from modelyard_trainer.tuning.space import place_of
from modelyard_trainer.tuning.trial import State, Trial

Distributions = dict[str, BaseDistribution]

_STATES = {
    State.RUNNING: TrialState.RUNNING,
    State.COMPLETED: TrialState.COMPLETE,
    State.PRUNED: TrialState.PRUNED,
    State.FAILED: TrialState.FAIL,
}


def empty_study(direction: Direction) -> optuna.Study:
    """A study without trials. Optuna's log of what it makes and samples says nothing that the record does not."""
    logging.getLogger("optuna").setLevel(logging.WARNING)
    return optuna.create_study(
        storage=optuna.storages.InMemoryStorage(),
        direction="minimize" if direction is Direction.MINIMIZE else "maximize",
    )


def study_with(space: list[Dimension], trials: Sequence[Trial], direction: Direction) -> optuna.Study:
    """A study with these trials."""
    study, known = empty_study(direction), distributions_of(space)
    study.add_trials(frozen(trial, space, known) for trial in trials)
    return study


def distributions_of(space: list[Dimension]) -> Distributions:
    """The space as Optuna knows it: choices by their position, since they may be lists or maps."""
    return {dimension.parameter: _distribution(dimension) for dimension in space}


def outer(dimension: Dimension, suggested: float) -> Json:
    """The value that Optuna means; a sum of steps is not exact."""
    if dimension.choice is not None:
        return point(dimension, int(suggested))
    number = dimension.number
    if number is None or number.step is None:
        return suggested
    return point(dimension, round((suggested - float(number.low)) / float(number.step)))


def frozen(trial: Trial, space: list[Dimension], known: Distributions) -> FrozenTrial:
    """A trial with those of its values that the space has."""
    values = trial.values or {}
    taken = [
        own for own in space if own.parameter in values and place_of(own, values[own.parameter]) is not None
    ]
    return create_trial(
        state=_STATES[trial.state],
        value=trial.value if trial.state is State.COMPLETED else None,
        params={own.parameter: _inner(own, values[own.parameter]) for own in taken},
        distributions={own.parameter: known[own.parameter] for own in taken},
        intermediate_values={number: trial.mean(number) for number in range(1, len(trial.folds) + 1)},
    )


def _inner(dimension: Dimension, value: Json) -> int | float:
    return dimension.choice.values.index(value) if dimension.choice is not None else value


def _distribution(dimension: Dimension) -> BaseDistribution:
    count = points(dimension) or 0
    if dimension.integer is not None:
        own = dimension.integer
        high = own.high if own.step is None else point(dimension, count - 1)
        return IntDistribution(own.low, high, log=own.log, step=own.step or 1)
    if dimension.number is not None:
        number = dimension.number
        if number.step is None:
            return FloatDistribution(float(number.low), float(number.high), log=number.log)
        return FloatDistribution(float(number.low), point(dimension, count - 1), step=float(number.step))
    return CategoricalDistribution(range(count))
