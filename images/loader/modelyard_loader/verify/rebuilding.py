"""Builds variants of one load again, from its record on S3 alone, and keeps nothing of them but their digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property

import pyarrow as pa

from modelyard_api.contract.manifest import Column, Part
from modelyard_api.contract.steps import VerifyStep
from modelyard_loader.record.loads import LoadContent, parts_after
from modelyard_loader.record.planning import PlannedVariant, plan
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.rows import Rows
from modelyard_loader.verify.shuffled import shuffled
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_runtime.columns import ARROW_TYPES, canonical_columns
from modelyard_runtime.digest import ContentAccumulator, ContentDigest
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_part
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.split import SplitLine, draw_line


class Rebuild:
    """The rows after one load, and what the present spec makes of them."""

    def __init__(
        self,
        step: VerifyStep,
        store: ObjectStore,
        entries: Sequence[LedgerEntry],
        sequence: int,
        limits: Limits,
    ) -> None:
        if not 1 <= sequence <= len(entries):
            raise DataError(
                f"the record has loads 1 to {len(entries)} of this Dataset",
                field=f"load {sequence} of {step.owner.name}",
                remedy="restore the bucket from a backup",
            )
        content = LoadContent.of(entries[sequence - 1])
        self._step = step
        self._store = store
        self._limits = limits
        self._key = tuple(content.key)
        self._parts: list[Part] = [placed.part for placed in parts_after(entries, sequence)]
        self._columns = content.columns or self._named_by_the_files()

    @cached_property
    def planned(self) -> dict[str, PlannedVariant]:
        """Variants of the present spec by name. Raises InvalidSpecError as ``plan`` does."""
        with closing(Engine(Rows(self._schema, list))) as engine:
            made = plan(self._step.variants, self._columns, self._key, engine, self._step.split)
        return {each.variant.name: each for each in made}

    @cached_property
    def line(self) -> SplitLine:
        """Which rows are held out, found out from the shuffled rows."""
        total = sum(part.rows for part in self._parts)
        names = list(SplitLine(self._step.split, self._key).columns)
        return draw_line(self._step.split, self._key, total, self._shuffled(names))

    def digest(self, variant: str) -> ContentDigest:
        """Digest of a variant's values. Raises DataError where the rows do not fit its transforms."""
        chain = self.planned[variant].chain
        names = [column.name for column in self._columns]
        mask = self.line.mask if chain.fitted else None
        rows = Rows(self._schema, lambda: self._shuffled(names), mask)
        sums = ContentAccumulator(chain.columns, chain.key)
        with closing(Engine(rows, self._limits)) as engine:
            for batch in chain.batches(engine):
                sums.add(batch)
        return sums.digest()

    def _shuffled(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        return shuffled(self._store, self._parts, names)

    @property
    def _schema(self) -> pa.Schema:
        return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in self._columns])

    def _named_by_the_files(self) -> list[Column]:
        """Columns of a load of the first release, whose entry does not name their types."""
        return canonical_columns(read_part(self._store, self._parts[0]).schema)
