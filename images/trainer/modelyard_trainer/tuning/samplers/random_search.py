"""Values at random."""

from __future__ import annotations

import numpy as np

from modelyard_api.v1alpha1.tuning import RandomSearch
from modelyard_trainer.tuning.samplers import Question
from modelyard_trainer.tuning.space import draw
from modelyard_trainer.tuning.trial import Values, seed_of


class RandomValues:
    """Independent of every other trial."""

    def propose(self, question: Question) -> Values:
        """Independent of every other trial."""
        asked = question.tuning.sampler.random or RandomSearch()
        return draw(question.tuning.space, np.random.default_rng(seed_of(asked.seed, question.number)))


def make() -> RandomValues:
    """The sampler."""
    return RandomValues()
