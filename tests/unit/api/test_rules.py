"""Rules about the data: which are refused, and which numbers keep them."""

from decimal import Decimal
from fractions import Fraction

import pytest
from pydantic import ValidationError

from modelyard_api.v1alpha1.comparisons import Comparison, Domain, Sign, can_hold, hold
from modelyard_api.v1alpha1.validation import Rule


def rule(**fields: object) -> Rule:
    """A rule as a user writes it."""
    return Rule.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rule": "nullValues"}, "column must be set for nullValues"),
        ({"rule": "range", "column": "a"}, "min or max must be set for range"),
        ({"rule": "range", "min": "1"}, "column must be set for range"),
        ({"rule": "range", "column": "a", "min": "3", "max": "2"}, "min 3 must be at most max 2"),
        ({"rule": "range", "column": "a", "min": "1e999"}, "both finite"),
        ({"rule": "invalidValues", "column": "a"}, "validValues or pattern must be set for invalidValues"),
        ({"rule": "duplicateValues"}, "column or columns must be set for duplicateValues"),
        (
            {"rule": "duplicateValues", "column": "a", "columns": ["b"]},
            "only one of column and columns may be set",
        ),
        ({"rule": "sql"}, "query must be set for sql"),
        ({"rule": "rowCount", "query": "SELECT 1"}, "query is not for rowCount"),
        ({"rule": "rowCount", "column": "a"}, "column is not for rowCount"),
        ({"rule": "nullValues", "column": "a", "pattern": "x"}, "pattern is not for nullValues"),
        ({"rule": "rowCount", "unit": "percent"}, "unit percent is not for rowCount and sql"),
        ({"rule": "rowCount", "mustBeBetween": ["5", "3"]}, "the first number of mustBeBetween"),
        ({"rule": "rowCount", "mustBe": "1e99"}, "1e99 is not a number that can be compared"),
        ({"rule": "rowCount", "mustBe": "1e-99999999"}, "is not a number that can be compared"),
        ({"rule": "rowCount", "mustBe": "1e9999999999999999999999"}, "is not a number that can be compared"),
        ({"rule": "rowCount", "mustBe": "2.5"}, "no count is = 2.5"),
        ({"rule": "rowCount", "mustBeLessThan": "0"}, "no count is < 0"),
        (
            {"rule": "rowCount", "mustBeGreaterThan": "10", "mustBeLessThan": "5"},
            "no count is > 10 and < 5",
        ),
        (
            {"rule": "rowCount", "mustBeGreaterThan": "5", "mustBeLessThan": "6"},
            "no count is > 5 and < 6",
        ),
        (
            {"rule": "nullValues", "column": "a", "unit": "percent", "mustBeGreaterThan": "100"},
            "no percent is > 100",
        ),
        (
            {"rule": "sql", "query": "SELECT 1", "mustBe": "3", "mustNotBeBetween": ["2", "4"]},
            "no number is = 3 and not between 2 and 4",
        ),
    ],
)
def test_a_rule_that_means_nothing_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        rule(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {
            "rule": "nullValues",
            "column": "a",
            "unit": "percent",
            "mustBeGreaterThan": "5",
            "mustBeLessThan": "6",
        },
        {"rule": "nullValues", "column": "a", "mustBeGreaterThan": "5", "mustNotBe": "6"},
        {"rule": "nullValues", "column": "a", "mustBeGreaterThan": "5", "mustNotBeBetween": ["6", "10"]},
        {"rule": "sql", "query": "SELECT 1", "mustBeLessThan": "-5"},
        {"rule": "range", "column": "a", "min": "2", "max": "2"},
        {"rule": "duplicateValues", "columns": ["a", "b"], "unit": "percent", "mustBeLessThan": "0.5"},
    ],
)
def test_a_rule_that_some_number_keeps_is_taken(fields: dict[str, object]) -> None:
    assert rule(**fields).comparisons


def test_without_a_comparison_a_count_is_zero_and_a_row_count_is_more() -> None:
    assert [str(each) for each in rule(rule="nullValues", column="a").comparisons] == ["= 0"]
    assert [str(each) for each in rule(rule="rowCount").comparisons] == ["> 0"]


def test_a_rule_without_a_name_is_called_after_what_it_looks_at() -> None:
    assert rule(rule="rowCount").label == "rowCount"
    assert rule(rule="duplicateValues", columns=["a", "b"]).label == "duplicateValues(a, b)"
    assert rule(rule="rowCount", name="enough").label == "enough"


@pytest.mark.parametrize(
    ("sign", "values", "kept", "broken"),
    [
        (Sign.EQUAL, ["2"], ["2", "2.0"], ["1.9999999999"]),
        (Sign.UNEQUAL, ["2"], ["3"], ["2"]),
        (Sign.GREATER, ["2"], ["2.0000000001"], ["2"]),
        (Sign.GREATER_OR_EQUAL, ["2"], ["2"], ["1"]),
        (Sign.LESS, ["2"], ["1"], ["2"]),
        (Sign.LESS_OR_EQUAL, ["2"], ["2"], ["3"]),
        (Sign.BETWEEN, ["2", "4"], ["2", "3", "4"], ["1", "5"]),
        (Sign.NOT_BETWEEN, ["2", "4"], ["1", "5"], ["2", "3", "4"]),
    ],
)
def test_numbers_are_compared_exactly(
    sign: Sign, values: list[str], kept: list[str], broken: list[str]
) -> None:
    asked = [Comparison(sign, tuple(map(Decimal, values)))]
    assert all(hold(asked, Fraction(number)) for number in kept)
    assert not any(hold(asked, Fraction(number)) for number in broken)


def test_whether_a_count_can_hold_is_what_trying_all_of_them_says() -> None:
    numbers = [Decimal(value) for value in ("0", "1", "2.5", "3")]
    single = [Comparison(sign, (number,)) for sign in list(Sign)[:6] for number in numbers]
    double = [Comparison(sign, (numbers[1], numbers[3])) for sign in list(Sign)[6:]]
    for first in [*single, *double]:
        for second in [*single, *double]:
            tried = any(hold([first, second], Fraction(count)) for count in range(10))
            assert can_hold([first, second], Domain.COUNT) is tried, f"{first} and {second}"
