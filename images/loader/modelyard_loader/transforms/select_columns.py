"""select: keep these columns in this order; the key is always kept, and stands first."""

from __future__ import annotations

from modelyard_api.v1alpha1.transform_rows import Select
from modelyard_loader.transforms.relation import Made, Relation, column_ref


def select_columns(transform: Select, relation: Relation) -> Made:
    """All rows with the columns that stay."""
    relation.find_all(transform.columns, "columns")
    kept = [*relation.key, *(name for name in transform.columns if name not in relation.key)]
    select = relation.rows(*(column_ref(name) for name in kept), *relation.carried)
    return Made(select, tuple(relation.by_name[name] for name in kept))
