"""bin: the number of the interval that a value falls into, closed on the right as in pandas.cut."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_rows import Bin
from modelyard_loader.transforms.guards import refusal
from modelyard_loader.transforms.learned import borders
from modelyard_loader.transforms.notes import noted
from modelyard_loader.transforms.relation import (
    NUMERIC,
    Made,
    Note,
    Part,
    Relation,
    column_ref,
    missing,
    named,
    scalar,
    table_ref,
)
from modelyard_runtime.errors import InvalidSpecError


def bin_column(transform: Bin, relation: Relation) -> Made:
    """All rows with the number of the interval last; a value outside all intervals, or a missing one, gives null."""
    column = relation.find(transform.column, "column")
    relation.check_type(column, NUMERIC, "column", "bin a numeric column")
    relation.check_new(transform.into, "into")
    if transform.quantiles is not None:
        return _by_quantiles(column, transform.quantiles, transform, relation)
    edges = transform.edges or []
    _check_ascending(edges, relation.path)
    cases = exp.Case()
    value = column_ref(column.name)
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = exp.and_(exp.GT(this=value.copy(), expression=_edge(low)), _at_most(value, high))
        cases = cases.when(inside, _number(number))
    if transform.open_ended:
        above = exp.GT(this=value.copy(), expression=_edge(edges[-1]))
        cases = cases.when(exp.and_(missing(column).not_(), above), _number(len(edges) - 1))
    return relation.with_column(transform.into, ColumnType.INTEGER, cases)


def _by_quantiles(column: Column, intervals: int, transform: Bin, relation: Relation) -> Made:
    """Borders that fall together make one: the number is that of different borders below the value."""
    relation.check_marked("quantiles")
    helpers, ranked, names = borders(relation, column, intervals)
    note = Note(relation.path, column.name, len(names))
    told = noted(note, (column_ref(name) for name in names), column.type)
    found = relation.helper("edges")
    edges = exp.select(*map(named, told, names)).from_(table_ref(ranked))
    value = column_ref(column.name)
    number: exp.Expr = _number(0)
    for before, name in zip([None, *names], names, strict=False):
        above: exp.Expr = exp.GT(this=value.copy(), expression=scalar(found, name))
        if before is not None:
            above = exp.and_(above, exp.GT(this=scalar(found, name), expression=scalar(found, before)))
        number = exp.Add(this=number, expression=exp.cast(above, exp.DType.BIGINT))
    unlearned = refusal(
        f"no row of the training part has a value in column {column.name}",
        field=relation.path,
        remedy="give edges",
    )
    nothing = scalar(found, names[0]).is_(exp.null())
    cases = (
        exp.Case()
        .when(missing(column), exp.cast(exp.null(), exp.DType.BIGINT))
        .when(nothing, exp.cast(unlearned, exp.DType.BIGINT))
        .else_(number)
    )
    helpers = (*helpers, Part(found, edges, kept=True))
    made = relation.with_column(transform.into, ColumnType.INTEGER, cases, helpers)
    return replace(made, notes=(note,))


def _check_ascending(edges: list[str], path: str) -> None:
    for low, high in pairwise(edges):
        if Decimal(low) >= Decimal(high):
            raise InvalidSpecError(
                f"{high} is not greater than {low} before it",
                field=f"{path}.edges",
                value=", ".join(edges),
                remedy="list the edges in ascending order",
            )


def _at_most(value: exp.Column, edge: str) -> exp.LTE:
    return exp.LTE(this=value.copy(), expression=_edge(edge))


def _edge(edge: str) -> exp.Cast:
    return exp.cast(exp.Literal.string(edge), exp.DType.DOUBLE)


def _number(number: int) -> exp.Cast:
    return exp.cast(exp.Literal.number(number), exp.DType.BIGINT)
