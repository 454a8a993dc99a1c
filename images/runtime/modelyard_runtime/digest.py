"""The content digest: one identity for the values of a version, whatever files, chunks or order they arrived in.

Rows are taken in key order. For each column a SHA-256 goes over, in this order:

- ``modelyard column 1`` and a line feed;
- canonical JSON of its name and canonical type, and a line feed;
- the number of rows as an unsigned 64-bit little-endian integer;
- validity: one bit a row, the least significant first, 1 for a value, padded with 0 to whole bytes;
- the values, a null held as zero or as an empty text:
  Integer int64, Number float64 (-0.0 as 0.0, every NaN as 0x7ff8000000000000), both little-endian;
  Boolean one bit a row like validity;
  Text n + 1 offsets as int64 little-endian from 0, then the UTF-8 bytes.

The root is the SHA-256 over ``modelyard content 1``, a line feed, and canonical JSON of the row count, the key and
the list of columns with their digests. tests/data/digests holds vectors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.contract.manifest import Column
from modelyard_api.digests import canonical_json
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.columns import canonical_type, to_canonical
from modelyard_runtime.errors import DataError

if TYPE_CHECKING:
    from hashlib import _Hash

_COLUMN = b"modelyard column 1\n"
_ROOT = b"modelyard content 1\n"
_NAN = np.uint64(0x7FF8000000000000)


@dataclass(frozen=True)
class ColumnDigest:
    """Identity of one column's values in key order."""

    column: Column
    sha256: str


@dataclass(frozen=True)
class ContentDigest:
    """Identity of a version's values; two versions can be compared column by column."""

    root: str
    """``sha256:<hex>``."""
    columns: tuple[ColumnDigest, ...]


def content_digest(table: pa.Table, key: Sequence[str]) -> ContentDigest:
    """Digest of a table whose rows are named by ``key``. Raises DataError as ``in_key_order`` does."""
    return digest_of_ordered(in_key_order(to_canonical(table), key), key)


def digest_of_ordered(table: pa.Table, key: Sequence[str]) -> ContentDigest:
    """Digest of a canonical table that ``in_key_order`` has returned."""
    columns = tuple(_column_digest(field, table.column(field.name)) for field in table.schema)
    root = hashlib.sha256(_ROOT)
    document = {
        "rows": table.num_rows,
        "key": list(key),
        "columns": [
            {"name": each.column.name, "type": each.column.type.value, "sha256": each.sha256}
            for each in columns
        ],
    }
    root.update(canonical_json(document))
    return ContentDigest("sha256:" + root.hexdigest(), columns)


def in_key_order(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """Rows in ascending order of the key, text by its UTF-8 bytes.

    Raises DataError if the key has a null, a NaN or names two rows: then there is no order.
    """
    for name in key:
        _check_present(table, name)
    if table.num_rows <= 1 or _ascends(table, key):
        return table
    ordered = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in key]))
    _check_unique(ordered, key)
    return ordered


def _check_present(table: pa.Table, name: str) -> None:
    remedy = "choose a primaryKey whose columns have a value in every row"
    if name not in table.column_names:
        raise DataError("is not a column of the data", field=f"primaryKey {name}", remedy=remedy)
    column = table.column(name)
    missing = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    if pc.any(missing).as_py():
        row = pc.index(missing, pa.scalar(value=True)).as_py() + 1
        raise DataError(f"row {row} has no value", field=f"primaryKey {name}", remedy=remedy)


def _ascends(table: pa.Table, key: Sequence[str]) -> bool:
    """Whether each row's key is greater than that of the row before."""
    undecided = pa.array(np.ones(table.num_rows - 1, dtype=bool))
    greater = pa.array(np.zeros(table.num_rows - 1, dtype=bool))
    for name in key:
        before, after = _neighbours(table.column(name))
        greater = pc.or_(greater, pc.and_(undecided, pc.greater(after, before)))
        undecided = pc.and_(undecided, pc.equal(after, before))
    return bool(pc.all(greater).as_py())


def _check_unique(ordered: pa.Table, key: Sequence[str]) -> None:
    same = pa.array(np.ones(ordered.num_rows - 1, dtype=bool))
    for name in key:
        before, after = _neighbours(ordered.column(name))
        same = pc.and_(same, pc.equal(after, before))
    if pc.any(same).as_py():
        row = pc.index(same, pa.scalar(value=True)).as_py()
        values = ", ".join(str(ordered.column(name)[row].as_py()) for name in key)
        raise DataError(
            "names more than one row",
            field=f"primaryKey {', '.join(key)}",
            value=values,
            remedy="choose columns whose values together occur once, or a name that the source does not have",
        )


def _neighbours(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    whole = _combined(column)
    return whole.slice(0, len(whole) - 1), whole.slice(1)


def _combined(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _column_digest(field: pa.Field, values: pa.ChunkedArray) -> ColumnDigest:
    column = Column(name=field.name, type=canonical_type(field))
    sha = hashlib.sha256(_COLUMN)
    sha.update(canonical_json({"name": column.name, "type": column.type.value}) + b"\n")
    sha.update(len(values).to_bytes(8, "little"))
    if column.type is ColumnType.TEXT:
        values = values.cast(pa.large_string())
    whole = _combined(values)
    valid = whole.is_valid().to_numpy(zero_copy_only=False)
    sha.update(_bits(valid))
    _update_values(sha, column.type, whole)
    return ColumnDigest(column, sha.hexdigest())


def _update_values(sha: _Hash, kind: ColumnType, values: pa.Array) -> None:
    if kind is ColumnType.INTEGER:
        integers = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
        sha.update(np.ascontiguousarray(integers, dtype="<i8").data)
    elif kind is ColumnType.NUMBER:
        numbers = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False)
        sha.update(canonical_bits(numbers).data)
    elif kind is ColumnType.BOOLEAN:
        sha.update(_bits(pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False)))
    else:
        offsets, content = text_buffers(pc.fill_null(values, ""))
        sha.update(offsets.astype("<i8").data)
        sha.update(content.data)


def canonical_bits(numbers: np.ndarray) -> np.ndarray:
    """Bits of float64 values as little-endian uint64, with one zero and one NaN."""
    bits = (numbers + 0.0).view(np.uint64)
    return np.where(np.isnan(numbers), _NAN, bits).astype("<u8")


def text_buffers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (int64, from 0, one more than there are rows) and UTF-8 bytes of a large_string array without nulls."""
    _, offset_buffer, data = texts.buffers()
    if len(texts) == 0:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    if data is None or data.size == 0:
        return offsets - offsets[0], np.zeros(0, dtype=np.uint8)
    return offsets - offsets[0], np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]


def _bits(flags: np.ndarray) -> bytes:
    return np.packbits(flags.astype(bool), bitorder="little").tobytes()
