"""Boosted trees, which add up: scikit-learn's, and what those of XGBoost and LightGBM become.

Sums are made one tree after another, in the order and the precision of the library, so that they are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.twin.linear import logistic, softmax, two_columns
from modelyard_runtime.twin.node import Answer, BuildFinal, CompileStep, Final, Node, require
from modelyard_runtime.twin.rows import Row, Rows
from modelyard_runtime.twin.seen import DoubleRows, RoundedRows, SingleRows, TreeRows
from modelyard_runtime.twin.trees import MAX_WIDTH, of_tree, tree_node
from modelyard_runtime.twin.walking import Tree, Walk, walk_of

BOOSTED = "boosted"
_TWO = 2


def compile_gradient(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted GradientBoostingRegressor or GradientBoostingClassifier that starts from a constant."""
    require(model.init in {None, "zero"}, f"{type(model).__name__} starts from another estimator")
    width = int(model.n_features_in_)
    start = model._raw_predict_init(np.zeros((1, width), dtype=np.float32))  # noqa: SLF001  what its predict asks
    trees = [
        _scaled(of_tree(tree.tree_), model.learning_rate) for stage in model.estimators_ for tree in stage
    ]
    link = "identity"
    if hasattr(model, "classes_"):
        link = {"HalfBinomialLoss": "logistic", "ExponentialLoss": "logisticOfTwice"}.get(
            type(model._loss).__name__,  # noqa: SLF001
            "softmax",
        )
    settings: dict[str, Json] = {
        "width": width,
        "rows": "single",
        "sums": "double",
        "labels": "atLeast",
        "link": link,
    }
    return tree_node(BOOSTED, trees, settings, start=np.ravel(start))


def compile_histogram(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted HistGradientBoostingRegressor or HistGradientBoostingClassifier without categorical columns."""
    name = type(model).__name__
    require(model.is_categorical_ is None, f"{name} has categorical columns")
    links = {"IdentityLink": "identity", "LogLink": "exponential", "LogitLink": "logistic"}
    link = links.get(type(model._loss.link).__name__, "softmax")  # noqa: SLF001
    trees = [_of_predictor(predictor.nodes) for stage in model._predictors for predictor in stage]  # noqa: SLF001
    require(bool(trees), f"{name} has no tree")
    settings: dict[str, Json] = {
        "width": int(model.n_features_in_),
        "rows": "double",
        "sums": "double",
        "labels": "above",
        "link": link,
    }
    return tree_node(BOOSTED, trees, settings, start=np.ravel(model._baseline_prediction))  # noqa: SLF001


def build_boosted(node: Node, _: BuildFinal) -> Final:
    """Kernel of boosted trees."""
    width = node.count("width", MAX_WIDTH)
    seen = node.choice("rows", *_ROWS)
    kind = np.float32 if node.choice("sums", "single", "double") == "single" else np.float64
    walk = walk_of(node, width, single=seen != "double")
    start = node.numbers("start", np.float64, None).astype(kind)
    link = node.choice("link", *_LINKS)
    if not len(start) or len(walk.roots) % len(start) or (link == "softmax") != (len(start) > 1):
        raise node.broken("start")
    values = node.numbers("values", np.float64, len(walk.feature), 1)[:, 0].astype(kind)
    labels = _LABELS[node.choice("labels", *_LABELS)]
    return _Boosted(walk, values, _ROWS[seen](width), start, link, labels)


def _scaled(tree: Tree, rate: float) -> Tree:
    return Tree(tree.left, tree.right, tree.feature, tree.threshold, tree.missing_left, rate * tree.values)


def _of_predictor(nodes: np.ndarray) -> Tree:
    leaf = nodes["is_leaf"] != 0
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    missing = nodes["missing_go_to_left"] != 0
    values = nodes["value"][:, np.newaxis]
    return Tree(left, right, nodes["feature_idx"].astype(np.int64), nodes["num_threshold"], missing, values)


def _likelier(score: np.ndarray) -> np.ndarray:
    second = logistic(score)
    return np.asarray(second > 1 - second)


_LABELS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "above": lambda score: score > 0,
    "atLeast": lambda score: score >= 0,
    "likelier": _likelier,
}
"""Whether a score stands for the second of two labels."""
_LINKS = ("identity", "exponential", "logistic", "logisticOfTwice", "softmax")
_ROWS: Mapping[str, Callable[[int], TreeRows]] = {
    "single": lambda width: SingleRows(width, missing=False),
    "double": DoubleRows,
    "rounded": RoundedRows,
}


@dataclass(frozen=True)
class _Boosted:
    walk: Walk
    values: np.ndarray
    rows: TreeRows
    start: np.ndarray
    link: str
    decide: Callable[[np.ndarray], np.ndarray]

    @property
    def gives_probabilities(self) -> bool:
        return self.classes is not None

    @property
    def classes(self) -> int | None:
        return {"softmax": len(self.start), "logistic": _TWO, "logisticOfTwice": _TWO}.get(self.link)

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        held, gaps = self.rows(rows)
        return self._answer(
            self.walk.sums(self.values, held, self.start, missing=gaps), probabilities=probabilities
        )

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        held = self.rows.alone(row)
        if held is None:
            return None
        scores = self.walk.sum_alone(self.values, held, self.start)
        return self._answer(scores[np.newaxis], probabilities=probabilities)

    def _answer(self, scores: np.ndarray, *, probabilities: bool) -> Answer:
        if self.classes is None:
            return Answer(np.exp(scores[:, 0]) if self.link == "exponential" else scores[:, 0])
        if self.link == "softmax":
            judged = softmax(scores) if self.decide is _likelier or probabilities else scores
            chosen = (judged if self.decide is _likelier else scores).argmax(axis=1)
            return Answer(chosen, judged if probabilities else None)
        score = scores[:, 0]
        labels = self.decide(score).astype(np.int64)
        if not probabilities:
            return Answer(labels)
        return Answer(labels, two_columns(logistic(score if self.link == "logistic" else 2 * score)))
