"""Boosted trees, which add up: scikit-learn's, and what those of XGBoost and LightGBM become.

Sums are made one tree after another, in the order and the precision of the library, so that they are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.twin.categories import CATEGORIES, CategoryRows, category_rows, compile_categories
from modelyard_runtime.twin.linear import logistic, softmax, two_columns
from modelyard_runtime.twin.node import Answer, BuildFinal, CompileStep, Final, Node, require
from modelyard_runtime.twin.rows import Row, Rows
from modelyard_runtime.twin.seen import DoubleRows, RoundedRows, SingleRows
from modelyard_runtime.twin.trees import IN_SINGLE, MAX_WIDTH, of_tree, tree_node
from modelyard_runtime.twin.walking import Tree, Walk, walk_of

TreeRows = SingleRows | DoubleRows | RoundedRows | CategoryRows
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


def compile_histogram(model: Any, compile_step: CompileStep) -> Node:  # noqa: ANN401
    """A fitted HistGradientBoostingRegressor or HistGradientBoostingClassifier."""
    links = {"IdentityLink": "identity", "LogLink": "exponential", "LogitLink": "logistic"}
    link = links.get(type(model._loss.link).__name__, "softmax")  # noqa: SLF001
    predictors = [predictor for stage in model._predictors for predictor in stage]  # noqa: SLF001
    require(bool(predictors), f"{type(model).__name__} has no tree")
    children: tuple[Node, ...] = ()
    if model.is_categorical_ is None:
        rows, width = "double", int(model.n_features_in_)
        trees = [_of_predictor(predictor.nodes) for predictor in predictors]
    else:
        rows = CATEGORIES
        trees, seen, width = compile_categories(model, compile_step)
        children = (seen,)
    settings: dict[str, Json] = {
        "width": width,
        "rows": rows,
        "sums": "double",
        "labels": "above",
        "link": link,
    }
    node = tree_node(BOOSTED, trees, settings, start=np.ravel(model._baseline_prediction))  # noqa: SLF001
    return replace(node, children=children)


def build_boosted(node: Node, _: BuildFinal) -> Final:
    """Kernel of boosted trees."""
    width = node.count("width", MAX_WIDTH)
    seen = node.choice("rows", *_ROWS, CATEGORIES)
    kind = np.float32 if node.choice("sums", "single", "double") == "single" else np.float64
    walk = walk_of(node, width, single=seen in IN_SINGLE)
    start = node.numbers("start", np.float64, None).astype(kind)
    link = node.choice("link", *_LINKS)
    if not len(start) or walk.trees % len(start) or (link == "softmax") != (len(start) > 1):
        raise node.broken("start")
    values = node.numbers("values", np.float64, walk.leaf_count, 1)[:, 0].astype(kind)
    labels = _LABELS[node.choice("labels", *_LABELS)]
    return _Boosted(walk, values, _rows_of(node, seen, width), start, link, labels)


def _rows_of(node: Node, seen: str, width: int) -> TreeRows:
    if seen != CATEGORIES:
        return _ROWS[seen](width)
    if len(node.children) != 1:
        raise node.broken("children")
    return category_rows(node.children[0], width)


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
        return self._answer(self.scores(rows), probabilities=probabilities)

    def scores(self, rows: Rows) -> np.ndarray:
        """What the decision function of scikit-learn says, shape (rows, outputs)."""
        held, gaps = self.rows(rows)
        return self.walk.sums(self.values, held, self.start, missing=gaps)

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
