"""CMA-ES: populations of trials move towards where the better ones of the last population were.

Its state is worked out anew from the record for every trial, which takes a millisecond or so for hundreds of trials: so
nothing but the trials has to be stored.
"""

from __future__ import annotations

import math

import numpy as np
from cmaes import CMA

from modelyard_api.v1alpha1.tuning import CmaEs, Dimension
from modelyard_trainer.tuning.samplers import Question
from modelyard_trainer.tuning.space import draw, place_of, value_at
from modelyard_trainer.tuning.trial import State, Values, loss, seed_of

_CENTRE = 0.5
_SPREAD = 1 / 6


class Evolution:
    """Its state is worked out anew from the record for every trial."""

    def propose(self, question: Question) -> Values:
        """A point of the present population; what is no range of numbers is drawn at random."""
        asked, space = question.tuning.sampler.cmaes or CmaEs(), question.tuning.space
        seed = seed_of(asked.seed, question.number)
        ranges = [dimension for dimension in space if dimension.choice is None]
        size = 4 + int(3 * math.log(len(ranges)))
        optimizer = CMA(
            mean=np.full(len(ranges), _CENTRE),
            sigma=_SPREAD,
            bounds=np.tile([0.0, 1.0], (len(ranges), 1)),
            seed=seed,
            population_size=size,
        )
        for population in _batches(_judged(question, ranges), size):
            optimizer.tell(population)
        places = optimizer.ask()
        values = draw(space, np.random.default_rng(seed))
        values.update(
            (own.parameter, value_at(own, float(place))) for own, place in zip(ranges, places, strict=True)
        )
        return values


def make() -> Evolution:
    """The sampler."""
    return Evolution()


def _judged(question: Question, ranges: list[Dimension]) -> list[tuple[np.ndarray, float]]:
    """Places and losses of completed trials, in the order of their numbers."""
    found = []
    for trial in question.record:
        if trial.state is not State.COMPLETED or trial.value is None or trial.values is None:
            continue
        places = [place_of(own, trial.values.get(own.parameter)) for own in ranges]
        known = [place for place in places if place is not None]
        if len(known) == len(ranges):
            found.append((np.array(known), loss(trial.value, question.direction)))
    return found


def _batches(judged: list[tuple[np.ndarray, float]], size: int) -> list[list[tuple[np.ndarray, float]]]:
    """Whole populations; the present one is not told before it is whole."""
    return [judged[start : start + size] for start in range(0, len(judged) - size + 1, size)]
