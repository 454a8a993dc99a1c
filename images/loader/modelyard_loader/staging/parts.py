"""The files of a load, and the sums of its digest, made in a thread beside the COPY of the same rows.

Writing Parquet, hashing and sending wait for no lock of the interpreter, so on two cores they cost little time of their own.
One thread keeps up with the server, and holds one file in memory where two would hold two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.contract.manifest import Part
from modelyard_loader.keys import Naming
from modelyard_loader.record.files import write_batch
from modelyard_runtime.digest import ContentAccumulator
from modelyard_runtime.hashing import whole
from modelyard_runtime.s3 import ObjectStore

PART_ROWS = 131_072
PART_BYTES = 16 * 1024 * 1024
"""Bytes of a part's rows in memory, about; two parts are in memory at once, one of them a few times over."""
_PIECE_ROWS = 16_384
_THREADS = 1
_IN_FLIGHT = 1


class Totals:
    """What is known of rows without reading them again: the sums of their digest, and what they miss."""

    def __init__(self, sums: ContentAccumulator, missing: Sequence[int] = ()) -> None:
        self.sums = sums
        self.missing = list(missing) or [0] * len(sums.columns)
        """Nulls and NaNs of each column."""

    @classmethod
    def of(cls, naming: Naming) -> Totals:
        """Those of no rows."""
        return cls(ContentAccumulator(naming.columns, naming.key))

    def add(self, rows: pa.Table) -> None:
        """Adds rows."""
        self.sums.add(rows)
        self._count(rows, 1)

    def subtract(self, rows: pa.Table) -> None:
        """Takes rows out that were added."""
        self.sums.subtract(rows)
        self._count(rows, -1)

    def merge(self, other: Totals) -> None:
        """Adds those of other rows."""
        self.sums.merge(other.sums)
        self.missing = [one + two for one, two in zip(self.missing, other.missing, strict=True)]

    def _count(self, rows: pa.Table, sign: int) -> None:
        found = (pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0 for column in rows.columns)
        self.missing = [before + sign * count for before, count in zip(self.missing, found, strict=True)]


@dataclass(frozen=True)
class Written:
    """What became of the rows of a load."""

    parts: tuple[Part, ...]
    totals: Totals
    """Of these rows alone."""

    @property
    def rows(self) -> int:
        """Rows of the load."""
        return self.totals.sums.rows


class PartWriter:
    """Takes the rows of a load as they are copied. To be used as a context, which ends its threads."""

    def __init__(self, store: ObjectStore, dataset: str, naming: Naming) -> None:
        self._store = store
        self._dataset = dataset
        self._naming = naming
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="parts")
        self._waiting: deque[Future[tuple[Part, Totals]]] = deque()
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._parts: list[Part] = []
        self._totals = Totals.of(naming)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def passing(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches, taken on their way."""
        for batch in batches:
            self.add(batch)
            yield batch

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes rows; what is enough for a part is handed to a thread, for which there may be a wait."""
        for start in range(0, batch.num_rows, _PIECE_ROWS):
            piece = batch.slice(start, _PIECE_ROWS)
            self._held.append(piece)
            self._held_bytes += piece.nbytes
            if self._held_bytes >= PART_BYTES or sum(each.num_rows for each in self._held) >= PART_ROWS:
                self._hand_over()

    def finish(self) -> Written:
        """Waits for all parts. Raises what a thread has raised."""
        if self._held:
            self._hand_over()
        while self._waiting:
            self._collect()
        return Written(tuple(self._parts), self._totals)

    def _hand_over(self) -> None:
        while len(self._waiting) >= _IN_FLIGHT:
            self._collect()
        self._waiting.append(self._pool.submit(self._write, pa.Table.from_batches(self._held)))
        self._held, self._held_bytes = [], 0

    def _collect(self) -> None:
        part, totals = self._waiting.popleft().result()
        self._parts.append(part)
        self._totals.merge(totals)

    def _write(self, rows: pa.Table) -> tuple[Part, Totals]:
        totals = Totals.of(self._naming)
        totals.add(rows)
        return write_batch(self._store, self._dataset, by_key(rows, self._naming.key)), totals


def by_key(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Rows in ascending order of the key, text by its bytes; those of one name, if there are, in any order."""
    if len(key) == 1:
        values = whole(rows.column(key[0]))
        if pc.all(pc.less(values[:-1], values[1:])).as_py():
            return rows
    return rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in key]))
