"""Hashes of rows and values that depend on nothing but the values, computed over whole arrays.

All arithmetic is modulo 2^64. ``mix`` is the finaliser of splitmix64 (Steele, Lea, Flood 2014) after adding its constant.

A row's hash starts as ``mix(seed)``; for each key column in order it becomes ``mix(hash XOR value)``, where the value is

- Integer: ``mix`` of its two's complement;
- Number: ``mix`` of its bits, with one zero and one NaN;
- Boolean: ``mix`` of 0 or 1;
- Text: the UTF-8 bytes are padded with zeros to 8-byte little-endian words; a state that starts as ``mix`` of the
  number of bytes becomes ``mix(state XOR word)`` for each.

A cell is one uint64 that stands for a value within its column:

- Integer: its two's complement; Number: its bits, with one zero and one NaN; Boolean: 0 or 1;
- Text: ``mix`` of the number of bytes, plus for each word, counted from 1, ``mix(word XOR mix(position))``: a sum, so
  that a text of ten megabytes costs as much as as many short ones;
- null: 0xFFF86D6F64656C79, which is the bits of no canonical number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.columns import canonical_type, to_canonical

NULL = np.uint64(0xFFF86D6F64656C79)
"""The cell of a null."""

_NAN = np.uint64(0x7FF8000000000000)
_WORD = 8
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_MASKS = np.array([2**64 - 1, *((1 << (8 * count)) - 1 for count in range(1, _WORD))], dtype=np.uint64)
"""By the number of bytes modulo 8: what the last word keeps."""
_KEPT = np.array([(1 << (8 * count)) - 1 for count in range(_WORD + 1)], dtype=np.uint64)
"""By the number of bytes from its first one to the end of the text, 8 at most: what a word keeps."""
_PIECE = 16_384
_SHORT_WORDS = 32
"""Words of a text up to which a loop over positions is short."""


def mix(state: np.ndarray) -> np.ndarray:
    """splitmix64 of each uint64."""
    mixed = state + _GAMMA
    _finish(mixed, np.empty_like(mixed))
    return mixed


def mix_in_place(state: np.ndarray, scratch: np.ndarray) -> None:
    """splitmix64 of each uint64, written over it; ``scratch`` is an array of the same shape."""
    state += _GAMMA
    _finish(state, scratch)


def _finish(z: np.ndarray, scratch: np.ndarray) -> None:
    np.right_shift(z, 30, out=scratch)
    z ^= scratch
    z *= _FIRST
    np.right_shift(z, 27, out=scratch)
    z ^= scratch
    z *= _SECOND
    np.right_shift(z, 31, out=scratch)
    z ^= scratch


def row_hashes(table: pa.Table, key: Sequence[str], seed: int) -> np.ndarray:
    """One uint64 for each row, which depends on the seed and the row's key alone. The key's columns hold no nulls."""
    named = to_canonical(table.select(list(key)))
    state = np.broadcast_to(mix(np.array([seed], dtype=np.uint64)), (table.num_rows,))
    for field in named.schema:
        state = mix(state ^ _key_values(canonical_type(field), whole(named.column(field.name))))
    return state


def cells(kind: ColumnType, values: pa.Array) -> np.ndarray:
    """The cell of each value of a canonical array."""
    if kind is ColumnType.TEXT:
        found = _text_cells(*text_buffers(values.cast(pa.large_string())))
    elif kind is ColumnType.NUMBER:
        found = canonical_bits(fixed_width(values, np.float64))
    elif kind is ColumnType.INTEGER:
        found = fixed_width(values, np.int64).view(np.uint64)
    else:
        found = flags(values).astype(np.uint64)
    return np.where(valid(values), found, NULL) if values.null_count else found


def text_cells(values: pa.Array) -> np.ndarray:
    """The cell of each value of an array of texts; what it takes besides stays in the cache of a core."""
    pieces = [cells(ColumnType.TEXT, values.slice(start, _PIECE)) for start in range(0, len(values), _PIECE)]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint64)


def canonical_bits(numbers: np.ndarray) -> np.ndarray:
    """Bits of float64 values as little-endian uint64, with one zero and one NaN."""
    bits = (numbers + 0.0).view(np.uint64)
    strange = np.isnan(numbers)
    if strange.any():
        bits[strange] = _NAN
    return bits.astype("<u8", copy=False)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def fixed_width(values: pa.Array, kind: type[np.generic]) -> np.ndarray:
    """Values of an int64 or float64 array without a copy; what stands at a null means nothing."""
    if len(values) == 0:
        return np.zeros(0, dtype=kind)
    held = np.frombuffer(values.buffers()[1], dtype=kind)
    return held[values.offset : values.offset + len(values)]


def flags(values: pa.Array) -> np.ndarray:
    """Values of a Boolean array; what stands at a null means nothing."""
    return np.asarray(values.fill_null(fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)


def valid(values: pa.Array) -> np.ndarray:
    """True where there is a value."""
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def text_buffers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (int64, from 0, one more than there are rows) and UTF-8 bytes of a large_string array."""
    _, offset_buffer, data = texts.buffers()
    if len(texts) == 0:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    if data is None or data.size == 0:
        return offsets - offsets[0], np.zeros(0, dtype=np.uint8)
    return offsets - offsets[0], np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]


