"""Plans the variants of a step; a plan fails before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard_api.contract.manifest import Column, Recipe
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.transforms import Transform, Variant
from modelyard_loader.record.recipes import recipe_of
from modelyard_loader.transforms.chain import Chain
from modelyard_loader.transforms.engine import Engine
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.split import asked_column, check_split, needs_border


@dataclass(frozen=True)
class PlannedVariant:
    """A variant whose transforms were judged."""

    variant: Variant
    chain: Chain
    recipe: Recipe

    @property
    def untransformed(self) -> bool:
        """Whether its rows are the loaded ones."""
        return not self.chain.steps


def plan(
    variants: Sequence[Variant],
    columns: Sequence[Column],
    key: tuple[str, ...],
    engine: Engine,
    split: Split | None = None,
) -> list[PlannedVariant]:
    """Judges all variants against the loaded columns, the key's first.

    ``engine`` sees rows of these columns, or none. Raises InvalidSpecError with the path of what does not fit.
    """
    asked = split or Split()
    check_split(asked, columns)
    root = Chain(key, tuple(columns))
    planned: dict[str, PlannedVariant] = {}
    for variant in variants:
        parent = planned[variant.from_].chain if variant.from_ else root
        chains = {name: each.chain for name, each in planned.items()}
        chain = parent.extended(variant, engine, chains)
        _check_side(variant, chain, key, asked, columns)
        recipes = {name: each.recipe for name, each in planned.items()}
        recipe = recipe_of(variant, recipes, asked if chain.fitted else None)
        planned[variant.name] = PlannedVariant(variant, chain, recipe)
    return list(planned.values())


def _check_side(
    variant: Variant, chain: Chain, key: tuple[str, ...], split: Split, loaded: Sequence[Column]
) -> None:
    """Raises InvalidSpecError where a row of the variant could be on another side than the loaded row."""
    asked = asked_column(split)
    if asked is None:
        return
    option = "stratifyBy" if split.stratify_by else "groupBy" if split.group_by else "timeColumn"
    field = f"spec.split.{option}"
    if needs_border(split) and chain.origin != key:
        raise InvalidSpecError(
            f"variant {variant.name} has rows that are no loaded rows, so that no line is drawn for them",
            field=field,
            value=asked,
            remedy=f"leave {option} out: its rows are then split by hash of {', '.join(chain.origin)}",
        )
    before = next(column for column in loaded if column.name == asked)
    after = next((column for column in chain.columns if column.name == asked), None)
    changed = any(_rewrites(step.transform, asked) for step in chain.steps)
    if after is None or after.type is not before.type or changed:
        raise InvalidSpecError(
            f"variant {variant.name} does not keep the column as it was loaded",
            field=field,
            value=asked,
            remedy="keep it, and derive another column for what should be different",
        )


def _rewrites(transform: Transform, name: str) -> bool:
    """Whether a column may come out of a transform with other values than it went in with."""
    if transform.sql is not None:
        return True
    if transform.rename is not None:
        return any(each.to == name for each in transform.rename.columns)
    kinds = (transform.fill_missing, transform.cast, transform.text)
    return any(kind is not None and name in kind.columns for kind in kinds)
