"""What every way of loading shares: the step, its places, and what becomes of rows that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.contract.manifest import Column, Part
from modelyard_api.contract.progress import Phase
from modelyard_api.contract.steps import LoadStep
from modelyard_loader.keys import Naming
from modelyard_loader.record.loads import LoadContent, PlacedPart
from modelyard_loader.sources import open_source
from modelyard_loader.sources.reading import OpenSource, SourceContext
from modelyard_loader.staging.parts import PartWriter, Totals
from modelyard_loader.staging.rejects import Rejects
from modelyard_loader.staging.staged import StagingArea
from modelyard_loader.surroundings import Surroundings
from modelyard_runtime.digest import ContentAccumulator
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import write_part
from modelyard_runtime.retry import Patience


@dataclass(frozen=True)
class Before:
    """The load before this one."""

    content: LoadContent
    parts: tuple[PlacedPart, ...]
    """Files of all rows after it."""
    rows: int
    source_digest: str

    def ordered(self, columns: Iterable[Column]) -> tuple[Column, ...]:
        """Columns in the order in which the rows have them; those that they do not have stay behind."""
        places = {column.name: place for place, column in enumerate(self.content.columns)}
        return tuple(sorted(columns, key=lambda column: places.get(column.name, len(places))))

    @property
    def source_columns(self) -> tuple[Column, ...]:
        """Columns that the source had, which are those that it must have."""
        added = set(self.content.key) if self.content.numbered else set()
        return tuple(column for column in self.content.columns if column.name not in added)


@dataclass(frozen=True)
class Work:
    """One load that is to be made."""

    step: LoadStep
    surroundings: Surroundings
    started: datetime
    judge: Callable[[tuple[Column, ...]], object]
    """Told the columns before anything is written; raises InvalidSpecError where the variants do not fit them."""
    before: Before | None = None

    @property
    def area(self) -> StagingArea:
        """Where snapshots wait."""
        owner = self.step.owner
        return StagingArea(self.surroundings.store, owner.name, owner.uid)

    def open(
        self, columns: tuple[Column, ...] = (), consumed: Mapping[str, str] | None = None, first_row: int = 1
    ) -> OpenSource:
        """Opens the source."""
        around, step = self.surroundings, self.step
        context = SourceContext(
            store=around.store,
            owner=step.owner,
            secrets=around.secrets,
            scratch=self.directory(),
            network=step.network,
            parent=step.parent,
            key=tuple(step.primary_key),
            columns=columns,
            declared=tuple(step.columns),
            consumed=consumed or {},
            first_row=first_row,
            patience=Patience(notice=around.progress.wait_for),
        )
        return open_source(step.source, context)

    def naming(self, columns: Iterable[Column]) -> Naming:
        """How rows with these columns are named; the variants are judged by them."""
        required = [column.name for column in self.step.columns if not column.nullable]
        placed = self.before.ordered(columns) if self.before else tuple(columns)
        naming = Naming.of(placed, self.step.primary_key, required)
        self.judge(naming.columns)
        return naming

    def check_any(self, rows: int, rejects: Rejects) -> None:
        """Raises DataError where a first load would be one of nothing: no type or rule could be judged by it."""
        if rows == 0:
            refused = f"; {rejects.count} rows do not fit" if rejects.count else ""
            raise DataError(
                f"has no rows that can be loaded{refused}",
                field="source",
                remedy="put rows there, then ask for the load again",
            )

    def rejects(self) -> Rejects:
        """Nothing refused yet."""
        return Rejects(self.step.on_reject)

    def parts(self, naming: Naming) -> PartWriter:
        """Writes the files of this load."""
        return PartWriter(self.surroundings.store, self.step.owner.name, naming)

    def write_rejects(self, rejects: Rejects) -> Part | None:
        """Refused rows as a file of the record."""
        if not rejects.count:
            return None
        rows = rejects.table()
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd", compression_level=1, store_schema=False)
        prefix = f"{self.surroundings.store.endpoint.prefix}/datasets/{self.step.owner.name}/rejects"
        return write_part(self.surroundings.store, prefix, bytes(sink.getvalue()), rows.num_rows)

    def totals(self, added: Totals) -> Totals | None:
        """Those of all rows after this load; None where those before it are not known."""
        if self.before is None:
            return added
        content = self.before.content
        if content.sums is None:
            return None
        totals = Totals(ContentAccumulator.restored(content.sums), content.missing)
        totals.merge(added)
        return totals

    def loading(
        self, batches: Iterable[pa.RecordBatch], total: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The batches, counted on the page of progress as they pass."""
        progress = self.surroundings.progress
        progress.begin(Phase.LOADING, total)
        for batch in batches:
            yield batch
            progress.add(batch.num_rows)

    def directory(self) -> Path:
        """An empty directory for files of a try."""
        return Path(mkdtemp(dir=self.surroundings.scratch))
