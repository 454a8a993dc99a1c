"""Builds the content of variants: files and profile, from no more rows than it takes.

A variant whose transforms look at one row at a time is built file by file, so its files after a load are those of an
earlier version and what the new files give. Every other one is built from all loaded rows by one query that spills. Both
give the same files whenever they are done again, and neither holds more than a few files of rows in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from threading import Lock

import pyarrow as pa

from modelyard_api.contract.manifest import Column, ColumnStatistics, Learned, Manifest, Part
from modelyard_api.contract.steps import LoadStep
from modelyard_loader.record.files import VariantFiles, in_parts, write_variant
from modelyard_loader.record.loads import PlacedPart
from modelyard_loader.record.planning import PlannedVariant
from modelyard_loader.record.profile import Profile, read_profile
from modelyard_loader.record.row_wise import Line, Tools, advance, release_memory
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.rows import Rows
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.digest import AccumulatorState, ContentAccumulator
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_manifest, read_part, read_rows
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.split import SplitLine, draw_line
from modelyard_runtime.versions import VersionPointer, pointed_uri, versions

_log = logging.getLogger(__name__)

_THREADS = 2
_LOOKED_AT = 3
"""Versions that are looked at for one of the same recipe; after an edit there are others before it."""


@dataclass(frozen=True)
class Loaded:
    """What all variants of a load start from."""

    sequence: int
    audit_head: str
    loaded_at: datetime
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    """The key's first."""
    parts: tuple[PlacedPart, ...]
    """Files with all rows after the load: disjoint, in load order."""
    appended_since: int = 1
    """The last load that replaced rows of loads before it; versions of loads before that cannot be gone on with."""
    local: Mapping[str, Path] = field(default_factory=dict)
    """Files that are at hand, by their SHA-256."""
    sums: AccumulatorState | None = None
    """Sums of all rows as they were loaded, where known: the files must hold the same."""

    @property
    def rows(self) -> int:
        """All loaded rows."""
        return sum(placed.part.rows for placed in self.parts)

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the loaded rows."""
        return pa.schema([pa.field(each.name, ARROW_TYPES[each.type]) for each in self.columns])


@dataclass(frozen=True)
class Content:
    """Values of a variant and the files that hold them."""

    parts: tuple[Part, ...]
    profile: Profile
    columns: tuple[Column, ...]
    digest: str
    """``sha256:<hex>``."""
    learned: tuple[Learned, ...] = ()
    """What was found in the training part on the way."""

    @property
    def rows(self) -> int:
        """Rows of the variant."""
        return self.profile.rows

    @cached_property
    def statistics(self) -> list[ColumnStatistics]:
        """One entry a column, the key's left out; read by the rules and by the manifest."""
        return self.profile.statistics()


