"""The recipe: what was asked for, as an identity that is known before anything is built."""

from __future__ import annotations

from modelyard_api.contract.manifest import Recipe
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.transforms.engine import ENGINE

_SCHEMA = 1


def recipe_of(variant: Variant, parent: Recipe | None) -> Recipe:
    """Recipe of a variant: engine and its version, the parent's recipe and the transforms; names do not count."""
    document = {
        "schema": _SCHEMA,
        "engine": ENGINE,
        "parent": parent.digest if parent else None,
        "transforms": [transform.to_wire() for transform in variant.transforms],
    }
    digest = canonical_digest(document).removeprefix("sha256:")
    return Recipe(digest=digest, engine=ENGINE, parent=variant.from_)
