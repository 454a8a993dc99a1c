"""Which rows are held out for the final test: by a hash of seed and key, so that it is stable while rows arrive.

All arithmetic is modulo 2^64. ``mix`` is the finaliser of splitmix64 after adding its constant. A row's hash starts
as ``mix(seed)``; for each key column in order it becomes ``mix(hash XOR value)``, where the value is

- Integer: ``mix`` of its two's complement;
- Number: ``mix`` of its bits, with one zero;
- Boolean: ``mix`` of 0 or 1;
- Text: the UTF-8 bytes are padded with zeros to 8-byte little-endian words; a state that starts as ``mix`` of the
  number of bytes becomes ``mix(state XOR word)`` for each.

A row is held out if the upper 53 bits of its hash are less than ``testPercent / 100 * 2^53``, rounded down.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.columns import canonical_type, to_canonical
from modelyard_runtime.digest import canonical_bits, text_buffers

_WORD = 8


def held_out(table: pa.Table, key: Sequence[str], split: Split) -> np.ndarray:
    """True for each row of the table that is held out. The key's columns hold no nulls."""
    threshold = int(Decimal(split.test_percent) / 100 * 2**53)
    return (row_hashes(table, key, split.seed) >> np.uint64(11)) < np.uint64(threshold)


def row_hashes(table: pa.Table, key: Sequence[str], seed: int) -> np.ndarray:
    """One uint64 for each row, which depends on the seed and the row's key alone."""
    named = to_canonical(table.select(list(key)))
    state = np.broadcast_to(mix(np.array([seed], dtype=np.uint64)), (table.num_rows,))
    for field in named.schema:
        state = mix(state ^ _hashes(canonical_type(field), named.column(field.name)))
    return state


def mix(state: np.ndarray) -> np.ndarray:
    """splitmix64 of each uint64."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _hashes(kind: ColumnType, column: pa.ChunkedArray) -> np.ndarray:
    if kind is ColumnType.TEXT:
        texts = column.cast(pa.large_string()).combine_chunks()
        whole = pa.concat_arrays(texts.chunks) if isinstance(texts, pa.ChunkedArray) else texts
        return _text_hashes(*text_buffers(whole))
    values = column.to_numpy()
    if kind is ColumnType.NUMBER:
        return mix(canonical_bits(values))
    return mix(values.astype(np.int64).view(np.uint64))


def _text_hashes(offsets: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Hash of each text; the loop runs over word positions, not over rows."""
    lengths = np.diff(offsets)
    counts = (lengths + _WORD - 1) // _WORD
    starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    padded = np.zeros(int(counts.sum()) * _WORD, dtype=np.uint8)
    shift = np.repeat(starts * _WORD - offsets[:-1], lengths)
    padded[np.arange(len(content)) + shift] = content
    words = padded.view("<u8")
    state = mix(lengths.astype(np.uint64))
    position = 0
    active = np.flatnonzero(counts > position)
    while len(active):
        state[active] = mix(state[active] ^ words[starts[active] + position])
        position += 1
        active = active[counts[active] > position]
    return state
