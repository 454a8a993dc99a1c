"""Samplers choose by number and record alone, stay within the space, and those that learn find more than chance."""

from typing import Any

import pytest

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Dimension
from modelyard_trainer.tuning.samplers import Question, make_sampler
from modelyard_trainer.tuning.space import place_of, value_at
from modelyard_trainer.tuning.trial import State, Trial
from tests.support.tuning import SPACE, bowl, tuning

SAMPLERS = ("tpe", "random", "cmaes", "gp")


def search(
    sampler: str, trials: int, seed: int = 7, direction: Direction = Direction.MINIMIZE
) -> list[Trial]:
    """What one worker tries."""
    asked = tuning(trials=trials, sampler={sampler: {"seed": seed}})
    own, sign = make_sampler(asked), 1 if direction is Direction.MINIMIZE else -1
    record: list[Trial] = []
    for number in range(trials):
        values = own.propose(Question(asked, direction, number, record))
        worth = sign * bowl(values)
        record.append(Trial(number, State.COMPLETED, values, worth, (worth,)))
    return record


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sampler_that_begins_anew_in_the_middle_chooses_the_same(sampler: str) -> None:
    asked = tuning(trials=20, sampler={sampler: {"seed": 7}})
    whole = search(sampler, 20)
    for number in (0, 5, 12, 19):
        fresh = make_sampler(asked)
        question = Question(asked, Direction.MINIMIZE, number, whole[:number])
        assert fresh.propose(question) == whole[number].values
    assert [trial.values for trial in search(sampler, 3, seed=8)] != [trial.values for trial in whole[:3]]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_value_lies_in_the_space_and_the_ends_of_whole_numbers_are_reached(sampler: str) -> None:
    space = [Dimension.model_validate(own) for own in SPACE]
    record = search(sampler, 25)
    for trial in record:
        assert trial.values is not None
        assert list(trial.values) == [own.parameter for own in space]
        assert all(place_of(own, trial.values[own.parameter]) is not None for own in space)
        assert isinstance(trial.values["estimator.depth"], int)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_values_by_steps_are_exact_also_where_the_end_is_not_one_of_them(sampler: str) -> None:
    space = [
        {"parameter": "estimator.alpha", "number": {"low": "0.1", "high": "0.75", "step": "0.1"}},
        {"parameter": "estimator.depth", "integer": {"low": 1, "high": 9, "step": 3}},
    ]
    asked = tuning(trials=20, sampler={sampler: {"seed": 7}}, space=space)
    own = make_sampler(asked)
    record: list[Trial] = []
    for number in range(20):
        values = own.propose(Question(asked, Direction.MINIMIZE, number, record))
        assert values["estimator.alpha"] in {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
        assert values["estimator.depth"] in {1, 4, 7}
        record.append(Trial(number, State.COMPLETED, values, float(number % 5), (float(number % 5),)))


@pytest.mark.parametrize(
    ("sampler", "direction"),
    [
        ("tpe", Direction.MINIMIZE),
        ("tpe", Direction.MAXIMIZE),
        ("cmaes", Direction.MAXIMIZE),
        ("gp", Direction.MAXIMIZE),
    ],
)
def test_samplers_that_learn_find_more_than_chance_does(sampler: str, direction: Direction) -> None:
    def later(trials: list[Trial]) -> float:
        return sorted(abs(trial.value or 0.0) for trial in trials[20:])[10]

    assert later(search(sampler, 40, direction=direction)) < later(search("random", 40)) / 2


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "gp"])
def test_trials_at_work_that_failed_or_that_another_space_had_are_no_obstacle(sampler: str) -> None:
    asked = tuning(trials=40, sampler={sampler: {"seed": 7}})
    record = search(sampler, 20)
    strange = {"estimator.alpha": 99.0, "estimator.depth": 3, "estimator.kind": "z"}
    mixed = [
        Trial(-1, State.COMPLETED, strange, 1.0),
        *record,
        Trial(20, State.RUNNING),
        Trial(21, State.RUNNING, record[0].values, None, (1.0,)),
        Trial(22, State.PRUNED, record[1].values, 4.0, (4.0, 5.0)),
        Trial(23, State.FAILED, record[2].values),
    ]
    own = make_sampler(asked)
    first = own.propose(Question(asked, Direction.MINIMIZE, 24, mixed))
    assert own.propose(Question(asked, Direction.MINIMIZE, 24, mixed)) == first


@pytest.mark.parametrize(
    ("document", "values"),
    [
        ({"integer": {"low": 1, "high": 3}}, [1, 2, 3]),
        ({"integer": {"low": 1, "high": 8, "step": 3}}, [1, 4, 7]),
        ({"integer": {"low": 1, "high": 4, "log": True}}, [1, 2, 3, 4]),
        ({"number": {"low": "0.1", "high": "0.3", "step": "0.1"}}, [0.1, 0.2, 0.3]),
        ({"choice": {"values": ["sqrt", None, [1, 2], 0.5]}}, ["sqrt", None, [1, 2], 0.5]),
    ],
)
def test_places_reach_every_value_of_a_parameter_and_lead_back(document: Any, values: list[Any]) -> None:  # noqa: ANN401
    dimension = Dimension.model_validate({"parameter": "estimator.a", **document})
    found = [value_at(dimension, place / 1000) for place in range(1001)]
    assert [own for number, own in enumerate(found) if number == 0 or found[number - 1] != own] == values
    for value in values:
        place = place_of(dimension, value)
        assert place is not None
        assert value_at(dimension, place) == value
    assert place_of(dimension, "other") is None


def test_ratios_of_numbers_are_even_where_log_is_set() -> None:
    dimension = Dimension.model_validate(
        {"parameter": "estimator.a", "number": {"low": "0.01", "high": "100", "log": True}}
    )
    assert [value_at(dimension, place) for place in (0.0, 0.5, 1.0)] == pytest.approx([0.01, 1.0, 100.0])
    assert place_of(dimension, 10.0) == pytest.approx(0.75)
    assert place_of(dimension, 101.0) is None
