"""The content digest and the split once more, row by row in plain Python: what the vectorised code must equal."""

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from modelyard_api.digests import canonical_json
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.columns import ARROW_TYPES

Value = int | float | bool | str | None

_MASK = 2**64 - 1
_NAN = 0x7FF8000000000000


@dataclass(frozen=True)
class PlainColumn:
    """A column as Python values."""

    name: str
    type: ColumnType
    values: Sequence[Value]

    def array(self) -> pa.Array:
        return pa.array(self.values, type=ARROW_TYPES[self.type])


def table_of(columns: Sequence[PlainColumn]) -> pa.Table:
    """The columns as an Arrow table."""
    return pa.table({column.name: column.array() for column in columns})


def digest_of(columns: Sequence[PlainColumn], key: Sequence[str]) -> str:
    """Root of the content digest as its documentation says it."""
    keys = [column.values for name in key for column in columns if column.name == name]
    count = len(columns[0].values)
    order = sorted(range(count), key=lambda row: [_sortable(values[row]) for values in keys])
    documents = [
        {"name": column.name, "type": column.type.value, "sha256": _column(column, order)}
        for column in columns
    ]
    document = {"rows": count, "key": list(key), "columns": documents}
    return "sha256:" + hashlib.sha256(b"modelyard content 1\n" + canonical_json(document)).hexdigest()


def _sortable(value: Value) -> object:
    return value.encode() if isinstance(value, str) else value


def _column(column: PlainColumn, order: Sequence[int]) -> str:
    values = [column.values[row] for row in order]
    header = canonical_json({"name": column.name, "type": column.type.value})
    content = b"modelyard column 1\n" + header + b"\n" + struct.pack("<Q", len(values))
    content += _bits([value is not None for value in values])
    if column.type is ColumnType.INTEGER:
        content += b"".join(struct.pack("<q", value or 0) for value in values)
    elif column.type is ColumnType.NUMBER:
        content += b"".join(struct.pack("<Q", number_bits(float(value or 0.0))) for value in values)
    elif column.type is ColumnType.BOOLEAN:
        content += _bits([bool(value) for value in values])
    else:
        texts = [str(value if value is not None else "").encode() for value in values]
        ends = [sum(len(text) for text in texts[:count]) for count in range(len(texts) + 1)]
        content += b"".join(struct.pack("<q", end) for end in ends) + b"".join(texts)
    return hashlib.sha256(content).hexdigest()


def number_bits(value: float) -> int:
    """Bits of a float64 with one zero and one NaN."""
    if math.isnan(value):
        return _NAN
    return int(struct.unpack("<Q", struct.pack("<d", value + 0.0))[0])


def _bits(flags: Sequence[bool]) -> bytes:
    content = bytearray((len(flags) + 7) // 8)
    for position, flag in enumerate(flags):
        content[position // 8] |= flag << (position % 8)
    return bytes(content)


def hash_of(key: Sequence[Value], seed: int) -> int:
    """A row's hash for the split."""
    state = _mix(seed)
    for value in key:
        state = _mix(state ^ _value_hash(value))
    return state


def _value_hash(value: Value) -> int:
    if isinstance(value, str):
        content = value.encode()
        state = _mix(len(content))
        for start in range(0, len(content), 8):
            word = content[start : start + 8].ljust(8, b"\0")
            state = _mix(state ^ int.from_bytes(word, "little"))
        return state
    if isinstance(value, float):
        return _mix(number_bits(value))
    return _mix(int(value or 0) & _MASK)


def _mix(state: int) -> int:
    z = (state + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
