"""Parquet files of the record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.contract.manifest import Part
from modelyard_runtime.manifests import write_part
from modelyard_runtime.s3 import ObjectStore

PART_ROWS = 262_144
"""Rows of a file at most."""
PART_BYTES = 32 * 1024 * 1024
"""Bytes of a file's rows in memory, about; what is one row may be more."""
_ROW_GROUP = 131_072


def write_batch(store: ObjectStore, dataset: str, rows: pa.Table) -> Part:
    """Writes rows of a load; the caller sees to it that they are not more than a file holds."""
    return write_part(store, f"{record_root(store, dataset)}/batches", _parquet(rows), rows.num_rows)


def write_variant(store: ObjectStore, dataset: str, variant: str, rows: pa.Table) -> Part:
    """Writes rows of a transformed variant."""
    prefix = f"{record_root(store, dataset)}/variants/{variant}"
    return write_part(store, prefix, _parquet(rows), rows.num_rows)


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


def _parquet(rows: pa.Table) -> bytes:
    """The fastest setting of zstd, and dictionaries only where they help: numbers rarely repeat."""
    sink = BytesIO()
    texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=texts or False,
        row_group_size=_ROW_GROUP,
        # The manifest says them better, and in a file of a few hundred rows they take a tenth of it.
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()
