"""AdaBoost of trees: weighed votes for labels, the weighed median of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.linear import softmax
from modelyard_runtime.twin.node import Answer, BuildFinal, CompileStep, Final, Node, require
from modelyard_runtime.twin.rows import Row, Rows
from modelyard_runtime.twin.seen import SingleRows
from modelyard_runtime.twin.trees import MAX_WIDTH, SINGLE_TREES, of_tree, tree_node
from modelyard_runtime.twin.walking import Tree, Walk, walk_of

WEIGHED_VOTES = "weighedVotes"
WEIGHED_MEDIAN = "weighedMedian"
_TWO = 2
_FIRST_TWO = np.arange(_TWO)


def compile_adaptive(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted AdaBoostRegressor or AdaBoostClassifier of trees."""
    name = type(model).__name__
    trees = model.estimators_
    require(
        all(type(each).__name__ in SINGLE_TREES for each in trees),
        f"{name} boosts {type(trees[0]).__name__}, which is no tree",
    )
    weights = np.asarray(model.estimator_weights_, dtype=np.float64)
    settings = {"width": int(model.n_features_in_)}
    if not hasattr(model, "classes_"):
        node = tree_node(WEIGHED_MEDIAN, [of_tree(each.tree_) for each in trees], {**settings})
        weights = weights[: len(trees)]
        return Node(node.kind, settings=node.settings, arrays={**node.arrays, "weights": weights})
    require(len(model.classes_) >= _TWO, f"{name} knows a single class")
    votes = [_votes(each, weight, model.classes_) for each, weight in zip(trees, weights, strict=False)]
    node = tree_node(WEIGHED_VOTES, votes, {**settings, "classes": len(model.classes_)})
    # It ends early where a tree is without fault; the weights of trees that it did not make are nought.
    return Node(
        node.kind, settings=node.settings, arrays={**node.arrays, "total": weights.sum(keepdims=True)}
    )


def build_votes(node: Node, _: BuildFinal) -> Final:
    """Kernel of an AdaBoostClassifier."""
    width, classes = node.count("width", MAX_WIDTH), node.count("classes", 1 << 20)
    if classes < _TWO:
        raise node.broken("classes")
    walk = walk_of(node, width, single=True)
    values = node.numbers("values", np.float64, walk.leaf_count, classes)
    total = node.numbers("total", np.float64, 1)
    return _Votes(walk, values, SingleRows(width, missing=False), total)


def build_median(node: Node, _: BuildFinal) -> Final:
    """Kernel of an AdaBoostRegressor."""
    width = node.count("width", MAX_WIDTH)
    walk = walk_of(node, width, single=True)
    values = node.numbers("values", np.float64, walk.leaf_count, 1)[:, 0]
    weights = node.numbers("weights", np.float64, walk.trees)
    return _Median(walk, values, SingleRows(width, missing=False), weights)


def _votes(model: Any, weight: float, classes: np.ndarray) -> Tree:  # noqa: ANN401
    """A tree whose leaves hold what its vote adds to each class."""
    tree = of_tree(model.tree_)
    chosen = np.searchsorted(classes, model.classes_)[tree.values.argmax(axis=1)]
    is_chosen = chosen[:, np.newaxis] == np.arange(len(classes))
    votes = np.where(is_chosen, weight, -1 / (len(classes) - 1) * weight)
    return Tree(tree.left, tree.right, tree.feature, tree.threshold, tree.missing_left, votes)


@dataclass(frozen=True)
class _Votes:
    walk: Walk
    values: np.ndarray
    rows: SingleRows
    total: np.ndarray

    gives_probabilities = True

    @property
    def classes(self) -> int:
        return int(self.values.shape[1])

    def scores(self, rows: Rows) -> np.ndarray:
        """What the decision function of scikit-learn says, shape (rows, outputs)."""
        held, gaps = self.rows(rows)
        return self._weighed(self.walk.sums(self.values, held, np.zeros(self.classes), missing=gaps))

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        return self._answer(self.scores(rows), probabilities=probabilities)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        held = self.rows.alone(row)
        if held is None:
            return None
        votes = self.walk.sum_alone(self.values, held, None)[np.newaxis]
        return self._answer(self._weighed(votes), probabilities=probabilities)

    def _weighed(self, votes: np.ndarray) -> np.ndarray:
        votes = votes / self.total
        return votes if self.classes > _TWO else votes[:, 1:] - votes[:, :1]

    def _answer(self, scores: np.ndarray, *, probabilities: bool) -> Answer:
        if self.classes > _TWO:
            shares = softmax(scores / (self.classes - 1)) if probabilities else None
            return Answer(scores.argmax(axis=1), shares)
        halves = np.concatenate([-scores, scores], axis=1) / _TWO
        return Answer(_FIRST_TWO.take(scores[:, 0] > 0), softmax(halves) if probabilities else None)


@dataclass(frozen=True)
class _Median:
    walk: Walk
    values: np.ndarray
    rows: SingleRows
    weights: np.ndarray

    gives_probabilities = False
    classes = None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        held, _ = self.rows(rows)
        return self._answer(self.walk.each(self.values, held))

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        del probabilities
        held = self.rows.alone(row)
        return None if held is None else self._answer(self.walk.each(self.values, held))

    def _answer(self, said: np.ndarray) -> Answer:
        order = np.argsort(said, axis=1)
        heard = np.cumsum(self.weights[order], axis=1)
        middle = (heard >= 0.5 * heard[:, -1:]).argmax(axis=1)
        own = np.arange(len(said))
        return Answer(said[own, order[own, middle]])
