"""Trials that ended are read once, those that run again and again."""

from modelyard_trainer.tuning.history import History
from modelyard_trainer.tuning.trial import State, Trial


def trial(number: int, state: State = State.COMPLETED) -> Trial:
    return Trial(number, state, {"a": number}, float(number))


def test_everything_is_read_until_something_has_ended() -> None:
    history = History()
    assert history.grown_by([trial(0, State.RUNNING)]) == [trial(0, State.RUNNING)]
    assert history.after < -1000, "trials of earlier jobs have numbers below 0"


def test_trials_after_the_first_that_runs_are_read_again() -> None:
    history = History()
    first = [trial(-1), trial(0), trial(1, State.RUNNING), trial(2, State.FAILED)]
    assert history.grown_by(first) == first
    assert history.after == 0
    second = [trial(1, State.PRUNED), trial(2, State.FAILED), trial(3, State.RUNNING)]
    assert history.grown_by(second) == [trial(-1), trial(0), *second]
    assert history.after == 2
    assert history.grown_by([]) == [trial(-1), trial(0), *second[:2]]
