"""Parquet files put side by side: the columns of two files of the same rows as one file, without encoding them again.

A column of a Parquet file is a run of bytes that stands for itself, and the footer says where each begins. So the bytes are
copied, and a footer is written that knows both. It is a Thrift struct in the compact protocol; what it holds besides places
and sums is carried over whatever it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

_MAGIC = b"PAR1"
_LENGTH_BYTES = 4
_TAIL = _LENGTH_BYTES + len(_MAGIC)

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_VARINTS = (_I16, _I32, _I64)
_DOUBLE_BYTES = 8
_LONG_LIST = _LONG_STEP = 15
_SEVEN = 0x7F
_MORE = 0x80

# Numbers of fields in parquet.thrift.
_SCHEMA, _ROWS, _ROW_GROUPS, _COLUMN_ORDERS = 2, 3, 4, 7
_CHILDREN = 5
_CHUNKS, _TOTAL_SIZE, _GROUP_ROWS, _GROUP_PLACE, _GROUP_BYTES = 1, 2, 3, 5, 6
_META = 3
_PLACES = (9, 10, 11)
"""Of data pages, of the index, of the dictionary."""


@dataclass
class _Value:
    """A value of the compact protocol."""

    kind: int
    held: object
    """int for all whole numbers, bytes for what is opaque, a list of values, or fields by their number."""
    of: int = 0
    """Kind of a list's values."""

    @property
    def number(self) -> int:
        return cast("int", self.held)

    @property
    def items(self) -> list[_Value]:
        return cast("list[_Value]", self.held)

    @property
    def fields(self) -> dict[int, _Value]:
        return cast("dict[int, _Value]", self.held)

    def add(self, field: int, other: _Value) -> None:
        """Adds another struct's number in a field, if both have it."""
        if field in self.fields:
            self.fields[field].held = self.fields[field].number + other.fields[field].number


def side_by_side(first: bytes, second: bytes) -> bytes:
    """One file with the columns of ``first``, then those of ``second``: that which writing all at once gives.

    No name is in both. Raises ValueError if their rows do not stand in as many and as large row groups.
    """
    footer, added = _footer(first), _footer(second)
    groups, others = footer.fields[_ROW_GROUPS].items, added.fields[_ROW_GROUPS].items
    if _sizes(groups) != _sizes(others):
        raise ValueError("files with other row groups cannot be put side by side")
    root, *_ = footer.fields[_SCHEMA].items
    other_root, *columns = added.fields[_SCHEMA].items
    root.add(_CHILDREN, other_root)
    footer.fields[_SCHEMA].items.extend(columns)
    if _COLUMN_ORDERS in footer.fields:
        footer.fields[_COLUMN_ORDERS].items.extend(added.fields[_COLUMN_ORDERS].items)
    pieces: list[bytes | memoryview] = [_MAGIC]
    place = len(_MAGIC)
    for group, other in zip(groups, others, strict=True):
        pieces.append(_moved(group, first, place))
        pieces.append(_moved(other, second, place + len(pieces[-1])))
        group.fields[_GROUP_PLACE].held = place
        place += len(pieces[-1]) + len(pieces[-2])
        for field in (_TOTAL_SIZE, _GROUP_BYTES):
            group.add(field, other)
        group.fields[_CHUNKS].items.extend(other.fields[_CHUNKS].items)
    written = bytearray()
    _write(written, footer)
    return b"".join((*pieces, written, len(written).to_bytes(_LENGTH_BYTES, "little"), _MAGIC))


def _sizes(groups: list[_Value]) -> list[int]:
    return [group.fields[_GROUP_ROWS].number for group in groups]


def _moved(group: _Value, content: bytes, to: int) -> memoryview:
    """The bytes of a row group, whose columns are told that it begins there."""
    place = group.fields[_GROUP_PLACE].number
    for chunk in group.fields[_CHUNKS].items:
        meta = chunk.fields[_META].fields
        for field in _PLACES:
            if field in meta:
                meta[field].held = meta[field].number + to - place
    return memoryview(content)[place : place + group.fields[_GROUP_BYTES].number]


def _footer(content: bytes) -> _Value:
    length = int.from_bytes(content[-_TAIL : -len(_MAGIC)], "little")
    return _Reading(content[-_TAIL - length : -_TAIL]).value(_STRUCT)


class _Reading:
    """Values of the compact protocol, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def value(self, kind: int) -> _Value:
        """The next value, of this kind."""
        if kind in _VARINTS:
            number = self._varint()
            return _Value(kind, (number >> 1) ^ -(number & 1))
        if kind == _STRUCT:
            return _Value(kind, self._fields())
        if kind in (_LIST, _SET):
            size, of = self._header()
            return _Value(kind, [self.value(of) for _ in range(size)], of)
        if kind == _BINARY:
            return _Value(kind, self._bytes(self._varint()))
        if kind in (_BYTE, _TRUE, _FALSE):
            return _Value(kind, self._bytes(1))
        if kind == _DOUBLE:
            return _Value(kind, self._bytes(_DOUBLE_BYTES))
        raise ValueError(f"a footer holds a value of kind {kind}")

    def _fields(self) -> dict[int, _Value]:
        found: dict[int, _Value] = {}
        number = 0
        while head := self._byte():
            kind = head & 0xF
            if head >> 4:
                number += head >> 4
            else:
                number = self.value(_I16).number
            # A truth value is told by its kind alone.
            found[number] = _Value(kind, b"") if kind in (_TRUE, _FALSE) else self.value(kind)
        return found

    def _header(self) -> tuple[int, int]:
        head = self._byte()
        size = head >> 4
        return self._varint() if size == _LONG_LIST else size, head & 0xF

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & _SEVEN) << shift
            if byte < _MORE:
                return found
            shift += 7


def _write(out: bytearray, value: _Value) -> None:
    if value.kind in _VARINTS:
        _write_varint(out, _zigzag(value.number))
    elif value.kind == _STRUCT:
        before = 0
        for number, field in value.fields.items():
            if 0 < number - before <= _LONG_STEP:
                out.append((number - before) << 4 | field.kind)
            else:
                out.append(field.kind)
                _write_varint(out, _zigzag(number))
            _write(out, field)
            before = number
        out.append(0)
    elif value.kind in (_LIST, _SET):
        if len(value.items) < _LONG_LIST:
            out.append(len(value.items) << 4 | value.of)
        else:
            out.append(_LONG_LIST << 4 | value.of)
            _write_varint(out, len(value.items))
        for item in value.items:
            _write(out, item)
    else:
        content = cast("bytes", value.held)
        if value.kind == _BINARY:
            _write_varint(out, len(content))
        out += content


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _write_varint(out: bytearray, number: int) -> None:
    while number >= _MORE:
        out.append(number & _SEVEN | _MORE)
        number >>= 7
    out.append(number)
