"""Decision trees walked three levels at a stride, all trees of a few rows together.

A call of NumPy costs more than what it does for a hundred trees, so a stride makes seven comparisons at once and looks
up where they lead: to one of eight, each the start of another stride or a leaf. Walks that have arrived leave the rest
to go on without them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LEVELS = 3
_INNER = (1 << _LEVELS) - 1
_OUTER = 1 << _LEVELS
# Arrays without an axis are cheaper to compute with than Python's own numbers.
_SHIFT = np.array(_LEVELS)
_NOUGHT = np.array(0)
_ROOMY = 1 << 24
"""Bytes up to which features are held as what NumPy takes for indices; more would not fit the cache."""
_SHORT = 1 << 16


def _places() -> np.ndarray:
    """For the truth values of a stride as bits, the k-th for the k-th node of a heap, which of the eight is reached."""
    found = np.empty(1 << _OUTER, dtype=np.intp)
    for bits in range(len(found)):
        place = 0
        for _ in range(_LEVELS):
            place = 2 * place + 1 + (bits >> place & 1)
        found[bits] = place - _INNER
    return found


_PLACES = _places()


@dataclass(frozen=True)
class Strides:
    """See the module."""

    first: np.ndarray
    """Where each tree starts: a stride, or the complement of a leaf."""
    features: np.ndarray
    """Shape (strides, 8); the last is not looked at."""
    thresholds: np.ndarray
    """Shape (strides, 8), of the type of the rows that are walked."""
    ends: np.ndarray
    """For each stride in turn what stands at its eight ends, as in ``first``."""

    def leaves(self, rows: np.ndarray) -> np.ndarray:
        """The leaf of each row in each tree, shape (rows, trees). The rows are of the thresholds' type, without NaN."""
        count, width = rows.shape
        flat = np.ascontiguousarray(rows).ravel()
        leaf = self.first if count == 1 else np.tile(self.first, count)
        offset = None if count == 1 else np.repeat(np.arange(0, count * width, width), len(self.first))
        going = (leaf >= 0).nonzero()[0]
        at, leaf = leaf.take(going), leaf.copy()
        while len(at):
            places = self.features.take(at, 0)
            values = flat.take(places if offset is None else places + offset.take(going)[:, np.newaxis])
            right = np.packbits(values > self.thresholds.take(at, 0), bitorder="little")
            at = self.ends.take(_PLACES.take(right) + (at << _SHIFT)).astype(np.intp)
            leaf[going] = at
            still = (at >= _NOUGHT).nonzero()[0]
            at, going = at.take(still), going.take(still)
        return (~leaf).reshape(count, -1)


def strides_of(left: np.ndarray, feature: np.ndarray, threshold: np.ndarray, roots: np.ndarray) -> Strides:
    """Strides of the nodes of a walk: see ``walking``; ``threshold`` is of the type of the rows."""
    is_leaf = left == np.arange(len(left))
    features, thresholds, ends = [], [], []
    first = np.where(is_leaf[roots], ~roots, 0)
    starts = roots[~is_leaf[roots]]
    first[~is_leaf[roots]] = np.arange(len(starts))
    known = len(starts)
    while len(starts):
        heap = np.empty((len(starts), _INNER + _OUTER), dtype=np.intp)
        heap[:, 0] = starts
        for place in range(_INNER):
            at = heap[:, place]
            # Below a leaf the leaf is repeated: whatever is compared there leads to it.
            heap[:, 2 * place + 1] = left[at]
            heap[:, 2 * place + 2] = left[at] + ~is_leaf[at]
        inner, outer = heap[:, :_INNER], heap[:, _INNER:]
        features.append(np.pad(feature[inner], ((0, 0), (0, 1))))
        thresholds.append(np.pad(threshold[inner], ((0, 0), (0, 1))))
        arrived = is_leaf[outer]
        starts = outer[~arrived]
        end = np.where(arrived, ~outer, 0)
        end[~arrived] = known + np.arange(len(starts))
        known += len(starts)
        ends.append(end.ravel())
    small: type[np.generic] = np.uint16 if feature.max(initial=0) < _SHORT else np.int32
    roomy = known * _OUTER * np.dtype(np.intp).itemsize <= _ROOMY
    return Strides(
        first=first.astype(np.intp),
        features=_joined(features, np.intp if roomy else small),
        thresholds=_joined(thresholds, threshold.dtype.type),
        ends=np.concatenate(ends).astype(np.int32) if ends else np.zeros(0, dtype=np.int32),
    )


def _joined(parts: list[np.ndarray], kind: type[np.generic]) -> np.ndarray:
    return np.concatenate(parts).astype(kind) if parts else np.zeros((0, _OUTER), dtype=kind)


def rounded_down(threshold: np.ndarray) -> np.ndarray:
    """In single precision the greatest that is not above: single values compare with it as with the threshold."""
    with np.errstate(over="ignore"):
        single = threshold.astype(np.float32)
    return np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
