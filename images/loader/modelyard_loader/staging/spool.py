"""Rows in the order of their hashes, however many there are: sorted runs on the local disk, read back bucket by bucket.

A hash spreads rows evenly, so a bucket, which is all rows whose hashes begin with the same bits, is a known share of them
and fits into memory where all rows do not. Rows of one name have one hash, so names that occur twice meet in a bucket.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_loader.staging.accepted import NumberedRows
from modelyard_runtime.hashing import row_hashes

_BUCKET_BITS = 8
_BUCKETS = 1 << _BUCKET_BITS
RUN_BYTES = 32 * 1024 * 1024
"""Rows that are held in memory before they are written as a run."""
_NUMBER = "0 number"
_HASH = "0 hash"
"""Names that no column can have."""


class Spool:
    """Takes rows in any order and gives them in ascending order of (hash of seed and key, key, number)."""

    def __init__(self, directory: Path, key: Sequence[str], seed: int, run_bytes: int = RUN_BYTES) -> None:
        self._directory = directory
        self._key = list(key)
        self._seed = seed
        self._run_bytes = run_bytes
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._runs: list[Path] = []
        self.rows = 0

    def add(self, batch: NumberedRows) -> None:
        """Takes rows."""
        hashes = row_hashes(pa.Table.from_batches([batch.rows]), self._key, self._seed)
        names = [*batch.rows.schema.names, _NUMBER, _HASH]
        arrays = [*batch.rows.columns, pa.array(batch.numbers), pa.array(hashes)]
        marked = pa.RecordBatch.from_arrays(arrays, names=names)
        self._held.append(marked)
        self._held_bytes += marked.nbytes
        self.rows += marked.num_rows
        if self._held_bytes >= self._run_bytes:
            self._write_run()

    def batches(self) -> Iterator[NumberedRows]:
        """All rows in order; two of one name stand side by side, the one with the lower number first."""
        if not self._runs:
            if self._held:
                yield _unmarked(self._sorted(pa.Table.from_batches(self._held)))
            return
        if self._held:
            self._write_run()
        readers = [pa.ipc.open_file(pa.OSFile(str(path))) for path in self._runs]
        for number in range(_BUCKETS):
            rows = pa.Table.from_batches([reader.get_batch(number) for reader in readers])
            if rows.num_rows:
                yield _unmarked(self._sorted(rows))

    def _write_run(self) -> None:
        rows = self._sorted(pa.Table.from_batches(self._held))
        self._held, self._held_bytes = [], 0
        starts = np.searchsorted(
            rows.column(_HASH).to_numpy() >> np.uint64(64 - _BUCKET_BITS), np.arange(_BUCKETS + 1)
        )
        path = self._directory / f"run-{len(self._runs):06d}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            whole = rows.combine_chunks().to_batches()[0]
            for start, end in pairwise(starts):
                writer.write_batch(whole.slice(start, end - start))
        self._runs.append(path)

    def _sorted(self, rows: pa.Table) -> pa.Table:
        hashes = rows.column(_HASH).to_numpy()
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        if len(ordered) > 1 and bool((ordered[1:] == ordered[:-1]).any()):
            keys = [(name, "ascending") for name in (_HASH, *self._key, _NUMBER)]
            return rows.take(pc.sort_indices(rows, sort_keys=keys))
        return rows.take(order)


def _unmarked(rows: pa.Table) -> NumberedRows:
    numbers = rows.column(_NUMBER).to_numpy()
    batch = rows.drop_columns([_NUMBER, _HASH]).combine_chunks().to_batches()[0]
    return NumberedRows(batch, numbers)


def repeated(rows: pa.RecordBatch, key: Sequence[str]) -> np.ndarray:
    """True for each row whose name is that of the row before it."""
    same = np.ones(max(0, rows.num_rows - 1), dtype=bool)
    for name in key:
        values = rows.column(name)
        same &= pc.equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
        if not same.any():
            break
    return np.concatenate((np.zeros(min(1, rows.num_rows), dtype=bool), same))
