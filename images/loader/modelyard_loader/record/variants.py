"""Plans the variants of a step and publishes them; a plan fails before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from modelyard_api.contract.manifest import Column, Manifest, Part, Recipe
from modelyard_api.contract.outcome import VariantOutcome
from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.record.files import write_variant
from modelyard_loader.record.recipes import recipe_of
from modelyard_loader.transforms.chain import Chain
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_runtime.columns import canonical_columns, to_canonical
from modelyard_runtime.digest import content_digest, in_key_order
from modelyard_runtime.manifests import write_manifest
from modelyard_runtime.s3 import ObjectStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedVariant:
    """A variant whose transforms were judged."""

    variant: Variant
    chain: Chain
    recipe: Recipe


@dataclass(frozen=True)
class Content:
    """Values of a variant and the files that hold them."""

    parts: tuple[Part, ...]
    columns: tuple[Column, ...]
    rows: int
    digest: str


@dataclass(frozen=True)
class Loaded:
    """What all variants start from."""

    rows: pa.Table
    """In key order, the key's columns first."""
    part: Part
    entry: LedgerEntry


def plan(
    variants: Sequence[Variant], rows: pa.Table, key: tuple[str, ...], engine: Engine
) -> list[PlannedVariant]:
    """Judges all variants against the columns. Raises InvalidSpecError with the path of what does not fit."""
    root = Chain(key, tuple(canonical_columns(rows.schema)))
    planned: dict[str, PlannedVariant] = {}
    for variant in variants:
        parent = planned[variant.from_] if variant.from_ else None
        planned[variant.name] = PlannedVariant(
            variant,
            (parent.chain if parent else root).extended(variant, engine),
            recipe_of(variant, parent.recipe if parent else None),
        )
    return list(planned.values())


class Publisher:
    """Writes each variant's files and manifest; what is there already is found by its name and left alone."""

    def __init__(self, step: LoadStep, store: ObjectStore, engine: Engine, loaded: Loaded) -> None:
        self._step = step
        self._store = store
        self._engine = engine
        self._loaded = loaded
        self._contents: dict[str | None, Content] = {None: self._content(loaded.rows, loaded.part)}

    def publish(self, planned: PlannedVariant) -> VariantOutcome:
        """Publishes a variant; those that it starts from were published before."""
        variant = planned.variant
        content = self._contents[variant.from_] if not variant.transforms else self._made(planned)
        self._contents[variant.name] = content
        written = write_manifest(self._store, self._manifest(planned, content))
        columns = len(content.columns) - len(self._step.primary_key)
        _log.info("variant %s: %d rows, %d columns, %s", variant.name, content.rows, columns, written.uri)
        return VariantOutcome(
            name=variant.name,
            rows=content.rows,
            columns=columns,
            digest=content.digest.removeprefix("sha256:"),
            manifest=written.sha256,
        )

    def _made(self, planned: PlannedVariant) -> Content:
        rows = in_key_order(to_canonical(planned.chain.run(self._engine)), self._step.primary_key)
        part = write_variant(self._store, self._step.owner.name, planned.variant.name, rows)
        return self._content(rows, part)

    def _content(self, rows: pa.Table, part: Part) -> Content:
        columns = tuple(
            column.model_copy(update={"nullable": rows.column(column.name).null_count > 0})
            for column in canonical_columns(rows.schema)
        )
        digest = content_digest(rows, self._step.primary_key).root
        return Content((part,), columns, rows.num_rows, digest)

    def _manifest(self, planned: PlannedVariant, content: Content) -> Manifest:
        owner = self._step.owner
        return Manifest(
            project=owner.project,
            dataset=owner.name,
            variant=planned.variant.name,
            sequence=self._loaded.entry.sequence,
            key=self._step.primary_key,
            columns=list(content.columns),
            rows=content.rows,
            parts=list(content.parts),
            recipe=planned.recipe,
            content_digest=content.digest,
            split=self._step.split,
            audit_head=self._loaded.entry.hash,
        )
