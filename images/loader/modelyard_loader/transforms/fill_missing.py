"""fillMissing: a value for the rows that miss one, given or learned from the training part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_rows import FillMissing, FillStrategy
from modelyard_loader.transforms.guards import refusal
from modelyard_loader.transforms.learned import Learned, means, medians, most_frequent
from modelyard_loader.transforms.notes import noted
from modelyard_loader.transforms.relation import (
    NUMERIC,
    SQL_TYPES,
    Made,
    Note,
    Part,
    Relation,
    column_ref,
    missing,
    named,
    scalar,
)
from modelyard_runtime.errors import InvalidSpecError

_LEARNERS: Mapping[FillStrategy, Callable[[Relation, Sequence[Column]], Learned]] = {
    FillStrategy.MEAN: means,
    FillStrategy.MEDIAN: medians,
    FillStrategy.MOST_FREQUENT: most_frequent,
}
_LEAST, _GREATEST = -(2**63), 2**63 - 1


def fill_missing(transform: FillMissing, relation: Relation) -> Made:
    """All rows, with values where there were none."""
    columns = relation.find_values(transform.columns, "columns")
    if transform.strategy is FillStrategy.CONSTANT:
        value = transform.value or ""
        return relation.with_values(
            {column.name: _filled(column, _constant(value, column, relation)) for column in columns}
        )
    relation.check_marked(f"the strategy {transform.strategy}")
    if transform.strategy is not FillStrategy.MOST_FREQUENT:
        for column in columns:
            relation.check_type(column, NUMERIC, "columns", "use strategy MostFrequent or Constant")
    learned = _LEARNERS[transform.strategy](relation, columns)
    notes = tuple(Note(relation.path, column.name) for column in columns)
    # A cast to a whole number rounds to the nearest.
    found = (
        noted(note, [learned.values[column.name]], column.type)
        for note, column in zip(notes, columns, strict=True)
    )
    told = [named(value, column.name) for (value,), column in zip(found, columns, strict=True)]
    fills = Part(relation.helper("fills"), exp.select(*told), kept=True)
    values = {
        column.name: _filled(column, _known(scalar(fills.name, column.name), column, relation))
        for column in columns
    }
    made = relation.with_values(values, helpers=(*learned.helpers, fills))
    return replace(made, notes=notes)


def _filled(column: Column, value: exp.Expr) -> exp.Case:
    return exp.Case().when(missing(column), value).else_(column_ref(column.name))


def _known(value: exp.Expr, column: Column, relation: Relation) -> exp.Expr:
    nothing = refusal(
        f"no row of the training part has a value in column {column.name}",
        field=relation.path,
        remedy="use strategy Constant",
    )
    return exp.Coalesce(this=value, expressions=[exp.cast(nothing, SQL_TYPES[column.type])])


def _constant(value: str, column: Column, relation: Relation) -> exp.Cast:
    if not _fits(value, column.type):
        raise InvalidSpecError(
            f"does not fit column {column.name} of type {column.type}",
            field=f"{relation.path}.value",
            value=value,
            remedy="fill columns of another type in a step of their own",
        )
    return exp.cast(exp.Literal.string(value), SQL_TYPES[column.type])


def _fits(value: str, kind: ColumnType) -> bool:
    if kind is ColumnType.TEXT:
        return True
    if kind is ColumnType.BOOLEAN:
        return value in ("true", "false")
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    if kind is ColumnType.NUMBER:
        return number.is_finite() and abs(float(number)) != float("inf")
    return value.lstrip("-").isdecimal() and _LEAST <= number <= _GREATEST
