"""rename: other names for columns, all at once, so that two can change places."""

from __future__ import annotations

from modelyard_api.v1alpha1.transform_rows import Rename
from modelyard_loader.transforms.relation import Made, Relation, check_new, column_ref, named


def rename_columns(transform: Rename, relation: Relation) -> Made:
    """All rows under the new names."""
    relation.find_values([each.from_ for each in transform.columns], "columns")
    new = {each.from_: each.to for each in transform.columns}
    taken = [name for name in relation.names if name not in new]
    for name in new.values():
        check_new(name, taken, f"{relation.path}.columns")
        taken.append(name)
    selected = [named(column_ref(name), new.get(name, name)) for name in relation.names]
    columns = tuple(
        column.model_copy(update={"name": new.get(column.name, column.name)}) for column in relation.columns
    )
    return Made(relation.rows(*selected, *relation.carried), columns)
