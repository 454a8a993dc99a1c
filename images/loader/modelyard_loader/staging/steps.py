"""A source in steps: read once, put into load order on S3, and from there a few more rows with every load."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal

import pyarrow as pa

from modelyard_api.contract.progress import Phase
from modelyard_loader.keys import Naming
from modelyard_loader.record.loads import LoadContent, Snapshot
from modelyard_loader.staging.accepted import accepted
from modelyard_loader.staging.ahead import ahead
from modelyard_loader.staging.arranged import arranged
from modelyard_loader.staging.parts import PART_BYTES, PART_ROWS, by_key
from modelyard_loader.staging.rejects import SCHEMA, Rejects
from modelyard_loader.staging.shape import Shape
from modelyard_loader.staging.staged import Staged, chunks_of
from modelyard_loader.staging.work import Before, Work
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import Batch, LoadTransaction
from modelyard_runtime.errors import DataError, ObjectMissingError, PlatformError
from modelyard_runtime.hashing import row_hashes
from modelyard_runtime.manifests import read_part

_ALL = Decimal(100)


def rows_at(rows: int, percent: str) -> int:
    """Rows that are loaded once so much of the source is."""
    return min(rows, math.ceil(rows * Decimal(percent) / 100))


def is_all(percent: str) -> bool:
    """Whether nothing is left after so much of the source."""
    return Decimal(percent) >= _ALL


class NextRows:
    """The rows that come next in load order, and where they wait."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._last: pa.RecordBatch | None = None
        before = work.before
        if before is None:
            self.start = 0
            self.name = work.area.name(1, work.step)
        else:
            snapshot = _snapshot(before)
            self.start = snapshot.loaded
            self.name = snapshot.staging or work.area.name(snapshot.cycle, work.step)
        self.staged = work.area.find(self.name) or self._read_source()
        self.stop = max(self.start, rows_at(self.staged.rows, work.step.percent))

    def load(self, transaction: LoadTransaction) -> LedgerEntry:
        """Appends the rows."""
        work, staged = self._work, self.staged
        naming, rejects = self._naming(), work.rejects()
        work.judge(naming.columns)
        with work.parts(naming) as parts, ahead(self._batches(naming, rejects)) as rows:
            batches = work.loading(rows, self.stop - self.start)
            count = transaction.append(naming, parts.passing(batches))
            written = parts.finish()
        rejects.check()
        refused = self._refused() if self.start == 0 else rejects.table()
        transaction.set_aside(refused)
        totals = work.totals(written.totals)
        content = LoadContent(
            parts=list(written.parts),
            key=list(naming.key),
            columns=list(naming.columns),
            numbered=naming.numbered,
            cycle=self._cycle,
            rejects=staged.rejects if self.start == 0 else work.write_rejects(rejects),
            snapshot=Snapshot(
                cycle=self._cycle,
                order=staged.order,
                rows=staged.rows,
                loaded=self.stop,
                offered=staged.offered,
                through=self._through(naming),
                staging=self.name if self.stop < staged.rows else None,
                consumed=staged.consumed,
            ),
            missing=totals.missing if totals else [],
            sums=totals.sums.state() if totals else None,
        )
        batch = Batch(count + refused.num_rows, count, count, refused.num_rows, staged.digest, content)
        return transaction.seal(batch, work.started, work.surroundings.clock())

    def tidy(self) -> None:
        """Removes what is loaded."""
        if self.stop == self.staged.rows:
            self._work.area.clear()
        else:
            self._work.area.drop(self.staged, self.start, self.stop)

    @property
    def _cycle(self) -> int:
        return _snapshot(self._work.before).cycle if self._work.before else 1

    def _naming(self) -> Naming:
        """The rows as the table has them, whose columns may be others by now than those of the rows that wait."""
        before, step = self._work.before, self._work.step
        columns = before.content.columns if before else self.staged.columns
        required = frozenset(each.name for each in step.columns if not each.nullable) - set(step.primary_key)
        return Naming(tuple(step.primary_key), tuple(columns), self.staged.numbered, required)

    def _batches(self, naming: Naming, rejects: Rejects) -> Iterator[pa.RecordBatch]:
        """Rows by their keys, as far as they are in memory together: neighbours in the index are written together."""
        tables = self._work.area.read(self.staged, self.start, self.stop)
        batches = self._kept_in_mind(batch for table in tables for batch in table.to_batches())
        if tuple(self.staged.columns) != naming.columns or naming.required:
            shape = Shape(tuple(self.staged.columns), naming)
            batches = (shape.apply_all(batch, rejects) for batch in batches)
        for portion in chunks_of(batches, PART_ROWS, PART_BYTES):
            yield from by_key(portion, naming.key).to_batches()

    def _kept_in_mind(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._last = batch.slice(batch.num_rows - 1)
            yield batch

    def _through(self, naming: Naming) -> str | None:
        """The hash of the last row in load order, where more rows are to follow in the order of hashes."""
        order = self.staged.order
        if order.hash is None or self.stop == self.staged.rows:
            return None
        if self._last is None:
            return _snapshot(self._work.before).through if self._work.before else None
        last = row_hashes(pa.Table.from_batches([self._last]), naming.key, order.hash.seed)
        return f"{int(last[0]):016x}"

    def _refused(self) -> pa.Table:
        """Rows that were refused when the source was read. Raises PlatformError where their file is gone."""
        rejects = self.staged.rejects
        if rejects is None:
            return SCHEMA.empty_table()
        try:
            return read_part(self._work.surroundings.store, rejects)
        except ObjectMissingError as error:
            # Nothing of the snapshot is loaded yet, so the next try may read the source anew.
            self._work.area.clear()
            raise PlatformError(
                "the rows that were set aside are gone from S3",
                field=rejects.uri,
                remedy="nothing needs to be done: the source is read again",
            ) from error

    def _read_source(self) -> Staged:
        """Reads the source and puts it where later steps find it."""
        work, before = self._work, self._work.before
        order = _snapshot(before).order if before else work.step.order
        progress = work.surroundings.progress
        progress.begin(Phase.READING)
        rejects = work.rejects()
        frozen = before.source_columns if before else ()
        with work.open(frozen) as source:
            naming = work.naming(source.columns)
            rows = arranged(accepted(source, naming, rejects), naming, order, rejects, work.directory())
            chunks = []
            for chunk in work.area.write_chunks(self.name, (each.rows for each in rows)):
                chunks.append(chunk)
                progress.add(chunk.rows)
            count = sum(chunk.rows for chunk in chunks)
            work.check_any(count, rejects)
            staged = Staged(
                order=order,
                rows=count,
                offered=count + rejects.count,
                digest=source.digest,
                consumed=source.consumed,
                columns=list(naming.columns),
                numbered=naming.numbered,
                rejects=work.write_rejects(rejects),
                chunks=chunks,
            )
        if before is not None:
            _check_same(staged, before)
        return work.area.complete(self.name, staged)


def _snapshot(before: Before) -> Snapshot:
    if before.content.snapshot is None:
        raise DataError("the last load does not say how far the source is loaded", field="ledger")
    return before.content.snapshot


def _check_same(staged: Staged, before: Before) -> None:
    """Rows that wait may only be read anew from what they were read from."""
    snapshot = _snapshot(before)
    if (staged.digest, staged.rows) != (before.source_digest, snapshot.rows):
        raise DataError(
            f"the rows that waited to be loaded are gone from S3, and the source has changed since"
            f" ({staged.rows} rows now, {snapshot.rows} then)",
            field="source",
            remedy="restore the objects below staging/, or make the Dataset again",
        )
