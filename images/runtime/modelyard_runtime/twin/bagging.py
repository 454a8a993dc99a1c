"""Bagging: the mean of what estimators say that were fitted on samples of the rows, and of the columns.

A bag of trees that look at all columns is a forest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import Answer, BuildFinal, CompileStep, Final, Node, require, row_answer
from modelyard_runtime.twin.rows import Row, Rows
from modelyard_runtime.twin.trees import FOREST, SINGLE_TREES, forest_settings, of_tree, tree_node
from modelyard_runtime.twin.walking import Tree

BAG = "bag"
_MEMBER = "member"
_MAX_WIDTH = 1 << 24
_MOST_MEMBERS = 1000
"""A file of a program holds no more than a few thousand steps."""


def compile_bagging(model: Any, compile_final: CompileStep) -> Node:  # noqa: ANN401
    """A fitted BaggingRegressor or BaggingClassifier."""
    width = int(model.n_features_in_)
    columns = [np.arange(width)[drawn] for drawn in model.estimators_features_]
    classes = len(model.classes_) if hasattr(model, "classes_") else 0
    looked_at = np.unique(np.concatenate(columns))
    if all(type(each).__name__ in SINGLE_TREES for each in model.estimators_) and len(looked_at) == width:
        return _forest(model.estimators_, columns, width, classes)
    require(len(columns) <= _MOST_MEMBERS, f"{type(model).__name__} has too many estimators")
    members = []
    for each, drawn in zip(model.estimators_, columns, strict=True):
        arrays = {"positions": drawn.astype(np.int64), "labels": _labels_of(each)}
        members.append(Node(_MEMBER, arrays=arrays, children=(compile_final(each),)))
    return Node(BAG, settings={"width": width, "classes": classes}, children=tuple(members))


def build_bag(node: Node, build_final: BuildFinal) -> Final:
    """Kernel of a bag of other estimators than trees."""
    width, classes = node.count("width", _MAX_WIDTH), node.count("classes", 1 << 20)
    if not node.children:
        raise node.broken("children")
    members = tuple(_member(child, width, classes, build_final) for child in node.children)
    return _BagOfLabels(width, members, classes) if classes else _BagOfValues(width, members)


def _forest(trees: Sequence[Any], columns: Sequence[np.ndarray], width: int, classes: int) -> Node:
    require(trees[0].n_outputs_ == 1, "BaggingRegressor has several targets")
    settings = forest_settings(trees[0], width, classes)
    held = [_tree(each, drawn, classes) for each, drawn in zip(trees, columns, strict=True)]
    return tree_node(FOREST, held, settings)


def _tree(model: Any, drawn: np.ndarray, classes: int) -> Tree:  # noqa: ANN401
    tree = of_tree(model.tree_)
    values = tree.values
    if classes:
        values = np.zeros((len(tree.values), classes))
        values[:, _labels_of(model)] = tree.values
    # What stands for the feature of a leaf is not looked at.
    feature = drawn[np.maximum(tree.feature, 0)]
    return Tree(tree.left, tree.right, feature, tree.threshold, tree.missing_left, values)


def _labels_of(model: Any) -> np.ndarray:  # noqa: ANN401
    """Which labels of the bag a member knows: it was fitted on their positions."""
    return np.asarray(getattr(model, "classes_", ()), dtype=np.int64)


@dataclass(frozen=True)
class _Member:
    final: Final
    positions: np.ndarray | None
    """None: all columns, as they stand."""
    labels: np.ndarray

    def rows(self, rows: Rows) -> Rows:
        if self.positions is None:
            return rows
        held = rows if isinstance(rows, np.ndarray) else rows.dense()
        return held.take(self.positions, axis=1)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        answer = row_answer(self.final)
        if answer is None:
            return None
        if self.positions is None:
            return answer(row, probabilities=probabilities)
        if not isinstance(row, np.ndarray):
            return None
        return answer(row.take(self.positions), probabilities=probabilities)


def _member(node: Node, width: int, classes: int, build_final: BuildFinal) -> _Member:
    positions = node.numbers("positions", np.int64, None)
    labels = node.numbers("labels", np.int64, None)
    if node.kind != _MEMBER or len(node.children) != 1:
        raise node.broken("children")
    if not len(positions) or positions.min() < 0 or positions.max() >= width:
        raise node.broken("positions")
    final = build_final(node.children[0])
    if (final.classes or 0) != len(labels) or (classes > 0) != (final.classes is not None):
        raise node.broken("labels")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise node.broken("labels")
    return _Member(final, None if np.array_equal(positions, np.arange(width)) else positions, labels)


def _check_width(rows: Rows, width: int) -> None:
    if len(rows.shape) != 2 or rows.shape[1] != width:  # noqa: PLR2004  rows and columns
        raise ValueError(f"X has not the {width} columns that the model was fitted with.")


@dataclass(frozen=True)
class _BagOfValues:
    width: int
    members: tuple[_Member, ...]

    gives_probabilities = False
    classes = None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        _check_width(rows, self.width)
        total = np.zeros(rows.shape[0])
        for member in self.members:
            total = total + member.final(member.rows(rows), probabilities=False).values
        return Answer(total / len(self.members))

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        del probabilities
        total = np.zeros(1)
        for member in self.members:
            found = member.alone(row, probabilities=False)
            if found is None:
                return None
            total = total + found.values
        return Answer(total / len(self.members))


@dataclass(frozen=True)
class _BagOfLabels:
    width: int
    members: tuple[_Member, ...]
    classes: int

    gives_probabilities = True

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        _check_width(rows, self.width)
        shares = np.zeros((rows.shape[0], self.classes))
        for member in self.members:
            self._add(shares, member, member.final(member.rows(rows), probabilities=True))
        return self._answer(shares, probabilities=probabilities)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        shares = np.zeros((1, self.classes))
        for member in self.members:
            found = member.alone(row, probabilities=True)
            if found is None:
                return None
            self._add(shares, member, found)
        return self._answer(shares, probabilities=probabilities)

    @staticmethod
    def _add(shares: np.ndarray, member: _Member, found: Answer) -> None:
        if found.probabilities is None:
            # Who is not sure of anything has a vote.
            shares[np.arange(len(shares)), member.labels[found.values]] += 1
        elif len(member.labels) == shares.shape[1]:
            shares += found.probabilities
        else:
            shares[:, member.labels] += found.probabilities

    def _answer(self, shares: np.ndarray, *, probabilities: bool) -> Answer:
        shares /= len(self.members)
        return Answer(shares.argmax(axis=1), shares if probabilities else None)
