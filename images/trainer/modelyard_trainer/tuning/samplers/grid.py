"""Every combination once: the number of a trial is the number of its combination."""

from __future__ import annotations

from modelyard_api.v1alpha1.tuning import point, points
from modelyard_trainer.tuning.samplers import Question
from modelyard_trainer.tuning.trial import Values


class EveryCombination:
    """Its state is the number of the trial."""

    def propose(self, question: Question) -> Values:
        """The last parameter changes fastest."""
        values: Values = {}
        rest = question.number
        for dimension in reversed(question.tuning.space):
            count = points(dimension)
            if count is None:
                raise ValueError(f"{dimension.parameter} has no end of values")
            rest, position = divmod(rest, count)
            values[dimension.parameter] = point(dimension, position)
        return {dimension.parameter: values[dimension.parameter] for dimension in question.tuning.space}


def make() -> EveryCombination:
    """The sampler."""
    return EveryCombination()
