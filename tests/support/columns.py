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
_ROW_SEED = 0x6D6F64656C796172
_LANES = (0x243F6A8885A308D3, 0x13198A2E03707344)


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
    hashes = [hash_of([values[row] for values in keys], _ROW_SEED) for row in range(count)]
    documents = [
        {"name": column.name, "type": column.type.value, "sha256": _column(column, hashes)}
        for column in columns
    ]
    document = {"rows": count, "key": list(key), "columns": documents}
    return "sha256:" + hashlib.sha256(b"modelyard content 2\n" + canonical_json(document)).hexdigest()


def _column(column: PlainColumn, hashes: Sequence[int]) -> str:
    header = canonical_json({"name": column.name, "type": column.type.value})
    content = b"modelyard column 2\n" + header + b"\n" + struct.pack("<Q", len(hashes))
    for constant in _LANES:
        lane = 0
        for row, value in zip(hashes, column.values, strict=True):
            lane += mix(mix(row ^ constant) ^ cell_of(column.type, value))
        content += struct.pack("<Q", lane & _MASK)
    return hashlib.sha256(content).hexdigest()


def cell_of(kind: ColumnType, value: Value) -> int:
    """The number that stands for a value within its column."""
    if value is None:
        return 0xFFF86D6F64656C79
    if isinstance(value, str):
        content = value.encode()
        total = mix(len(content))
        for place, word in enumerate(_words(content), start=1):
            total += mix(word ^ mix(place))
        return total & _MASK
    return number_bits(float(value)) if kind is ColumnType.NUMBER else int(value) & _MASK


def number_bits(value: float) -> int:
    """Bits of a float64 with one zero and one NaN."""
    if math.isnan(value):
        return _NAN
    return int(struct.unpack("<Q", struct.pack("<d", value + 0.0))[0])


def hash_of(key: Sequence[Value], seed: int) -> int:
    """A row's hash for the split."""
    state = mix(seed)
    for value in key:
        state = mix(state ^ _value_hash(value))
    return state


def _value_hash(value: Value) -> int:
    if isinstance(value, str):
        content = value.encode()
        state = mix(len(content))
        for word in _words(content):
            state = mix(state ^ word)
        return state
    if isinstance(value, float):
        return mix(number_bits(value))
    return mix(int(value or 0) & _MASK)


def _words(content: bytes) -> list[int]:
    return [
        int.from_bytes(content[start : start + 8].ljust(8, b"\0"), "little")
        for start in range(0, len(content), 8)
    ]


def mix(state: int) -> int:
    """splitmix64."""
    z = (state + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
