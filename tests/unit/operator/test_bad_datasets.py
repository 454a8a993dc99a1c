"""Datasets that the API server takes and the operator refuses: no Job, and a condition that says what is wrong."""

import pytest

from modelyard_api.conditions import find_condition
from modelyard_operator.decisions.attempts import Pauses, StepFacts
from modelyard_operator.decisions.dataset import decide_dataset
from modelyard_operator.decisions.dataset_facts import DatasetFacts
from modelyard_operator.objects.custom import DatasetObject
from tests.unit.operator.making import NOW, dataset


def from_(*pairs: tuple[str, str | None]) -> DatasetObject:
    """A Dataset with variants, each from another one."""
    return dataset(variants=[{"name": name} | ({"from": source} if source else {}) for name, source in pairs])


def at(schedule: str) -> DatasetObject:
    """A Dataset with a schedule."""
    return dataset(load={"schedule": schedule})


REFUSED: list[tuple[str, DatasetObject, str]] = [
    (
        "variants in a circle",
        from_(("a", "b"), ("b", "a")),
        "a starts from b, which is not an earlier variant",
    ),
    (
        "a variant before the one that it is from",
        from_(("b", "a"), ("a", None)),
        "b starts from a, which is not",
    ),
    ("an unknown variant to start from", from_(("a", "nothing")), "a starts from nothing, which is not"),
    ("a schedule in words", at("every day at noon"), "every day at noon"),
    ("a minute that no hour has", at("61 * * * *"), "61"),
    ("a schedule of six fields", at("0 0 12 * * *"), "0 0 12 * * *"),
    ("a day that no month has", at("0 0 31 2 *"), "0 0 31 2 *"),
    ("a step of nothing", at("*/0 * * * *"), "*/0"),
]


@pytest.mark.parametrize(("seen", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_no_job_is_made_and_the_condition_says_why(seen: DatasetObject, words: str) -> None:
    facts = DatasetFacts(
        step=StepFacts(now=NOW, pauses=Pauses(10, 300), jobs=(), pods=()), bucket="modelyard"
    )
    plan = decide_dataset(seen, facts)
    assert plan.start is None
    ready, stalled = (find_condition(plan.status.conditions, kind) for kind in ("Ready", "Stalled"))
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "InvalidSpec")
    assert words in ready.message
    assert stalled is not None
    assert (stalled.status, stalled.reason) == ("True", "InvalidSpec")
    assert plan.status.load is None
    assert plan.status.variants == []
