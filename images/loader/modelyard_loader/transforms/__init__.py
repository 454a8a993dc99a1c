"""Transforms: one module each, and the registry that a new one is added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modelyard_api.v1alpha1.transforms import Transform
from modelyard_loader.transforms.bin import bin_column
from modelyard_loader.transforms.derive import derive_column
from modelyard_loader.transforms.drop_missing import drop_missing
from modelyard_loader.transforms.filter import filter_rows
from modelyard_loader.transforms.relation import Made, Relation
from modelyard_loader.transforms.select_columns import select_columns

COMPILERS: Mapping[str, Callable[[Any, Relation], Made]] = {
    "filter": filter_rows,
    "derive": derive_column,
    "bin": bin_column,
    "drop_missing": drop_missing,
    "select": select_columns,
}


def compiled(transform: Transform, relation: Relation) -> Made:
    """What a transform makes of a relation."""
    name = transform.chosen
    return COMPILERS[name](getattr(transform, name), relation)
