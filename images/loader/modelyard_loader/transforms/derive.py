"""derive: a new column computed from the others of its row. A result that is not a finite number is null."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transforms import Derive
from modelyard_loader.transforms.expressions import judged
from modelyard_loader.transforms.relation import Made, Relation
from modelyard_runtime.errors import InvalidSpecError

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_NUMBERS = frozenset({"HUGEINT", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL"})


def derive_column(transform: Derive, relation: Relation) -> Made:
    """All rows with the new column last."""
    relation.check_new(transform.column, "column")
    expression = judged(transform.as_, relation, "as")
    kind = relation.sql_type(expression).split("(", maxsplit=1)[0]
    if kind in _INTEGERS:
        return relation.with_column(
            transform.column, ColumnType.INTEGER, exp.cast(expression, exp.DType.BIGINT)
        )
    if kind in _NUMBERS:
        return relation.with_column(transform.column, ColumnType.NUMBER, _finite(expression))
    if kind == "BOOLEAN":
        return relation.with_column(transform.column, ColumnType.BOOLEAN, expression)
    if kind == "VARCHAR":
        return relation.with_column(transform.column, ColumnType.TEXT, expression)
    raise InvalidSpecError(
        f"gives {kind}, which no column can hold",
        field=f"{relation.path}.as",
        value=transform.as_,
        remedy="cast it to bigint, double, boolean or varchar",
    )


def _finite(expression: exp.Expression) -> exp.Case:
    number = exp.cast(expression, exp.DType.DOUBLE)
    finite = exp.Anonymous(this="isfinite", expressions=[number])
    return exp.Case().when(finite, number.copy())
