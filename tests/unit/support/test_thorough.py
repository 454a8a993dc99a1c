"""An ordinary run has the same even share of a sweep each time, a thorough run has all of it."""

from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.thorough import Sweep, evenly, pytest_collection_modifyitems, shared

CASES = [*"abcdefghij"]


@pytest.mark.parametrize(
    ("most", "kept"), [(2, "aj"), (4, "adgj"), (9, "abcdefghj"), (10, "abcdefghij"), (11, "abcdefghij")]
)
def test_a_share_is_spread_evenly_from_the_first_case_to_the_last(most: int, kept: str) -> None:
    assert evenly(CASES, most) == [*kept]
    assert Sweep(thorough=False).of(CASES, most) == [*kept]


def test_a_thorough_run_has_every_case() -> None:
    assert Sweep(thorough=True).of(CASES, 2) == CASES


def test_a_share_of_one_case_is_refused() -> None:
    with pytest.raises(ValueError, match="the first case and the last"):
        evenly(CASES, 1)


def test_cases_outside_of_the_share_are_marked_and_keep_their_values_ids_and_marks() -> None:
    cases = [("a", 1), ("b", 2), pytest.param("c", 3, id="third", marks=pytest.mark.timeout(9)), ("d", 4)]
    first, second, third, last = shared(cases, 2)
    assert (first, last) == (("a", 1), ("d", 4))
    assert (second.values, _names(second)) == (("b", 2), ["thorough"])
    assert (third.values, third.id, _names(third)) == (("c", 3), "third", ["timeout", "thorough"])


@pytest.mark.parametrize(("thorough", "left"), [(False, ["left"]), (True, [])])
def test_only_a_thorough_run_goes_through_marked_tests(
    request: pytest.FixtureRequest, *, thorough: bool, left: list[str]
) -> None:
    marked = pytest.Function.from_parent(request.node.parent, name="left", callobj=_names)
    marked.add_marker(pytest.mark.thorough)
    ordinary = pytest.Function.from_parent(request.node.parent, name="ordinary", callobj=_names)
    told: list[pytest.Item] = []

    def deselected(items: list[pytest.Item]) -> None:
        told.extend(items)

    config = SimpleNamespace(getoption=lambda _: thorough, hook=SimpleNamespace(pytest_deselected=deselected))
    items: list[pytest.Item] = [marked, ordinary]
    pytest_collection_modifyitems(cast("pytest.Config", config), items)
    assert [item.name for item in told] == left
    assert [item.name for item in items] == [name for name in ("left", "ordinary") if name not in left]


def _names(case: object) -> list[str]:
    return [mark.name for mark in case.marks]  # type: ignore[attr-defined]