def _key_values(kind: ColumnType, values: pa.Array) -> np.ndarray:
    if kind is ColumnType.TEXT:
        return _text_hashes(*text_buffers(values.cast(pa.large_string())))
    return mix(cells(kind, values))


def _text_hashes(offsets: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Hash of each text of a key; the loop runs over word positions, not over rows."""
    lengths = np.diff(offsets)
    counts = (lengths + _WORD - 1) // _WORD
    starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    words = _words(offsets, content, counts)
    state = mix(lengths.astype(np.uint64))
    position = 0
    active = np.flatnonzero(counts > position)
    while len(active):
        state[active] = mix(state[active] ^ words[starts[active] + position])
        position += 1
        active = active[counts[active] > position]
    return state


def _text_cells(offsets: np.ndarray, content: np.ndarray) -> np.ndarray:
    lengths = np.diff(offsets)
    counts = (lengths + _WORD - 1) // _WORD
    if counts.max(initial=0) <= _SHORT_WORDS:
        return _short_cells(offsets[:-1], lengths, content)
    ends = np.concatenate(([0], np.cumsum(counts)))
    positions = np.arange(1, int(ends[-1]) + 1) - np.repeat(ends[:-1], counts)
    mixed = mix(_words(offsets, content, counts) ^ mix(positions.astype(np.uint64)))
    sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(mixed, dtype=np.uint64)))
    found: np.ndarray = mix(lengths.astype(np.uint64)) + (sums[ends[1:]] - sums[ends[:-1]])
    return found


def _short_cells(starts: np.ndarray, lengths: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Cells of short texts; the loop runs over word positions and not over rows."""
    found = mix(lengths.astype(np.uint64))
    at_each_byte = _at_each_byte(content)
    active = np.flatnonzero(lengths > 0)
    rest, places = lengths[active], starts[active]
    position = 0
    while len(active):
        position += 1
        words = at_each_byte[places]
        longer = rest > _WORD
        on = longer.all()
        if not on:
            words &= _KEPT[np.minimum(rest, _WORD)]
        words ^= mix(np.array([position], dtype=np.uint64))
        mix_in_place(words, np.empty_like(words))
        if len(active) == len(found):
            found += words
        else:
            found[active] += words
        if not on:
            active, rest, places = active[longer], rest[longer], places[longer]
        rest = rest - _WORD
        places = places + _WORD
    return found


def _at_each_byte(content: np.ndarray) -> np.ndarray:
    """The word that begins at each byte, zeros behind the end."""
    padded = np.concatenate((content, np.zeros(_WORD, dtype=np.uint8)))
    return np.ndarray((len(content) + 1,), dtype="<u8", buffer=padded, strides=(1,))


def _words(offsets: np.ndarray, content: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """All words of all texts in order, the last one of each padded with zeros."""
    total = int(counts.sum())
    if total == 0:
        return np.zeros(0, dtype=np.uint64)
    at_each_byte = _at_each_byte(content)
    ends = np.cumsum(counts)
    within = np.arange(total) - np.repeat(ends - counts, counts)
    words: np.ndarray = at_each_byte[np.repeat(offsets[:-1], counts) + within * _WORD].astype(np.uint64)
    filled = counts > 0
    words[ends[filled] - 1] &= _MASKS[(np.diff(offsets)[filled] % _WORD)]
    return words
