"""bin: the number of the interval that a value falls into, closed on the right as in pandas.cut."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from sqlglot import exp

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transforms import Bin
from modelyard_loader.transforms.relation import Made, Relation, column_ref
from modelyard_runtime.errors import InvalidSpecError

_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)


def bin_column(transform: Bin, relation: Relation) -> Made:
    """All rows with the number of the interval last; a value outside all intervals, or a null, gives null."""
    column = relation.find(transform.column, "column")
    if column.type not in _NUMERIC:
        raise InvalidSpecError(
            f"is a column of type {column.type}",
            field=f"{relation.path}.column",
            value=transform.column,
            remedy="bin a numeric column",
        )
    relation.check_new(transform.into, "into")
    _check_ascending(transform, relation.path)
    cases = exp.Case()
    value = column_ref(column.name)
    for number, (low, high) in enumerate(pairwise(transform.edges)):
        inside = exp.and_(exp.GT(this=value.copy(), expression=_edge(low)), _at_most(value, high))
        cases = cases.when(inside, _number(number))
    if transform.open_ended:
        above = exp.GT(this=value.copy(), expression=_edge(transform.edges[-1]))
        cases = cases.when(above, _number(len(transform.edges) - 1))
    return relation.with_column(transform.into, ColumnType.INTEGER, cases)


def _check_ascending(transform: Bin, path: str) -> None:
    for low, high in pairwise(transform.edges):
        if Decimal(low) >= Decimal(high):
            raise InvalidSpecError(
                f"{high} is not greater than {low} before it",
                field=f"{path}.edges",
                value=", ".join(transform.edges),
                remedy="list the edges in ascending order",
            )


def _at_most(value: exp.Column, edge: str) -> exp.LTE:
    return exp.LTE(this=value.copy(), expression=_edge(edge))


def _edge(edge: str) -> exp.Cast:
    return exp.cast(exp.Literal.string(edge), exp.DType.DOUBLE)


def _number(number: int) -> exp.Cast:
    return exp.cast(exp.Literal.number(number), exp.DType.BIGINT)
