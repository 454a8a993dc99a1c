"""Decision trees as flat arrays: few rows walk through all trees at once, many through one tree after another.

Few rows go in strides of three levels (``striding``), many level by level, and so do rows with missing values. Siblings stand side by side, so a step is ``left[node] + (value > threshold[node])``. A leaf is its own left child with an
infinite threshold: a walk that has arrived stays, and walks that go together take as many steps as the deepest has levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.striding import Strides, rounded_down, strides_of

_MAX_DEPTH = 1 << 16
_MANY = 256
"""From this many rows on, a tree by itself is faster, since all its nodes fit the cache."""
_AT_ONCE = 1 << 16
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


def laid_out(trees: Sequence[Tree]) -> dict[str, np.ndarray]:
    """The arrays of a node from which ``walk_of`` makes the walk, and ``values`` of shape (nodes, outputs)."""
    parts = [_one(tree) for tree in trees]
    sizes = [len(part["feature"]) for part in parts]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    arrays["left"] = (arrays["left"] + np.repeat(roots, sizes)).astype(np.int32)
    left = arrays["left"].astype(np.int64)
    depths = np.array([_depth(left, root) for root in roots.tolist()], dtype=np.int32)
    return {**arrays, "roots": roots, "depths": depths}


def _depth(left: np.ndarray, root: int) -> int:
    level, depth = np.array([root]), 0
    while len(inner := level[left[level] != level]):
        level = np.concatenate([left[inner], left[inner] + 1])
        depth += 1
    return depth


def walk_of(node: Node, width: int, *, single: bool) -> Walk:
    """The walk of a node's arrays, over rows of this width. Raises TwinFormatError where it would leave them.

    ``single`` says that rows are in single precision.
    """
    feature = node.numbers("feature", np.int32, None)
    count = len(feature)
    left = node.numbers("left", np.int32, count).astype(np.intp)
    threshold = node.numbers("threshold", np.float64, count)
    missing_right = node.numbers("missingRight", np.bool_, count)
    roots = node.numbers("roots", np.int32, None).astype(np.intp)
    leaf = left == np.arange(count)
    if not count or not len(roots) or feature.min() < 0 or feature.max() >= width:
        raise node.broken("feature")
    if not _are_trees(left, leaf, roots) or not np.isposinf(threshold[leaf]).all():
        raise node.broken("left")
    depths = node.numbers("depths", np.int32, len(roots))
    if depths.max() > _MAX_DEPTH or not _are_depths(left, leaf, roots, depths):
        raise node.broken("depths")
    held = rounded_down(threshold) if single else threshold
    strides = strides_of(left, feature, held, roots)
    return Walk(feature.astype(np.intp), held, left, missing_right, roots, tuple(depths.tolist()), strides)


def _are_trees(left: np.ndarray, leaf: np.ndarray, roots: np.ndarray) -> bool:
    """Whether every node is a root or the child of one node that stands before it: then every walk ends."""
    own = np.arange(len(left))
    first = left[~leaf]
    if (left < own).any() or (first + 1 >= len(left)).any() or roots.min() < 0 or roots.max() >= len(left):
        return False
    parents = np.bincount(np.concatenate([roots, first, first + 1]), minlength=len(left))
    return bool((parents == 1).all())


def _are_depths(left: np.ndarray, leaf: np.ndarray, roots: np.ndarray, depths: np.ndarray) -> bool:
    """Whether each tree has so many levels: a walk that is told more steps through leaves for nothing, for hours."""
    found = np.zeros(len(roots), dtype=np.int64)
    level, tree, depth = roots, np.arange(len(roots)), 0
    while (inner := ~leaf[level]).any():
        depth += 1
        if depth > _MAX_DEPTH:
            return False
        first, tree = left[level[inner]], tree[inner]
        found[tree] = depth
        level, tree = np.concatenate([first, first + 1]), np.concatenate([tree, tree])
    return bool((found == depths).all())


@dataclass(frozen=True)
class Walk:
    """See the module."""

    feature: np.ndarray
    threshold: np.ndarray
    """Of the type of the rows."""
    left: np.ndarray
    missing_right: np.ndarray
    roots: np.ndarray
    depths: tuple[int, ...]
    strides: Strides

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
        terms = values.take(self.strides.leaves(row)[0], 0)
        if start is not None:
            terms = terms.reshape(-1, len(start))
            terms[0] += start
        return np.asarray(np.add.accumulate(terms)[-1:] if terms.ndim == 1 else np.add.accumulate(terms)[-1])

    def _few(self, values: np.ndarray, rows: np.ndarray, start: np.ndarray, *, missing: bool) -> np.ndarray:
        leaves = (
            self._leaves(rows, self.roots, max(self.depths), missing=missing)
            if missing
            else self.strides.leaves(rows)
        )
        terms = values[leaves].reshape(len(rows), -1, len(start))
        terms[:, 0] += start
        # A plain sum may add in pairs.
        return np.add.accumulate(terms, axis=1)[:, -1]

    def _many(self, values: np.ndarray, rows: np.ndarray, start: np.ndarray, *, missing: bool) -> np.ndarray:
        total = np.repeat(start[np.newaxis], len(rows), axis=0)
        for at, depth in enumerate(self.depths):
            leaves = self._leaves(rows, self.roots[at : at + 1], depth, missing=missing)[:, 0]
            if values.ndim > 1:
                total += values.take(leaves, axis=0)
            else:
                total[:, at % len(start)] += values.take(leaves)
        return total

    def _leaves(self, rows: np.ndarray, roots: np.ndarray, depth: int, *, missing: bool) -> np.ndarray:
        """The leaf of each row in each tree, shape (rows, trees)."""
        flat = np.ascontiguousarray(rows).ravel()
        node = np.repeat(roots[np.newaxis], len(rows), axis=0)
        start = np.arange(0, len(flat), rows.shape[1])[:, np.newaxis] if len(rows) > 1 else None
        for _ in range(depth):
            at = self.feature.take(node)
            if start is not None:
                at += start
            value = flat.take(at)
            right = value > self.threshold.take(node)
            if missing:
                right |= np.isnan(value) & self.missing_right.take(node)
            node = self.left.take(node)
            node += right
        return node


def _one(tree: Tree) -> dict[str, np.ndarray]:
    count = len(tree.left)
    inner = np.flatnonzero(tree.left >= 0)
    place = np.zeros(count, dtype=np.int64)
    place[tree.left[inner]] = 1 + 2 * np.arange(len(inner))
    place[tree.right[inner]] = 2 + 2 * np.arange(len(inner))
    left = place.copy()
    left[inner] = place[tree.left[inner]]
    is_leaf = tree.left < 0
    held = {
        "feature": np.where(is_leaf, 0, tree.feature).astype(np.int32),
        "threshold": np.where(is_leaf, np.inf, tree.threshold).astype(np.float64),
        "left": left,
        "missingRight": ~is_leaf & ~tree.missing_left.astype(bool),
        "values": tree.values.astype(np.float64),
    }
    order = np.argsort(place)
    return {name: values[order] for name, values in held.items()}
