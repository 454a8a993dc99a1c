"""Rules about the values of one column: nullValues, missingValues, invalidValues, range."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import ceil, floor

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.validation import Rule
from modelyard_loader.transforms.relation import column_ref
from modelyard_loader.validation.counting import (
    Count,
    Facts,
    Place,
    all_of,
    is_null,
    is_there,
    literals,
    number,
    rows_where,
    whole,
)
from modelyard_loader.validation.patterns import check_pattern, matches

_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)


def null_values(rule: Rule, place: Place) -> Count:
    """Rows whose value is null."""
    column = place.find(rule.column, "column")

    def known(facts: Facts) -> int | None:
        found = facts.statistics.get(column.name)
        # Statistics count nulls and NaNs together.
        return (
            found.missing if found and (column.type is not ColumnType.NUMBER or not found.missing) else None
        )

    return Count((column.name,), rows_where(is_null(column)), known=known)


def missing_values(rule: Rule, place: Place) -> Count:
    """Rows whose value is null, NaN, an empty text or one of a list."""
    column = place.find(rule.column, "column")
    listed = literals(rule.missing_values or [], column, place, "missingValues")
    if column.type is ColumnType.TEXT:
        listed.append(exp.Literal.string(""))
    condition: exp.Expr = exp.Not(this=exp.paren(is_there(column)))
    if listed:
        condition = exp.or_(condition, exp.In(this=column_ref(column.name), expressions=listed))

    def known(facts: Facts) -> int | None:
        found = facts.statistics.get(column.name)
        return None if found is None or listed else found.missing

    return Count((column.name,), rows_where(condition), known=known)


def invalid_values(rule: Rule, place: Place) -> Count:
    """Rows whose value is there but not among the valid ones, or does not match the pattern as a whole."""
    column = place.find(rule.column, "column")
    held = column_ref(column.name)
    wanted: list[exp.Expr] = []
    if rule.valid_values:
        listed = literals(rule.valid_values, column, place, "validValues")
        wanted.append(exp.In(this=held, expressions=listed))
    if rule.pattern:
        if column.type is not ColumnType.TEXT:
            raise place.refuse(
                "pattern",
                rule.pattern,
                f"column {column.name} is of type {column.type}, and only texts match patterns",
                "use range or validValues",
            )
        check_pattern(rule.pattern, place)
        wanted.append(matches(held, rule.pattern))
    condition = exp.and_(is_there(column), exp.Not(this=exp.paren(all_of(wanted))))
    return Count((column.name,), rows_where(condition))


def out_of_range(rule: Rule, place: Place) -> Count:
    """Rows whose value is there but below the least or above the greatest."""
    column = place.find(rule.column, "column")
    if column.type not in _NUMERIC:
        raise place.refuse(
            "column",
            column.name,
            f"is of type {column.type}, which has no range",
            "name a column of type Integer or Number, or use invalidValues",
        )
    low, high = _bound(rule.min, column, ceil), _bound(rule.max, column, floor)
    held = column_ref(column.name)
    outside: list[exp.Expr] = []
    if low is not None:
        outside.append(exp.LT(this=held, expression=_literal(low)))
    if high is not None:
        outside.append(exp.GT(this=held, expression=_literal(high)))
    condition = exp.and_(is_there(column), exp.paren(exp.or_(*outside)))
    return Count((column.name,), rows_where(condition), known=_inside(column, low, high))


def _bound(text: str | None, column: Column, to_whole: Callable[[Decimal], int]) -> float | None:
    """An end of the range; whole numbers are compared with whole ones, so that large ones stay exact."""
    if text is None:
        return None
    if column.type is ColumnType.NUMBER:
        return float(text)
    # No whole number of 64 bits is beyond these, and the ends of a range may be as long as a thousand digits.
    return to_whole(max(Decimal("-1e19"), min(Decimal(text), Decimal("1e19"))))


def _literal(end: float) -> exp.Expr:
    return whole(end) if isinstance(end, int) else number(Decimal(end))


def _inside(column: Column, low: float | None, high: float | None) -> Callable[[Facts], int | None]:
    """Says 0 where the least and the greatest value prove it."""

    def known(facts: Facts) -> int | None:
        found = facts.statistics.get(column.name)
        if found is None or found.infinite:
            return None
        least, greatest = found.minimum, found.maximum
        if least is None or greatest is None or isinstance(least, str) or isinstance(greatest, str):
            return None
        inside = (low is None or least >= low) and (high is None or greatest <= high)
        return 0 if inside else None

    return known
