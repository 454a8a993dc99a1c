"""The recipe: what was asked for, as an identity that is known before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard_api.contract.manifest import Recipe
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.transforms import Transform, Variant
from modelyard_loader.transforms import revision_of
from modelyard_loader.transforms.engine import ENGINE

_SCHEMA = 2


def recipe_of(variant: Variant, earlier: Mapping[str, Recipe], split: Split | None) -> Recipe:
    """Recipe of a variant: engine and its version, the parent's recipe and the transforms; names do not count.

    ``earlier`` are the recipes of the variants before it. ``split`` counts where something is learned from the training
    part, and is None elsewhere.
    """
    document = {
        "schema": _SCHEMA,
        "engine": ENGINE,
        "parent": earlier[variant.from_].digest if variant.from_ else None,
        "transforms": [_wire(transform, earlier) for transform in variant.transforms],
        "split": split.to_wire() if split else None,
    }
    digest = canonical_digest(document).removeprefix("sha256:")
    return Recipe(digest=digest, engine=ENGINE, parent=variant.from_)


def _wire(transform: Transform, earlier: Mapping[str, Recipe]) -> dict[str, Any]:
    """A transform, a variant that it joins being named by its recipe."""
    wire = transform.to_wire()
    if transform.join is not None:
        wire["join"]["variant"] = earlier[transform.join.variant].digest
    return {**wire, "revision": revision_of(transform)}