class Builder:
    """Builds variants of one load."""

    def __init__(
        self,
        step: LoadStep,
        store: ObjectStore,
        loaded: Loaded,
        limits: Limits | None = None,
        planned: Sequence[PlannedVariant] = (),
    ) -> None:
        self._dataset = step.owner.name
        self._uid = step.owner.uid
        self._split = step.split
        self._store = store
        self._loaded = loaded
        self._limits = limits or Limits()
        self._line: SplitLine | None = None
        self._planned = planned
        self._drawing = Lock()
        self._lines: dict[str, Line] = {}
        self._pointers: dict[str, list[VersionPointer]] = {}
        self._manifests: dict[str, Manifest] = {}

    @property
    def line(self) -> SplitLine:
        """Which loaded rows are held out."""
        with self._drawing:
            if self._line is None:
                key, total = self._loaded.key, self._loaded.rows
                names = list(SplitLine(self._split, key).columns)
                rows = (self.read(placed.part, names) for placed in self._loaded.parts)
                self._line = draw_line(self._split, key, total, rows)
            return self._line

    def build(self, planned: PlannedVariant) -> Content:
        """Content of a variant. Raises DataError where the rows do not fit its transforms."""
        if planned.untransformed:
            return self._checked(self._row_wise(planned))
        content = self._row_wise(planned) if planned.chain.row_wise else self._whole(planned)
        return self._cut_off(planned, content)

    def published(self, variant: str) -> list[VersionPointer]:
        """Versions of a variant that are published, up to this load, the latest last."""
        if variant not in self._pointers:
            found = versions(self._store, self._dataset, variant, self._uid)
            self._pointers[variant] = [each for each in found if each.sequence <= self._loaded.sequence]
        return self._pointers[variant]

    def manifest_of(self, pointer: VersionPointer) -> Manifest:
        """Manifest of a published version."""
        if pointer.sha256 not in self._manifests:
            uri = pointed_uri(self._store, self._dataset, pointer)
            self._manifests[pointer.sha256] = read_manifest(self._store, uri)
        return self._manifests[pointer.sha256]

    def earlier(self, planned: PlannedVariant) -> Manifest | None:
        """The latest version of the same recipe that only had rows added since."""
        candidates = [
            each
            for each in self.published(planned.variant.name)
            if each.sequence >= self._loaded.appended_since
        ]
        wanted = {column.name: column.type for column in planned.chain.columns}
        for pointer in reversed(candidates[-_LOOKED_AT:]):
            manifest = self.manifest_of(pointer)
            same_columns = {column.name: column.type for column in manifest.columns} == wanted
            same_key = tuple(manifest.key) == planned.chain.key
            if manifest.recipe.digest == planned.recipe.digest and same_columns and same_key:
                return manifest
        return None

    def read(self, part: Part, columns: list[str] | None = None) -> pa.Table:
        """Rows of a file, all columns or some."""
        path = self._loaded.local.get(part.sha256)
        if path is not None:
            return read_rows(path, columns)
        return read_part(self._store, part, columns)

    def _row_wise(self, planned: PlannedVariant) -> Content:
        name = planned.variant.name
        if name not in self._lines:
            together = [each for each in self._planned if each.chain.row_wise]
            if name not in {each.variant.name for each in together}:
                together = [planned]
            lines = [self._begun(each) for each in together]
            with VariantFiles(self._store, self._dataset) as files:
                advance(lines, self._loaded.parts, Tools(self.read, files.write, self._limits))
            self._lines.update({line.name: line for line in lines})
        line = self._lines[name]
        return self._content(planned, line.parts, line.profile)

    def _begun(self, planned: PlannedVariant) -> Line:
        """A variant as an earlier version of it leaves it."""
        before = self.earlier(planned)
        if before is None or before.profile is None:
            return Line(planned, Profile(planned.chain.columns, planned.chain.key))
        _log.info("variant %s goes on from load %d", planned.variant.name, before.sequence)
        return Line(planned, read_profile(self._store, before.profile), list(before.parts), before.sequence)

    def _whole(self, planned: PlannedVariant) -> Content:
        before = self.earlier(planned)
        newest = max((placed.sequence for placed in self._loaded.parts), default=0)
        unchanged = before is not None and before.sequence >= newest
        if before is not None and before.profile is not None and unchanged:
            known = self._content(planned, tuple(before.parts), read_profile(self._store, before.profile))
            return replace(known, learned=tuple(before.learned))
        chain = planned.chain
        profile = Profile(chain.columns, chain.key)
        rows = Rows(self._loaded.schema, self._batches, self.line.mask if chain.fitted else None)
        with closing(Engine(rows, self._limits)) as engine:
            tables = in_parts(chain.batches(engine, ordered=True))
            content = self._content(planned, self._written(planned, tables, profile), profile)
            return replace(content, learned=tuple(chain.learned(engine)))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for placed in self._loaded.parts:
            yield from self.read(placed.part).to_batches()
            release_memory()

    def _written(
        self, planned: PlannedVariant, tables: Iterator[pa.Table], profile: Profile
    ) -> tuple[Part, ...]:
        """Writes files in a thread while the rows of the next one are made, and counts them in."""

        def write(rows: pa.Table) -> Part:
            return write_variant(self._store, self._dataset, planned.variant.name, rows)

        parts: list[Part] = []
        waiting: Future[Part] | None = None
        with ThreadPoolExecutor(1) as pool:
            for rows in tables:
                if rows.num_rows == 0:
                    continue
                if waiting is not None:
                    parts.append(waiting.result())
                waiting = pool.submit(write, rows)
                profile.add(rows, threads=_THREADS)
            if waiting is not None:
                parts.append(waiting.result())
        return tuple(parts)

    def _content(self, planned: PlannedVariant, parts: Sequence[Part], profile: Profile) -> Content:
        columns = tuple(
            Column(name=column.name, type=column.type, nullable=profile.nullable(column.name))
            for column in planned.chain.columns
        )
        return Content(tuple(parts), profile, columns, profile.digest().root)

    def _checked(self, content: Content) -> Content:
        """The loaded rows. Raises DataError if their files do not hold what was loaded."""
        if self._loaded.sums is not None:
            known = ContentAccumulator.restored(self._loaded.sums).digest().root
            if known != content.digest:
                raise DataError(
                    f"the files of the record hold {content.digest}, loaded was {known}",
                    field=f"load {self._loaded.sequence} of {self._dataset}",
                    remedy="restore the bucket from a backup",
                )
        return content

    def _cut_off(self, planned: PlannedVariant, content: Content) -> Content:
        """With the files of the last version where that has the same values: then nothing changes downstream."""
        published = self.published(planned.variant.name)
        if not published:
            return content
        last = self.manifest_of(published[-1])
        same = last.content_digest == content.digest and tuple(last.key) == planned.chain.key
        return replace(content, parts=tuple(last.parts)) if same else content
