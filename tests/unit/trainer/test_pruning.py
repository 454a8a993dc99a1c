"""Which trials are ended after some folds."""

import pytest

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Hyperband, Median, Pruner
from modelyard_trainer.tuning.pruning import brackets_of, is_pruned
from modelyard_trainer.tuning.trial import State, Trial

FOLDS = 5
MEDIAN = Pruner(median=Median(startup_trials=3, warmup_folds=2))
HYPERBAND = Pruner(hyperband=Hyperband(reduction_factor=2))


def trial(number: int, *folds: float, state: State = State.COMPLETED) -> Trial:
    return Trial(number, state, {}, None, folds)


DONE = [trial(0, 1.0, 1.0, 9.0), trial(1, 2.0, 2.0, 2.0), trial(2, 3.0, 3.0, 3.0)]


@pytest.mark.parametrize(
    ("folds", "others", "direction", "ended"),
    [
        ((2.0, 2.1), DONE, Direction.MINIMIZE, True),
        ((1.9, 2.1), DONE, Direction.MINIMIZE, False),
        ((1.9, 1.9), DONE, Direction.MAXIMIZE, True),
        ((2.0, 2.1), DONE, Direction.MAXIMIZE, False),
        ((9.0,), DONE, Direction.MINIMIZE, False),
        ((9.0, 9.0), DONE[:2], Direction.MINIMIZE, False),
        ((9.0, 9.0, 9.0, 9.0, 9.0), DONE, Direction.MINIMIZE, False),
    ],
    ids=["worse", "as good", "worse upwards", "better upwards", "warming up", "too few", "all judged"],
)
def test_a_trial_worse_than_the_median_at_its_fold_is_ended(
    folds: tuple[float, ...], others: list[Trial], direction: Direction, *, ended: bool
) -> None:
    assert is_pruned(MEDIAN, trial(7, *folds, state=State.RUNNING), others, FOLDS, direction) is ended


def test_the_median_is_of_all_that_reached_the_fold_and_not_of_an_earlier_job() -> None:
    ended = trial(3, 8.0, 8.0, state=State.PRUNED)
    earlier = [trial(number, 0.0, 0.0) for number in (-1, -2, -3)]
    at = trial(7, 2.4, 2.4, state=State.RUNNING)
    assert is_pruned(MEDIAN, at, DONE, FOLDS, Direction.MINIMIZE)
    assert not is_pruned(MEDIAN, at, [*DONE, ended], FOLDS, Direction.MINIMIZE)
    assert is_pruned(MEDIAN, at, [*DONE, *earlier], FOLDS, Direction.MINIMIZE)
    assert not is_pruned(MEDIAN, at, earlier, FOLDS, Direction.MINIMIZE)


def test_brackets_begin_at_one_fold_and_at_the_factors_powers() -> None:
    assert [brackets_of(folds, 2) for folds in (2, 3, 4, 5, 9)] == [1, 2, 2, 3, 4]
    assert [brackets_of(folds, 3) for folds in (2, 4, 5, 10, 20)] == [1, 2, 2, 3, 3]


def test_a_bracket_lets_the_best_share_go_on_and_looks_at_its_own_folds_only() -> None:
    brackets = brackets_of(FOLDS, 2)
    rivals = [trial(number * brackets, float(number)) for number in range(3)]
    good, bad = trial(4 * brackets, 0.5), trial(4 * brackets, 1.5)
    assert not is_pruned(HYPERBAND, good, rivals, FOLDS, Direction.MINIMIZE)
    assert is_pruned(HYPERBAND, bad, rivals, FOLDS, Direction.MINIMIZE)
    other_bracket = trial(4 * brackets + 1, 1.5)
    assert not is_pruned(HYPERBAND, other_bracket, rivals, FOLDS, Direction.MINIMIZE)
    first = trial(0, 9.0)
    assert not is_pruned(HYPERBAND, first, [], FOLDS, Direction.MINIMIZE)
