"""Optuna's tree-structured Parzen estimator, on a study in memory that is made from the record."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from modelyard_api.v1alpha1.tuning import Tpe
from modelyard_trainer.tuning.mirror import distributions_of, empty_study, frozen, outer
from modelyard_trainer.tuning.samplers import Question
from modelyard_trainer.tuning.trial import State, Values, seed_of


class ParzenEstimator:
    """Keeps the study of the trials that ended: telling it all of them anew would take longer than to choose."""

    def __init__(self) -> None:
        self._study: optuna.Study | None = None
        self._told: set[int] = set()

    def propose(self, question: Question) -> Values:
        """What Optuna suggests after the trials of the record."""
        asked, space = question.tuning.sampler.tpe or Tpe(), question.tuning.space
        known = distributions_of(space)
        study = self._study = self._study or empty_study(question.direction)
        seed = seed_of(asked.seed, question.number)
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=asked.startup_trials)
        news = [trial for trial in question.record if trial.number not in self._told]
        ended = [trial for trial in news if trial.state is not State.RUNNING]
        study.add_trials(frozen(trial, space, known) for trial in ended)
        self._told.update(trial.number for trial in ended)
        first = len(study.get_trials(deepcopy=False))
        study.add_trials(frozen(trial, space, known) for trial in news if trial.state is State.RUNNING)
        chosen = study.ask(fixed_distributions=known)
        # Those that are at work count for this question only: once they end they are told with what they came to.
        for number in range(first, chosen.number + 1):
            study.tell(number, state=TrialState.FAIL)
        return {own.parameter: outer(own, chosen.params[own.parameter]) for own in space}


def make() -> ParzenEstimator:
    """The sampler."""
    return ParzenEstimator()
