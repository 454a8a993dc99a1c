"""Parquet files of the record."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.contract.manifest import Part
from modelyard_runtime.manifests import write_part
from modelyard_runtime.s3 import ObjectStore

_ROW_GROUP = 131_072


def write_batch(store: ObjectStore, dataset: str, rows: pa.Table) -> Part:
    """Writes the rows of one load."""
    return write_part(store, f"{_root(store, dataset)}/batches", _parquet(rows), rows.num_rows)


def write_variant(store: ObjectStore, dataset: str, variant: str, rows: pa.Table) -> Part:
    """Writes the rows of a transformed variant."""
    prefix = f"{_root(store, dataset)}/variants/{variant}"
    return write_part(store, prefix, _parquet(rows), rows.num_rows)


def _root(store: ObjectStore, dataset: str) -> str:
    return f"{store.endpoint.prefix}/datasets/{dataset}"


def _parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", row_group_size=_ROW_GROUP, store_schema=False)
    return bytes(sink.getvalue())
