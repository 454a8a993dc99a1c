"""What a rule asks of its number: comparisons, whether a number keeps them, and whether any number ever could.

Numbers are exact: a count, a share as a fraction, or what a query answered. ``1e-3`` percent of a million rows is 10 rows,
not nearly 10.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

_EXPONENT = 18
"""No count comes near 1e18 and no share is finer than 1e-18; numbers beyond are slips of the keyboard."""


class Sign(StrEnum):
    """How a number is compared, as it appears in reports."""

    EQUAL = "="
    UNEQUAL = "≠"
    GREATER = ">"
    GREATER_OR_EQUAL = "≥"
    LESS = "<"
    LESS_OR_EQUAL = "≤"
    BETWEEN = "between"
    NOT_BETWEEN = "not between"


class Domain(StrEnum):
    """Which numbers there can be at all."""

    COUNT = "count"
    """Whole numbers from 0."""
    PERCENT = "percent"
    """From 0 to 100."""
    NUMBER = "number"
    """Any."""


@dataclass(frozen=True)
class Comparison:
    """One sign and the number, or the two numbers, beside it."""

    sign: Sign
    values: tuple[Decimal, ...]

    def holds(self, observed: Fraction) -> bool:
        """Whether a number is as it is asked for; both ends of ``between`` belong to it."""
        first, last = self.values[0], self.values[-1]
        match self.sign:
            case Sign.EQUAL:
                return observed == first
            case Sign.UNEQUAL:
                return observed != first
            case Sign.GREATER:
                return observed > first
            case Sign.GREATER_OR_EQUAL:
                return observed >= first
            case Sign.LESS:
                return observed < first
            case Sign.LESS_OR_EQUAL:
                return observed <= first
            case Sign.BETWEEN:
                return first <= observed <= last
            case Sign.NOT_BETWEEN:
                return not first <= observed <= last

    def __str__(self) -> str:
        """As it appears in reports, for example ``≥ 5``."""
        return f"{self.sign} {' and '.join(f'{value:f}' for value in self.values)}"


def exact(text: str) -> Decimal:
    """A number that is compared exactly. Raises ValueError for one that is too great or too fine for that."""
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"{text} is not a number that can be compared") from error
    if number.adjusted() > _EXPONENT or int(number.as_tuple().exponent) < -2 * _EXPONENT:
        raise ValueError(f"{text} is not a number that can be compared")
    return number


def hold(comparisons: Sequence[Comparison], observed: Fraction) -> bool:
    """Whether a number keeps all of them."""
    return all(each.holds(observed) for each in comparisons)


def can_hold(comparisons: Sequence[Comparison], domain: Domain) -> bool:
    """Whether some number of the domain keeps all of them.

    A set cut out by comparisons begins and ends at their numbers. So where it is not empty it holds one of them, a
    point between two neighbours, one beside them, or an end of the domain.
    """
    marks = sorted({Fraction(value) for each in comparisons for value in each.values})
    return any(hold(comparisons, point) for point in _points(marks, domain) if _belongs(point, domain))


def _points(marks: Sequence[Fraction], domain: Domain) -> Iterator[Fraction]:
    yield from (Fraction(0), Fraction(100))
    for mark in marks:
        yield mark
        if domain is Domain.COUNT:
            yield from (Fraction(floor(mark)), Fraction(floor(mark) - 1))
            yield from (Fraction(ceil(mark)), Fraction(ceil(mark) + 1))
        else:
            yield from (mark - 1, mark + 1)
    known = sorted({Fraction(0), *marks, Fraction(100)})
    yield from ((low + high) / 2 for low, high in pairwise(known))


def _belongs(point: Fraction, domain: Domain) -> bool:
    if domain is Domain.COUNT:
        return point >= 0 and point.denominator == 1
    return domain is Domain.NUMBER or 0 <= point <= Fraction(100)
