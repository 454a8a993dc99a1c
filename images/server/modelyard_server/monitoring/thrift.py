"""As much of Thrift's compact protocol as a Parquet file's headers need: structs, lists, whole numbers and texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_TRUE, _FALSE, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 2, 5, 6, 8, 9, 12
_SHORT_LIST = 15
_SEVEN_BITS = 0x7F


class Int64(int):
    """A whole number that its field declares as 64 bits wide; a plain ``int`` is 32."""


class Struct(tuple[tuple[int, "Value"], ...]):
    """Fields by their ids, ascending; a field whose value is None is left out."""

    __slots__ = ()


Value = bool | int | Int64 | str | bytes | Struct | Sequence["Value"] | None


def struct(*fields: tuple[int, Value]) -> Struct:
    """A struct of those fields that have a value."""
    return Struct((number, value) for number, value in fields if value is not None)


def encode(value: Struct) -> bytes:
    """The bytes of a struct."""
    out = bytearray()
    _struct(out, value)
    return bytes(out)


def varint(number: int) -> bytes:
    """A whole number from 0 upwards, seven bits a byte, the lowest first."""
    out = bytearray()
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _zigzag(number: int) -> bytes:
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _struct(out: bytearray, fields: Iterable[tuple[int, Value]]) -> None:
    last = 0
    for number, value in fields:
        kind = (_TRUE if value else _FALSE) if isinstance(value, bool) else _kind(value)
        out.append((number - last) << 4 | kind)
        last = number
        if not isinstance(value, bool):
            _value(out, value)
    out.append(0)


def _value(out: bytearray, value: Value) -> None:
    if isinstance(value, int):
        out += _zigzag(value)
    elif isinstance(value, Struct):
        _struct(out, value)
    elif isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        out += varint(len(data)) + data
    elif value is not None:
        kind = _kind(value[0])
        if len(value) < _SHORT_LIST:
            out.append(len(value) << 4 | kind)
        else:
            out.append(0xF0 | kind)
            out += varint(len(value))
        for item in value:
            _value(out, item)


def _kind(value: Value) -> int:
    if isinstance(value, Struct):
        return _STRUCT
    if isinstance(value, str | bytes):
        return _BINARY
    if isinstance(value, Int64):
        return _I64
    return _I32 if isinstance(value, int) else _LIST
