"""dropMissing: keep the rows that have a value in each of the columns; NaN is none."""

from __future__ import annotations

from modelyard_api.v1alpha1.transform_rows import DropMissing
from modelyard_loader.transforms.relation import Made, Relation, missing


def drop_missing(transform: DropMissing, relation: Relation) -> Made:
    """The rows that stay. The key has no nulls, so that it need not be asked."""
    columns = relation.find_all(transform.columns, "columns") or [
        column for column in relation.columns if column.name not in relation.key
    ]
    return relation.fewer_rows(*(missing(column).not_() for column in columns))
