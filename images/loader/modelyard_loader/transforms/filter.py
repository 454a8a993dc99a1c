"""filter: keep the rows for which a condition is true; null is not true."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.transform_rows import Filter
from modelyard_loader.transforms.expressions import judged
from modelyard_loader.transforms.relation import Made, Relation
from modelyard_runtime.errors import InvalidSpecError


def filter_rows(transform: Filter, relation: Relation) -> Made:
    """The rows that stay."""
    condition = judged(transform.where, relation, "where")
    kind = relation.sql_type(condition)
    if kind != "BOOLEAN":
        raise InvalidSpecError(
            f"gives {kind}, not true or false",
            field=f"{relation.path}.where",
            value=transform.where,
            remedy="write a condition, for example a comparison",
        )
    return relation.fewer_rows(exp.paren(condition))
