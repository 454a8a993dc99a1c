"""cast: another type for columns. A value that the new type cannot hold as it is ends the build or becomes null."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_rows import Cast, OnMisfit
from modelyard_loader.transforms.guards import refusal
from modelyard_loader.transforms.relation import SQL_TYPES, Made, Relation, call, column_ref

_WHOLE = r"\s*[+-]?[0-9]+(\.0*)?\s*"
_TRUTH = r"\s*(?i:true|false|t|f|yes|no|y|n|1|0)\s*"


def cast_columns(transform: Cast, relation: Relation) -> Made:
    """All rows, with columns of the new type."""
    columns = relation.find_values(transform.columns, "columns")
    values = {
        column.name: _turned(column, transform, relation)
        for column in columns
        if column.type is not transform.to
    }
    return relation.with_values(values, transform.to)


def _turned(column: Column, transform: Cast, relation: Relation) -> exp.Expr:
    value = column_ref(column.name)
    kind = SQL_TYPES[transform.to]
    turned = exp.TryCast(this=value, to=exp.DataType.build(kind))
    fits = exp.and_(_fits(column, transform.to), turned.copy().is_(exp.null()).not_())
    result = exp.Case().when(value.copy().is_(exp.null()), exp.cast(exp.null(), kind)).when(fits, turned)
    if transform.on_misfit is OnMisfit.NULL:
        return result
    misfit = refusal(
        f"a value of column {column.name} does not fit type {transform.to}",
        field=relation.path,
        value=value.copy(),
        remedy="filter such rows out before, or set onMisfit: Null",
    )
    return result.else_(exp.cast(misfit, kind))


def _fits(column: Column, to: ColumnType) -> exp.Expr:
    """Whether nothing is lost, as far as the engine's own cast is more lenient than that."""
    value = column_ref(column.name)
    match column.type, to:
        case ColumnType.TEXT, ColumnType.INTEGER:
            return call("regexp_full_match", value, exp.Literal.string(_WHOLE))
        case ColumnType.TEXT, ColumnType.BOOLEAN:
            return call("regexp_full_match", value, exp.Literal.string(_TRUTH))
        case ColumnType.TEXT, ColumnType.NUMBER:
            number = exp.TryCast(this=value, to=exp.DataType.build(exp.DType.DOUBLE))
            return call("isfinite", number)
        case ColumnType.NUMBER, ColumnType.INTEGER:
            return exp.EQ(this=value, expression=exp.Trunc(this=value.copy()))
        case ((ColumnType.NUMBER | ColumnType.INTEGER), ColumnType.BOOLEAN):
            return exp.In(this=value, expressions=[exp.Literal.number(0), exp.Literal.number(1)])
        case _:
            return exp.true()
