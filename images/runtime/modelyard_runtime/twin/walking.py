"""Decision trees as flat arrays, all walked at once: one level of every tree for every row in a few operations.

Siblings stand side by side, so a step is ``left[node] + (value > threshold[node])``. A leaf is its own left child with an
infinite threshold: a walk that has arrived stays, and every walk takes as many steps as the deepest tree has levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard_runtime.twin.node import Node

_MAX_DEPTH = 1 << 16
_AT_ONCE = 1 << 16
"""Walks that go on together; more do not fit the cache."""


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
    return {**arrays, "roots": roots}


def depth_of(arrays: dict[str, np.ndarray]) -> int:
    """Levels of the deepest tree, not counting its root."""
    left, level = arrays["left"].astype(np.int64), arrays["roots"].astype(np.int64)
    depth = 0
    while len(inner := level[left[level] != level]):
        level = np.concatenate([left[inner], left[inner] + 1])
        depth += 1
    return depth


def walk_of(node: Node, width: int) -> Walk:
    """The walk of a node's arrays, over rows of this width. Raises TwinFormatError where it would leave them."""
    feature = node.numbers("feature", np.int32, None)
    count = len(feature)
    left = node.numbers("left", np.int32, count).astype(np.intp)
    threshold = node.numbers("threshold", np.float64, count)
    missing_right = node.numbers("missingRight", np.bool_, count)
    roots = node.numbers("roots", np.int32, None).astype(np.intp)
    own = np.arange(count)
    leaf = left == own
    if not count or not len(roots) or feature.min() < 0 or feature.max() >= width:
        raise node.broken("feature")
    if roots.min() < 0 or roots.max() >= count:
        raise node.broken("roots")
    # Children stand behind their parents: every walk ends.
    if (left < own).any() or (left[~leaf] + 1 >= count).any() or not np.isposinf(threshold[leaf]).all():
        raise node.broken("left")
    return Walk(
        feature.astype(np.intp), threshold, left, missing_right, roots, node.count("depth", _MAX_DEPTH)
    )


@dataclass(frozen=True)
class Walk:
    """See the module."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    missing_right: np.ndarray
    roots: np.ndarray
    depth: int

    @property
    def rows_at_once(self) -> int:
        """How many rows it is best given."""
        return max(1, _AT_ONCE // len(self.roots))

    def leaves(self, rows: np.ndarray, *, missing: bool) -> np.ndarray:
        """The leaf of each row in each tree, shape (rows, trees); ``missing`` says whether to look for NaN."""
        flat = np.ascontiguousarray(rows).ravel()
        node = np.repeat(self.roots[np.newaxis], len(rows), axis=0)
        start = np.arange(0, len(flat), rows.shape[1])[:, np.newaxis] if len(rows) > 1 else None
        for _ in range(self.depth):
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
