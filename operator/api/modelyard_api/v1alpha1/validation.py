"""Rules about the data, named as in the Open Data Contract Standard 3.1 (quality of type ``library`` and ``sql``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import chain
from math import isfinite
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from modelyard_api.base import ApiModel, rules
from modelyard_api.v1alpha1.common import ColumnName, DecimalString
from modelyard_api.v1alpha1.comparisons import Comparison, Domain, Sign, can_hold, exact


class RuleName(StrEnum):
    """What is counted."""

    NULL_VALUES = "nullValues"
    """Rows whose value is null."""
    MISSING_VALUES = "missingValues"
    """Rows whose value is null, NaN, an empty text or one of ``missingValues``."""
    INVALID_VALUES = "invalidValues"
    """Rows whose value is there, and is not among ``validValues`` or does not match ``pattern``."""
    DUPLICATE_VALUES = "duplicateValues"
    """Rows beyond the first of those that have the same values; a row that misses one of them is like no other."""
    ROW_COUNT = "rowCount"
    """All rows."""
    RANGE = "range"
    """Rows whose value is there, and is below ``min`` or above ``max``. Not a name of the standard."""
    SQL = "sql"
    """The one number that ``query`` answers, over the table ``rows``."""


class Severity(StrEnum):
    """What a broken rule does."""

    ERROR = "Error"
    """The version is not published; the last good one stays."""
    WARNING = "Warning"
    """It is reported."""


class Unit(StrEnum):
    """What a count is compared as."""

    ROWS = "rows"
    PERCENT = "percent"


_SIGNS: dict[str, Sign] = {
    "mustBe": Sign.EQUAL,
    "mustNotBe": Sign.UNEQUAL,
    "mustBeGreaterThan": Sign.GREATER,
    "mustBeGreaterOrEqualTo": Sign.GREATER_OR_EQUAL,
    "mustBeLessThan": Sign.LESS,
    "mustBeLessOrEqualTo": Sign.LESS_OR_EQUAL,
    "mustBeBetween": Sign.BETWEEN,
    "mustNotBeBetween": Sign.NOT_BETWEEN,
}
"""Fields of a rule that compare."""


@dataclass(frozen=True)
class _Fields:
    """Fields of a rule by their names on the wire: of each group one must be set, the optional ones may be."""

    groups: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> frozenset[str]:
        return frozenset(chain(*self.groups, self.optional))


_FIELDS: dict[RuleName, _Fields] = {
    RuleName.NULL_VALUES: _Fields((("column",),)),
    RuleName.MISSING_VALUES: _Fields((("column",),), ("missingValues",)),
    RuleName.INVALID_VALUES: _Fields((("column",), ("validValues", "pattern"))),
    RuleName.DUPLICATE_VALUES: _Fields((("column", "columns"),)),
    RuleName.ROW_COUNT: _Fields(),
    RuleName.RANGE: _Fields((("column",), ("min", "max"))),
    RuleName.SQL: _Fields((("query",),)),
}
_NOT_SHARES = (RuleName.ROW_COUNT, RuleName.SQL)
_PAIRS = ("mustBeBetween", "mustNotBeBetween")


def _cel() -> Iterator[tuple[str, str]]:
    """What the API server can say about the fields of one rule, from the same table as the model below."""
    for rule, fields in _FIELDS.items():
        for group in fields.groups:
            given = " || ".join(f"has(self.{name})" for name in group)
            yield f"self.rule != '{rule}' || {given}", f"{' or '.join(group)} must be set for {rule}"
    for name in sorted(frozenset().union(*(fields.all for fields in _FIELDS.values()))):
        owners = [rule for rule, fields in _FIELDS.items() if name in fields.all]
        fits = " || ".join(f"self.rule == '{rule}'" for rule in owners)
        yield f"!has(self.{name}) || {fits}", f"{name} is for {' and '.join(owners)} only"
    yield "!has(self.column) || !has(self.columns)", "only one of column and columns may be set"
    shares = " && ".join(f"self.rule != '{rule}'" for rule in _NOT_SHARES)
    yield (
        f"!has(self.unit) || self.unit == 'rows' || ({shares})",
        f"unit percent is not for {' and '.join(_NOT_SHARES)}",
    )
    yield (
        "!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)",
        "min must be at most max",
    )
    for name in _PAIRS:
        yield (
            f"!has(self.{name}) || double(self.{name}[0]) <= double(self.{name}[1])",
            f"the first number of {name} must be at most the second",
        )


class Rule(ApiModel):
    """A statement about the data. Without a comparison the count must be 0, and ``rowCount`` more than 0."""

    model_config = ConfigDict(json_schema_extra=rules(*_cel()))

    rule: RuleName
    """What is counted."""
    name: Annotated[str, Field(max_length=63)] | None = None
    """Name in reports; made of the rule and its columns if unset."""
    variant: Annotated[str, Field(max_length=30)] | None = None
    """Variant that the rule is about; the first if unset."""
    column: ColumnName | None = None
    """Column that is looked at."""
    columns: Annotated[list[ColumnName], Field(min_length=1, max_length=16)] | None = None
    """Columns that are looked at together, for ``duplicateValues``."""
    must_be: DecimalString | None = None
    """The count is this number."""
    must_not_be: DecimalString | None = None
    """The count is not this number."""
    must_be_greater_than: DecimalString | None = None
    """The count is greater."""
    must_be_greater_or_equal_to: DecimalString | None = None
    """The count is greater or equal."""
    must_be_less_than: DecimalString | None = None
    """The count is less."""
    must_be_less_or_equal_to: DecimalString | None = None
    """The count is less or equal."""
    must_be_between: Annotated[list[DecimalString], Field(min_length=2, max_length=2)] | None = None
    """The count is between these two, both included."""
    must_not_be_between: Annotated[list[DecimalString], Field(min_length=2, max_length=2)] | None = None
    """The count is less than the first of these two or more than the second."""
    unit: Unit = Unit.ROWS
    """Whether rows or their share in percent are compared."""
    min: DecimalString | None = None
    """Least value for ``range``."""
    max: DecimalString | None = None
    """Greatest value for ``range``."""
    valid_values: (
        Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1, max_length=1000)] | None
    ) = None
    """Values that ``invalidValues`` allows."""
    pattern: Annotated[str, Field(max_length=512)] | None = None
    """Regular expression (RE2) that whole values must match, for ``invalidValues``."""
    missing_values: (
        Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1, max_length=100)] | None
    ) = None
    """Values that ``missingValues`` counts too."""
    query: Annotated[str, Field(max_length=4096)] | None = None
    """SELECT of one number over the table ``rows``, for ``sql``."""
    severity: Severity = Severity.ERROR
    """What a broken rule does."""

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Columns that the rule names."""
        return (self.column,) if self.column else tuple(self.columns or ())

    @property
    def label(self) -> str:
        """Name in reports."""
        return self.name or (f"{self.rule}({', '.join(self.looked_at)})" if self.looked_at else self.rule)

    @property
    def domain(self) -> Domain:
        """Which numbers can be counted."""
        if self.rule is RuleName.SQL:
            return Domain.NUMBER
        return Domain.PERCENT if self.unit is Unit.PERCENT else Domain.COUNT

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """What is asked of the count, the default included."""
        asked = self.given
        if not asked:
            sign = Sign.GREATER if self.rule is RuleName.ROW_COUNT else Sign.EQUAL
            return (Comparison(sign, (Decimal(0),)),)
        return tuple(Comparison(_SIGNS[name], values) for name, values in asked.items())

    @property
    def given(self) -> dict[str, tuple[Decimal, ...]]:
        """Numbers of the comparisons that are set, by their names on the wire."""
        wire = self.to_wire()
        texts = {name: wire[name] for name in _SIGNS if name in wire}
        return {
            name: tuple(map(exact, text if isinstance(text, list) else [text]))
            for name, text in texts.items()
        }

    @model_validator(mode="after")
    def _fields_fit(self) -> Rule:
        given = self.to_wire().keys()
        fields = _FIELDS[self.rule]
        for group in fields.groups:
            if given.isdisjoint(group):
                raise ValueError(f"{' or '.join(group)} must be set for {self.rule}")
        others = frozenset().union(*(each.all for each in _FIELDS.values())) - fields.all
        if others & given:
            raise ValueError(f"{min(others & given)} is not for {self.rule}")
        if self.column is not None and self.columns is not None:
            raise ValueError("only one of column and columns may be set")
        if self.unit is Unit.PERCENT and self.rule in _NOT_SHARES:
            raise ValueError(f"unit percent is not for {' and '.join(_NOT_SHARES)}")
        ends = [float(end) for end in (self.min, self.max) if end is not None]
        if not all(map(isfinite, ends)) or ends != sorted(ends):
            raise ValueError(f"min {self.min} must be at most max {self.max}, and both finite")
        return self

    @model_validator(mode="after")
    def _comparisons_fit(self) -> Rule:
        for field, values in self.given.items():
            if values[0] > values[-1]:
                raise ValueError(f"the first number of {field} must be at most the second")
        if not can_hold(self.comparisons, self.domain):
            raise ValueError(f"no {self.domain} is {' and '.join(map(str, self.comparisons))}")
        return self
