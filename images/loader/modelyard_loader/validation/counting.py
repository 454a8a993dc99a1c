"""What a kind of rule is compiled to: an aggregate over the rows, and where possible an answer without reading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import pyarrow as pa
from sqlglot import exp

from modelyard_api.contract.manifest import Column, ColumnStatistics
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.suggestions import use_one_of
from modelyard_loader.transforms.relation import column_ref
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.errors import InvalidSpecError

_DIGITS = 20
"""Of the longest whole number that a column can hold."""


@dataclass(frozen=True)
class Facts:
    """What is known of a version without reading its rows. All of it is exact."""

    rows: int
    statistics: Mapping[str, ColumnStatistics]
    """By column; none for the key's, and none at all where nothing was measured."""


def unknown(facts: Facts) -> int | None:  # noqa: ARG001  of the kind of Count.known
    """The answer of a rule that only the rows can tell."""
    return None


@dataclass(frozen=True)
class Count:
    """How the number of a rule is found."""

    columns: tuple[str, ...] = ()
    """Columns that are read for it."""
    aggregate: exp.Expr | None = None
    """An aggregate over the rows."""
    remembers: bool = False
    """Whether the aggregate keeps values that it has seen, so that nothing else should take memory meanwhile."""
    query: exp.Select | None = None
    """A query of its own over the rows."""
    known: Callable[[Facts], int | None] = unknown
    """The number, where the facts hold it already."""


@dataclass(frozen=True)
class Place:
    """Where a rule stands in the spec, and the columns of the variant that it is about."""

    path: str
    variant: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(column.name for column in self.columns)

    def find(self, name: str | None, field: str) -> Column:
        """A column. Raises InvalidSpecError that names the ones that look like it."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise InvalidSpecError(
                f"is not a column of variant {self.variant}",
                field=f"{self.path}.{field}",
                value=name,
                remedy=use_one_of(name or "", self.names),
            )
        return found

    def refuse(self, field: str, value: object, problem: str, remedy: str) -> InvalidSpecError:
        """An error about one field of the rule."""
        return InvalidSpecError(problem, field=f"{self.path}.{field}", value=value, remedy=remedy)


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """How rows of these columns are held."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in columns])


def rows_where(condition: exp.Expr) -> exp.Expr:
    """Number of rows for which a condition is true."""
    return exp.cast(exp.CountIf(this=condition), "BIGINT")


def is_there(column: Column) -> exp.Expr:
    """Condition that a row has a value: neither null nor NaN."""
    given = exp.Not(this=is_null(column))
    if column.type is not ColumnType.NUMBER:
        return given
    return exp.and_(given, exp.Not(this=exp.IsNan(this=column_ref(column.name))))


def is_null(column: Column) -> exp.Expr:
    """Condition that a value is null."""
    return exp.Is(this=column_ref(column.name), expression=exp.null())


def all_of(conditions: Sequence[exp.Expr]) -> exp.Expr:
    """Condition that all of them are true."""
    return exp.and_(*conditions)


def literals(values: Sequence[str], column: Column, place: Place, field: str) -> list[exp.Expr]:
    """Values as the column holds them. Raises InvalidSpecError for one that it cannot hold."""
    return [_literal(value, column, place, field) for value in values]


def _literal(value: str, column: Column, place: Place, field: str) -> exp.Expr:
    try:
        if column.type is ColumnType.INTEGER:
            return whole(_whole(value))
        if column.type is ColumnType.NUMBER:
            return number(Decimal(value))
        if column.type is ColumnType.BOOLEAN:
            return exp.Boolean(this={"true": True, "false": False}[value.lower()])
    except (InvalidOperation, ValueError, KeyError) as error:
        raise place.refuse(
            field,
            value,
            f"is not a value that column {column.name} of type {column.type} can have",
            "write values of the column's type",
        ) from error
    return exp.Literal.string(value)


def _whole(value: str) -> int:
    parsed = Decimal(value)
    if parsed.adjusted() > _DIGITS or parsed != parsed.to_integral_value():
        raise ValueError(value)
    return int(parsed)


def number(value: Decimal) -> exp.Expr:
    """A float64 literal. Raises ValueError for a value that is none."""
    if not value.is_finite():
        raise ValueError(str(value))
    return exp.cast(exp.Literal.string(repr(float(value))), "DOUBLE")


def whole(value: int) -> exp.Expr:
    """An integer literal; one beyond 64 bits is as good as the next integer beyond."""
    fits = max(-(2**63) - 1, min(value, 2**63))
    return exp.cast(exp.Literal.string(str(fits)), "BIGINT" if fits == value else "HUGEINT")
