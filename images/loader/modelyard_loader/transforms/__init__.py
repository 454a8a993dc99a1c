"""Transforms: one module each, and the registry that a new one is added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard_api.v1alpha1.transform_rows import FillStrategy
from modelyard_api.v1alpha1.transform_tables import AggregatePart
from modelyard_api.v1alpha1.transforms import Transform
from modelyard_loader.transforms.aggregate import aggregate_rows
from modelyard_loader.transforms.balance import balance_classes
from modelyard_loader.transforms.bin import bin_column
from modelyard_loader.transforms.cast import cast_columns
from modelyard_loader.transforms.dedupe import dedupe_rows
from modelyard_loader.transforms.derive import derive_column
from modelyard_loader.transforms.drop_missing import drop_missing
from modelyard_loader.transforms.fill_missing import fill_missing
from modelyard_loader.transforms.filter import filter_rows
from modelyard_loader.transforms.join import join_variant
from modelyard_loader.transforms.relation import Made, Relation
from modelyard_loader.transforms.rename import rename_columns
from modelyard_loader.transforms.sample import sample_rows
from modelyard_loader.transforms.select_columns import select_columns
from modelyard_loader.transforms.sort import sort_rows
from modelyard_loader.transforms.sql import answer_query
from modelyard_loader.transforms.text import normalise_texts

_Judge = Callable[[Any], bool]


def _always(_transform: object) -> bool:
    return True


def _never(_transform: object) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """What is known of a kind of transform."""

    compile: Callable[[Any, Relation], Made]
    row_wise: _Judge = _never
    """Whether each row that comes out depends on one row that goes in alone."""
    fitted: _Judge = _never
    """Whether it looks at which rows are held out."""
    revision: int = 1
    """One more whenever the same declaration comes to give other values: what was built before is then not gone on with."""


KINDS: Mapping[str, Kind] = {
    "filter": Kind(filter_rows, row_wise=_always),
    "derive": Kind(derive_column, row_wise=_always),
    "bin": Kind(
        bin_column, row_wise=lambda bins: bins.edges is not None, fitted=lambda bins: bins.edges is None
    ),
    "drop_missing": Kind(drop_missing, row_wise=_always),
    "fill_missing": Kind(
        fill_missing,
        row_wise=lambda fill: fill.strategy is FillStrategy.CONSTANT,
        fitted=lambda fill: fill.strategy is not FillStrategy.CONSTANT,
    ),
    "select": Kind(select_columns, row_wise=_always),
    "rename": Kind(rename_columns, row_wise=_always),
    "cast": Kind(cast_columns, row_wise=_always),
    "dedupe": Kind(dedupe_rows),
    "sort": Kind(sort_rows),
    "sample": Kind(sample_rows, row_wise=_always),
    "balance": Kind(balance_classes, fitted=_always),
    "join": Kind(join_variant),
    "aggregate": Kind(aggregate_rows, fitted=lambda group: group.part is AggregatePart.TRAINING),
    "text": Kind(normalise_texts, row_wise=_always),
    "sql": Kind(answer_query),
}


def compiled(transform: Transform, relation: Relation) -> Made:
    """What a transform makes of a relation."""
    name = transform.chosen
    return KINDS[name].compile(getattr(transform, name), relation)


def is_row_wise(transform: Transform) -> bool:
    """Whether each row that comes out depends on one row that goes in alone."""
    return KINDS[transform.chosen].row_wise(getattr(transform, transform.chosen))


def is_fitted(transform: Transform) -> bool:
    """Whether a transform looks at which rows are held out."""
    return KINDS[transform.chosen].fitted(getattr(transform, transform.chosen))


def revision_of(transform: Transform) -> int:
    """Part of a recipe's identity, besides the declaration."""
    return KINDS[transform.chosen].revision
