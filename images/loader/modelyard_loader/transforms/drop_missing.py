"""dropMissing: keep the rows that have a value in each of the columns."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.transforms import DropMissing
from modelyard_loader.transforms.relation import Made, Relation, column_ref


def drop_missing(transform: DropMissing, relation: Relation) -> Made:
    """The rows that stay. The key has no nulls, so that it need not be asked."""
    names = [relation.find(name, "columns").name for name in transform.columns] or [
        name for name in relation.names if name not in relation.key
    ]
    present = [column_ref(name).is_(exp.null()).not_() for name in names]
    return relation.fewer_rows(*present)
