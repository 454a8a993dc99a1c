"""Parquet files of the record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from threading import BoundedSemaphore, Lock
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.contract.manifest import Part
from modelyard_loader.record.side_by_side import side_by_side
from modelyard_runtime.manifests import named_part, write_part
from modelyard_runtime.s3 import ObjectStore

PART_ROWS = 262_144
"""Rows of a file at most."""
PART_BYTES = 32 * 1024 * 1024
"""Bytes of a file's rows in memory, about; what is one row may be more."""
_ROW_GROUP = 131_072
_ON_THE_WAY = 2
"""Files that are sent at a time."""
_PROBE_ROWS = 4096
"""Rows by which a column is judged."""


def write_batch(store: ObjectStore, dataset: str, rows: pa.Table) -> Part:
    """Writes rows of a load; the caller sees to it that they are not more than a file holds."""
    return write_part(store, f"{record_root(store, dataset)}/batches", encoded(rows), rows.num_rows)


def write_variant(store: ObjectStore, dataset: str, variant: str, rows: pa.Table) -> Part:
    """Writes rows of a transformed variant."""
    return write_part(store, _variant_prefix(store, dataset, variant), encoded(rows), rows.num_rows)


class VariantFiles:
    """Writes files of transformed variants for several threads, which need not wait for the store.

    A file is known by its name before it is there: all are when the block ends, or what failed is raised.
    """

    def __init__(self, store: ObjectStore, dataset: str) -> None:
        self._store = store
        self._dataset = dataset
        self._adding = Lock()
        self._room = BoundedSemaphore(_ON_THE_WAY)
        self._pool = ThreadPoolExecutor(_ON_THE_WAY, thread_name_prefix="files")
        self._sent: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_how: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for sent in self._sent:
                sent.result()

    def write(self, variant: str, content: bytes, rows: int) -> Part:
        """A file on its way; waits while too many are. Raises what an earlier one has failed with."""
        part = named_part(self._store, _variant_prefix(self._store, self._dataset, variant), content, rows)
        self._room.acquire()
        with self._adding:
            self._sent = [each for each in self._sent if not each.done() or each.result() is not None]
            self._sent.append(self._pool.submit(self._send, part, content))
        return part

    def _send(self, part: Part, content: bytes) -> None:
        try:
            self._store.create(self._store.key(part.uri), content)
        finally:
            self._room.release()


def _variant_prefix(store: ObjectStore, dataset: str, variant: str) -> str:
    return f"{record_root(store, dataset)}/variants/{variant}"


def profiles_prefix(store: ObjectStore, dataset: str) -> str:
    """Where the profiles of versions are; variants of the same rows share them."""
    return f"{record_root(store, dataset)}/profiles"


def record_root(store: ObjectStore, dataset: str) -> str:
    """Prefix of everything that the record says of a Dataset."""
    return f"{store.endpoint.prefix}/datasets/{dataset}"


def in_parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Rows in portions that a file holds, in the order in which they come."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        for piece in _pieces(batch):
            if held and (rows + piece.num_rows > PART_ROWS or size + piece.nbytes > PART_BYTES):
                yield pa.Table.from_batches(held)
                held, rows, size = [], 0, 0
            held.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
    if rows:
        yield pa.Table.from_batches(held)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in halves until each fits a file; cuts depend on the rows alone."""
    if batch.num_rows <= 1 or (batch.num_rows <= PART_ROWS and batch.nbytes <= PART_BYTES):
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _pieces(batch.slice(0, middle))
    yield from _pieces(batch.slice(middle))


def encoded(rows: pa.Table) -> bytes:
    """Rows as a file: the fastest setting of zstd, and dictionaries only where they help.

    How a column is encoded depends on its values alone.
    """
    sink = BytesIO()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=[field.name for field in rows.schema if _repeats(rows, field)] or False,
        row_group_size=_ROW_GROUP,
        # The manifest says them better, and in a file of a few hundred rows they take a tenth of it.
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()


def extended(content: bytes, rows: pa.Table) -> bytes:
    """Rows as a file, of which ``content`` is one with the first columns."""
    known = pq.read_schema(BytesIO(content)).names
    return side_by_side(content, encoded(rows.select(rows.column_names[len(known) :])))


def _repeats(rows: pa.Table, field: pa.Field) -> bool:
    """Whether texts come again and again; numbers rarely do."""
    if not pa.types.is_string(field.type):
        return False
    first = rows.column(field.name).slice(0, _PROBE_ROWS)
    return 2 * len(first.unique()) <= len(first)
