"""select: keep these columns in this order; the key is always kept, and stands first."""

from __future__ import annotations

from collections import Counter

from sqlglot import exp

from modelyard_api.v1alpha1.transforms import Select
from modelyard_loader.transforms.relation import Made, Relation, column_ref, table_ref
from modelyard_runtime.errors import InvalidSpecError


def select_columns(transform: Select, relation: Relation) -> Made:
    """All rows with the columns that stay."""
    for name, count in Counter(transform.columns).items():
        relation.find(name, "columns")
        if count > 1:
            raise InvalidSpecError(
                "is listed more than once",
                field=f"{relation.path}.columns",
                value=name,
                remedy="list each column once",
            )
    kept = [*relation.key, *(name for name in transform.columns if name not in relation.key)]
    select = exp.select(*(column_ref(name) for name in kept)).from_(table_ref(relation.name))
    return Made(select, tuple(relation.by_name[name] for name in kept))
