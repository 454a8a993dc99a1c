"""Decision trees walked three levels at a stride, many trees and rows together.

A call of NumPy costs more than what it does for a hundred trees, so a stride makes seven comparisons at once and looks
up where they lead: to one of eight, each the start of another stride or a leaf. Walks that have arrived leave the rest
to go on without them.

Strides are what the file of a program holds: they are laid out when a model is compiled, and walked where they were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard_runtime.twin.node import Node

LEVELS = 3
_INNER = (1 << LEVELS) - 1
_OUTER = 1 << LEVELS
_MAX_STRIDES = 1 << 14
"""From a root to a leaf; more is no tree that anybody fitted, and takes hours to walk."""
# Arrays without an axis are cheaper to compute with than Python's own numbers.
_SHIFT = np.array(LEVELS)
_NOUGHT = np.array(0)
_FEATURE_TYPES = (np.uint8, np.uint16, np.int32)


def _places() -> np.ndarray:
    """For the truth values of a stride as bits, the k-th for the k-th node of a heap, which of the eight is reached."""
    found = np.empty(1 << _OUTER, dtype=np.intp)
    for bits in range(len(found)):
        place = 0
        for _ in range(LEVELS):
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
    missing: np.ndarray
    """For each stride as bits: where a missing value goes to the right."""
    ends: np.ndarray
    """For each stride in turn what stands at its eight ends, as in ``first``."""

    @property
    def leaf_count(self) -> int:
        """Leaves of all trees."""
        return -int(min(self.first.min(), self.ends.min(initial=-1)))

    def leaves(self, rows: np.ndarray, first: np.ndarray, *, missing: bool) -> np.ndarray:
        """The leaf of each row in the trees that start there, shape (rows, trees).

        The rows are of the thresholds' type; ``missing`` says whether to look for NaN.
        """
        count, width = rows.shape
        flat = np.ascontiguousarray(rows).ravel()
        leaf = first if count == 1 else np.tile(first, count)
        offset = None if count == 1 else np.repeat(np.arange(0, count * width, width), len(first))
        going = (leaf >= _NOUGHT).nonzero()[0]
        at, leaf = leaf.take(going), leaf.copy()
        while len(at):
            places = self.features.take(at, 0)
            values = flat.take(places if offset is None else places + offset.take(going)[:, np.newaxis])
            right = np.packbits(values > self.thresholds.take(at, 0), bitorder="little")
            if missing:
                right |= np.packbits(np.isnan(values), bitorder="little") & self.missing.take(at)
            at = self.ends.take(_PLACES.take(right) + (at << _SHIFT)).astype(np.intp)
            leaf[going] = at
            still = (at >= _NOUGHT).nonzero()[0]
            at, going = at.take(still), going.take(still)
        return (~leaf).reshape(count, -1)


@dataclass(frozen=True)
class Siblings:
    """A tree whose siblings stand side by side; a leaf is its own left child, and its threshold infinite."""

    left: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_right: np.ndarray


def laid_out(trees: Sequence[Siblings], *, single: bool) -> dict[str, np.ndarray]:
    """The arrays from which ``strides_of`` makes the strides; ``single`` says that rows are in single precision.

    Leaves are counted through all trees, in the order in which they stand.
    """
    parts = [_of_tree(tree) for tree in trees]
    strides = np.array([len(part["features"]) for part in parts])
    leaves = np.array([int((tree.left == np.arange(len(tree.left))).sum()) for tree in trees])
    before, leaves_before = np.cumsum(strides) - strides, np.cumsum(leaves) - leaves
    for part, stride, leaf in zip(parts, before, leaves_before, strict=True):
        for name in ("first", "ends"):
            part[name] = np.where(part[name] < 0, part[name] - leaf, part[name] + stride)
    held = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    most = int(held["features"].max(initial=0))
    small = next(kind for kind in _FEATURE_TYPES if most <= np.iinfo(kind).max)
    threshold = held["thresholds"]
    return {
        "first": held["first"].astype(np.int32),
        "features": held["features"].astype(small),
        "thresholds": rounded_down(threshold) if single else threshold.astype(np.float64),
        "missing": held["missing"],
        "ends": held["ends"].astype(np.int32),
    }


def _of_tree(tree: Siblings) -> dict[str, np.ndarray]:
    left = tree.left
    is_leaf = left == np.arange(len(left))
    leaf_number = ~(np.cumsum(is_leaf) - 1)
    starts = np.zeros(0 if is_leaf[0] else 1, dtype=np.int64)
    heaps, ends, known = [], [], len(starts)
    while len(starts):
        heap = np.empty((len(starts), _INNER + _OUTER), dtype=np.int64)
        heap[:, 0] = starts
        for place in range(_INNER):
            at = heap[:, place]
            # Below a leaf the leaf is repeated: whatever is compared there leads to it.
            heap[:, 2 * place + 1] = left[at]
            heap[:, 2 * place + 2] = left[at] + ~is_leaf[at]
        outer = heap[:, _INNER:]
        arrived = is_leaf[outer]
        starts = outer[~arrived]
        end = np.where(arrived, leaf_number[outer], 0)
        end[~arrived] = known + np.arange(len(starts))
        known += len(starts)
        heaps.append(heap[:, :_INNER])
        ends.append(end)
    inner = np.concatenate(heaps) if heaps else np.zeros((0, _INNER), dtype=np.int64)
    last = ((0, 0), (0, 1))
    return {
        "first": np.array([leaf_number[0] if is_leaf[0] else 0]),
        "features": np.pad(tree.feature[inner], last),
        "thresholds": np.pad(tree.threshold[inner], last),
        "missing": np.packbits(tree.missing_right[inner], axis=1, bitorder="little")[:, 0],
        "ends": np.concatenate(ends) if ends else np.zeros((0, _OUTER), dtype=np.int64),
    }


def strides_of(node: Node, width: int, *, single: bool) -> Strides:
    """Strides of a node's arrays, over rows of this width. Raises TwinFormatError where a walk would leave them."""
    first = node.numbers("first", np.int32, None)
    features = node.one_of("features", _FEATURE_TYPES, None, _OUTER)
    count = len(features)
    thresholds = node.numbers("thresholds", np.float32 if single else np.float64, count, _OUTER)
    missing = node.numbers("missing", np.uint8, count)
    ends = node.numbers("ends", np.int32, count, _OUTER)
    if features.min(initial=0) < 0 or features.max(initial=0) >= width:
        raise node.broken("features")
    if not len(first) or not _are_trees(first, ends):
        raise node.broken("ends")
    return Strides(first.astype(np.intp), features, thresholds, missing, ends.ravel())


def _are_trees(first: np.ndarray, ends: np.ndarray) -> bool:
    """Whether each stride is the first of a tree, or at one end of one stride before it: then every walk ends, and soon."""
    count = len(ends)
    follow = ends[ends >= 0]
    known = np.concatenate([first[first >= 0], follow])
    if (
        len(known) != count
        or known.max(initial=-1) >= count
        or (np.bincount(known, minlength=count) != 1).any()
    ):
        return False
    before = np.repeat(np.arange(count, dtype=np.int32), (ends >= 0).sum(axis=1))
    if (follow <= before).any():
        return False
    level, depth = first[first >= 0], 0
    while len(level):
        depth += 1
        if depth > _MAX_STRIDES:
            return False
        level = ends.take(level, 0)
        level = level[level >= 0]
    return True


def rounded_down(threshold: np.ndarray) -> np.ndarray:
    """In single precision the greatest that is not above: single values compare with it as with the threshold."""
    with np.errstate(over="ignore"):
        single = threshold.astype(np.float32)
    return np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
