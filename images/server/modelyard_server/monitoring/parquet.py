"""Writes flat tables as Parquet: one row group, one plain page a column, compressed by gzip.

A server has no library for it: pyarrow takes as much memory as the rest of a server of compiled programs, and half a
second of its start. What is written here is the part of the format that every reader knows.
"""

from __future__ import annotations

import struct as binary
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from modelyard_server.monitoring.thrift import Int64, Struct, encode, struct, varint

_MAGIC = b"PAR1"
_CREATOR = "modelyard-server"
_GZIP, _PLAIN, _RLE, _DATA_PAGE = 2, 0, 3, 0
_OPTIONAL = 1
_LEVEL = 1
_GZIP_WINDOW = 31
"""zlib's word for a gzip header around the largest window."""


class Kind(Enum):
    """Types of columns: the format's physical type, its converted type, and the NumPy type of the values."""

    BOOLEAN = (0, None, "?")
    INTEGER = (2, None, "<i8")
    NUMBER = (5, None, "<f8")
    TEXT = (6, 0, "")
    TIME = (2, 10, "<i8")
    """Microseconds since 1970 in UTC."""

    @property
    def physical(self) -> int:
        """Number of the physical type."""
        return int(self.value[0])

    @property
    def dtype(self) -> str:
        """Little-endian type of the values; texts have none."""
        return str(self.value[2])

    def logical(self) -> Struct | None:
        """The newer word for what a value means."""
        if self is Kind.TEXT:
            return struct((1, Struct()))
        micros = struct((1, True), (2, struct((2, Struct()))))
        return struct((8, micros)) if self is Kind.TIME else None


@dataclass(frozen=True)
class Column:
    """All values of a column, some of which may be missing."""

    name: str
    kind: Kind
    present: np.ndarray
    """Whether each row has a value; bool."""
    values: bytes
    """PLAIN encoding of the values that are there."""


def fixed(name: str, kind: Kind, values: np.ndarray, present: np.ndarray | None = None) -> Column:
    """A column of numbers, times or booleans; values of rows that are not ``present`` are not looked at."""
    there = np.ones(len(values), dtype=bool) if present is None else present
    held = values if present is None else values[present]
    if kind is Kind.BOOLEAN:
        return Column(name, kind, there, np.packbits(held.astype(bool), bitorder="little").tobytes())
    return Column(name, kind, there, held.astype(kind.dtype).tobytes())


def constant(name: str, text: str | None, rows: int) -> Column:
    """The same text in each row, or none in any."""
    there = np.full(rows, text is not None)
    return Column(name, Kind.TEXT, there, b"" if text is None else text_bytes(text) * rows)


def text_bytes(text: str) -> bytes:
    """PLAIN encoding of one text. Half of a surrogate pair, which JSON can bring, is written as a question mark."""
    data = text.encode("utf-8", "replace")
    return binary.pack("<I", len(data)) + data


def texts(values: Iterable[str]) -> bytes:
    """PLAIN encoding of texts."""
    return b"".join(map(text_bytes, values))


def write(columns: Sequence[Column]) -> bytes:
    """The file. All columns must have as many rows, at least one."""
    rows = len(columns[0].present)
    body = bytearray(_MAGIC)
    chunks = [_chunk(body, column, rows) for column in columns]
    group = struct((1, chunks), (2, Int64(len(body) - len(_MAGIC))), (3, Int64(rows)))
    footer = encode(
        struct(
            (1, 1),
            (2, [struct((4, "schema"), (5, len(columns))), *map(_element, columns)]),
            (3, Int64(rows)),
            (4, [group]),
            (6, _CREATOR),
        )
    )
    body += footer + binary.pack("<I", len(footer)) + _MAGIC
    return bytes(body)


def _element(column: Column) -> Struct:
    kind = column.kind
    return struct(
        (1, kind.physical), (3, _OPTIONAL), (4, column.name), (6, kind.value[1]), (10, kind.logical())
    )


def _chunk(body: bytearray, column: Column, rows: int) -> Struct:
    """Appends a column's page; returns what the footer says of it."""
    page = _levels(column.present) + column.values
    packed = _gzip(page)
    of_page = struct((1, rows), (2, _PLAIN), (3, _RLE), (4, _RLE))
    header = encode(struct((1, _DATA_PAGE), (2, len(page)), (3, len(packed)), (5, of_page)))
    start = len(body)
    body += header
    body += packed
    meta = struct(
        (1, column.kind.physical),
        (2, [_PLAIN, _RLE]),
        (3, [column.name]),
        (4, _GZIP),
        (5, Int64(rows)),
        (6, Int64(len(header) + len(page))),
        (7, Int64(len(body) - start)),
        (9, Int64(start)),
    )
    return struct((2, Int64(start)), (3, meta))


def _levels(present: np.ndarray) -> bytes:
    """Which rows have a value: a run where all or none have one, else eight rows a byte."""
    if present.all() or not present.any():
        data = varint(len(present) << 1) + bytes([int(present[0])])
    else:
        bits = np.packbits(present, bitorder="little").tobytes()
        data = varint(len(bits) << 1 | 1) + bits
    return binary.pack("<I", len(data)) + data


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(data) + packer.flush()
