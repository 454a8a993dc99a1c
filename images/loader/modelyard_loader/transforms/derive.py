"""derive: a new column computed from the others of its row. A result that is not a finite number is null."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_rows import Derive
from modelyard_loader.transforms.expressions import judged
from modelyard_loader.transforms.relation import SQL_TYPES, Made, Relation, finite
from modelyard_loader.transforms.sql_types import canonical_kind
from modelyard_runtime.errors import InvalidSpecError


def derive_column(transform: Derive, relation: Relation) -> Made:
    """All rows with the new column last."""
    relation.check_new(transform.column, "column")
    expression = judged(transform.as_, relation, "as")
    sql_type = relation.sql_type(expression)
    kind = canonical_kind(sql_type)
    if kind is None:
        raise InvalidSpecError(
            f"gives {sql_type}, which no column can hold",
            field=f"{relation.path}.as",
            value=transform.as_,
            remedy="cast it to bigint, double, boolean or varchar",
        )
    if kind is ColumnType.NUMBER:
        return relation.with_column(transform.column, kind, finite(expression))
    return relation.with_column(transform.column, kind, exp.cast(expression, SQL_TYPES[kind]))
