"""Decision trees as flat arrays: few rows walk through all trees at once, many through one tree after another.

How they walk is in ``striding``; here is how trees of all libraries come to it, and how what leaves say is added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard_runtime.twin import striding
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.striding import Siblings, Strides, strides_of

_MANY = 256
"""From this many rows on, a tree by itself is faster, since all its nodes fit the cache."""
_AT_ONCE = 1 << 13
"""Rows that walk through one tree together; more do not fit the cache."""


@dataclass(frozen=True)
class Tree:
    """One fitted tree, a leaf having no left child (negative)."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    values: np.ndarray
    """Shape (nodes, outputs)."""


def laid_out(trees: Sequence[Tree], *, single: bool) -> dict[str, np.ndarray]:
    """The arrays of a node from which ``walk_of`` makes the walk, and ``values`` of shape (leaves, outputs).

    ``single`` says that rows are in single precision.
    """
    sides, values = zip(*(_side_by_side(tree) for tree in trees), strict=True)
    return {**striding.laid_out(sides, single=single), "values": np.concatenate(values)}


def walk_of(node: Node, width: int, *, single: bool) -> Walk:
    """The walk of a node's arrays, over rows of this width. Raises TwinFormatError where it would leave them.

    ``single`` says that rows are in single precision.
    """
    return Walk(strides_of(node, width, single=single))


@dataclass(frozen=True)
class Walk:
    """See the module."""

    strides: Strides

    @property
    def trees(self) -> int:
        """How many there are."""
        return len(self.strides.first)

    @property
    def leaf_count(self) -> int:
        """How many values there must be."""
        return self.strides.leaf_count

    def sums(self, values: np.ndarray, rows: np.ndarray, start: np.ndarray, *, missing: bool) -> np.ndarray:
        """For each row ``start`` and the values of its leaves, added up in order of the trees; shape (rows, outputs).

        ``values`` has one axis, the trees' outputs taking turns, or a second of outputs. ``missing`` says whether to
        look for NaN.
        """
        pieces = [
            self._many(values, rows[first : first + _AT_ONCE], start, missing=missing)
            if len(rows) >= _MANY
            else self._few(values, rows, start, missing=missing)
            for first in range(0, len(rows), _AT_ONCE)
        ]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def sum_alone(self, values: np.ndarray, row: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        """As ``sums`` for a single row with nothing missing, shape (1, width): one value for each output."""
        terms = values.take(self._leaves(row)[0], 0)
        if start is not None:
            terms = terms.reshape(-1, len(start))
            terms[0] += start
        return np.asarray(np.add.accumulate(terms)[-1:] if terms.ndim == 1 else np.add.accumulate(terms)[-1])

    def each(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What each tree says to rows in which nothing is missing, shape (rows, trees)."""
        pieces = [
            values.take(self._leaves(rows[first : first + _MANY])) for first in range(0, len(rows), _MANY)
        ]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _few(self, values: np.ndarray, rows: np.ndarray, start: np.ndarray, *, missing: bool) -> np.ndarray:
        terms = values[self._leaves(rows, missing=missing)].reshape(len(rows), -1, len(start))
        terms[:, 0] += start
        # A plain sum may add in pairs.
        return np.add.accumulate(terms, axis=1)[:, -1]

    def _many(self, values: np.ndarray, rows: np.ndarray, start: np.ndarray, *, missing: bool) -> np.ndarray:
        total = np.repeat(start[np.newaxis], len(rows), axis=0)
        first = self.strides.first
        for at in range(len(first)):
            leaves = self.strides.leaves(rows, first[at : at + 1], missing=missing)[:, 0]
            if values.ndim > 1:
                total += values.take(leaves, axis=0)
            else:
                total[:, at % len(start)] += values.take(leaves)
        return total

    def _leaves(self, rows: np.ndarray, *, missing: bool = False) -> np.ndarray:
        return self.strides.leaves(rows, self.strides.first, missing=missing)


def _side_by_side(tree: Tree) -> tuple[Siblings, np.ndarray]:
    """The tree, and what its leaves say in the order in which they stand in it."""
    count = len(tree.left)
    inner = np.flatnonzero(tree.left >= 0)
    place = np.zeros(count, dtype=np.int64)
    place[tree.left[inner]] = 1 + 2 * np.arange(len(inner))
    place[tree.right[inner]] = 2 + 2 * np.arange(len(inner))
    left = place.copy()
    left[inner] = place[tree.left[inner]]
    is_leaf = tree.left < 0
    order = np.argsort(place)
    siblings = Siblings(
        left=left[order],
        feature=np.where(is_leaf, 0, tree.feature)[order],
        threshold=np.where(is_leaf, np.inf, tree.threshold)[order],
        missing_right=(~is_leaf & ~tree.missing_left.astype(bool))[order],
    )
    return siblings, tree.values.astype(np.float64)[order][is_leaf[order]]
