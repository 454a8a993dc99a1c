"""Values of parameters as places between 0 and 1, and the other way round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.tuning import Dimension, point, points
from modelyard_trainer.tuning.trial import Values


def draw(space: Sequence[Dimension], generator: np.random.Generator) -> Values:
    """A value for each parameter at random: evenly, by ratio where ``log`` is set."""
    return {dimension.parameter: value_at(dimension, generator.random()) for dimension in space}


def value_at(dimension: Dimension, place: float) -> Json:
    """The value at a place from 0 to 1: each of those that can be counted has the same share of it."""
    count = points(dimension)
    log = _log(dimension)
    if log is not None:
        low, high = log
        if dimension.integer is None:
            return float(min(max(math.exp(_between(math.log(low), math.log(high), place)), low), high))
        # Half a step at both ends, so that the ends are tried as often as the values beside them.
        exact = math.exp(_between(math.log(low - 0.5), math.log(high + 0.5), place))
        return int(min(max(round(exact), low), high))
    if count is not None:
        return point(dimension, min(int(place * count), count - 1))
    low, high = _ends(dimension)
    return _between(low, high, place)


def place_of(dimension: Dimension, value: Json) -> float | None:
    """The place of a value; None where the parameter does not take it any more."""
    if dimension.choice is not None:
        known = dimension.choice.values
        return (known.index(value) + 0.5) / len(known) if value in known else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    low, high = _ends(dimension)
    if not low <= value <= high:
        return None
    if _log(dimension) is not None:
        first, last = (low - 0.5, high + 0.5) if dimension.integer is not None else (low, high)
        return (math.log(value) - math.log(first)) / (math.log(last) - math.log(first))
    count = points(dimension)
    if count is None:
        return (value - low) / (high - low)
    step = _step(dimension)
    return (round((value - low) / step) + 0.5) / count


def fits(space: Sequence[Dimension], values: Values | None) -> bool:
    """Whether values of an earlier job are ones that this space could try."""
    return (
        values is not None
        and values.keys() == {dimension.parameter for dimension in space}
        and all(place_of(dimension, values[dimension.parameter]) is not None for dimension in space)
    )


def _ends(dimension: Dimension) -> tuple[float, float]:
    chosen = dimension.integer or dimension.number
    assert chosen is not None  # noqa: S101  a range
    return float(chosen.low), float(chosen.high)


def _log(dimension: Dimension) -> tuple[float, float] | None:
    chosen = dimension.integer or dimension.number
    return _ends(dimension) if chosen is not None and chosen.log else None


def _step(dimension: Dimension) -> float:
    if dimension.integer is not None:
        return float(dimension.integer.step or 1)
    assert dimension.number is not None and dimension.number.step is not None  # noqa: PT018, S101  it is counted
    return float(Decimal(dimension.number.step))


def _between(low: float, high: float, place: float) -> float:
    return low + (high - low) * place
