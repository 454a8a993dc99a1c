"""Samplers by name: each chooses the values of a trial from its number and the record alone.

So a worker that was killed, or another one, goes on where the record ends, and one worker with one seed always tries the
same.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Tuning
from modelyard_trainer.tuning.trial import Trial, Values


@dataclass(frozen=True)
class Question:
    """What a sampler is asked."""

    tuning: Tuning
    direction: Direction
    number: int
    """Trial whose values are wanted."""
    record: Sequence[Trial]
    """All trials of lower numbers, in order; those of an earlier job have numbers below 0."""


class Sampler(Protocol):
    """Chooses values. It may remember what it was told before, which must not change its answers."""

    def propose(self, question: Question) -> Values:
        """Values for a trial."""


_MODULES = {
    "tpe": "modelyard_trainer.tuning.samplers.tpe",
    "random": "modelyard_trainer.tuning.samplers.random_search",
    "grid": "modelyard_trainer.tuning.samplers.grid",
    "cmaes": "modelyard_trainer.tuning.samplers.evolution",
    "gp": "modelyard_trainer.tuning.samplers.gaussian",
}
"""Imported when they are used: half of them bring a library of their own."""


def make_sampler(tuning: Tuning) -> Sampler:
    """The sampler that was asked for."""
    module = importlib.import_module(_MODULES[tuning.sampler.chosen])
    made: Callable[[], Sampler] = module.make
    return made()
