"""Decision trees and their ensembles: forests, which average, and boosted trees, which add up.

Sums are made one tree after another in scikit-learn's order, so that they are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.twin.linear import logistic, softmax, two_columns
from modelyard_runtime.twin.node import Answer, CompileStep, Final, Node, NotCompiledError, require
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite
from modelyard_runtime.twin.walking import Tree, Walk, laid_out, walk_of

FOREST = "forest"
BOOSTED = "boosted"
_MAX_WIDTH = 1 << 26
_TWO = 2


def compile_forest(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted forest, or a single tree, of scikit-learn."""
    trees = list(getattr(model, "estimators_", [model]))
    require(model.n_outputs_ == 1, f"{type(model).__name__} has several targets")
    classes = len(model.classes_) if hasattr(model, "classes_") else 0
    rows = np.zeros((1, 1))
    return _node(
        FOREST,
        [_of_tree(tree.tree_) for tree in trees],
        {
            "width": int(model.n_features_in_),
            "missing": bool(trees[0]._support_missing_values(rows)),  # noqa: SLF001  what its predict asks
            "classes": classes,
        },
    )


def compile_gradient(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted GradientBoostingRegressor or GradientBoostingClassifier that starts from a constant."""
    require(model.init in {None, "zero"}, f"{type(model).__name__} starts from another estimator")
    width = int(model.n_features_in_)
    start = model._raw_predict_init(np.zeros((1, width), dtype=np.float32))  # noqa: SLF001  what its predict asks
    trees = [
        _scaled(_of_tree(tree.tree_), model.learning_rate) for stage in model.estimators_ for tree in stage
    ]
    link = "identity"
    if hasattr(model, "classes_"):
        link = {"HalfBinomialLoss": "logistic", "ExponentialLoss": "logisticOfTwice"}.get(
            type(model._loss).__name__,  # noqa: SLF001
            "softmax",
        )
    settings: dict[str, Json] = {"width": width, "single": True, "atZero": 1, "link": link}
    return _node(BOOSTED, trees, settings, start=np.ravel(start))


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
        "single": False,
        "atZero": 0,
        "link": link,
    }
    return _node(BOOSTED, trees, settings, start=np.ravel(model._baseline_prediction))  # noqa: SLF001


def build_forest(node: Node) -> Final:
    """Kernel of a forest."""
    walk, width = _walk(node, single=True)
    classes = node.count("classes", 1 << 20)
    values = node.numbers("values", np.float64, len(walk.feature), max(1, classes))
    single = _Single(width, node.flag("missing"))
    return _ForestOfLabels(walk, values, single) if classes else _Forest(walk, values[:, 0], single)


def build_boosted(node: Node) -> Final:
    """Kernel of boosted trees."""
    single = node.flag("single")
    walk, width = _walk(node, single=single)
    start = node.numbers("start", np.float64, None)
    link = node.choice("link", *_LINKS)
    if not len(start) or len(walk.roots) % len(start) or (link == "softmax") != (len(start) > 1):
        raise node.broken("start")
    values = node.numbers("values", np.float64, len(walk.feature), 1)[:, 0]
    rows: _Single | _Double = _Single(width, missing=False) if single else _Double(width)
    at_zero = node.count("atZero", 1)
    return _Boosted(walk, values, rows, start, link, at_zero)


def _node(
    kind: str, trees: Sequence[Tree], settings: dict[str, Json], start: np.ndarray | None = None
) -> Node:
    arrays = laid_out(trees)
    if not np.isfinite(arrays["values"]).all():
        raise NotCompiledError("a leaf holds a value that is not finite")
    if start is not None:
        arrays["start"] = np.asarray(start, dtype=np.float64)
    return Node(kind, settings=settings, arrays=arrays)


def _of_tree(tree: Any) -> Tree:  # noqa: ANN401
    missing = tree.__getstate__()["nodes"]["missing_go_to_left"]
    values = tree.value[:, 0, :]
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, missing, values)


def _scaled(tree: Tree, rate: float) -> Tree:
    return Tree(tree.left, tree.right, tree.feature, tree.threshold, tree.missing_left, rate * tree.values)


def _of_predictor(nodes: np.ndarray) -> Tree:
    leaf = nodes["is_leaf"] != 0
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    missing = nodes["missing_go_to_left"] != 0
    values = nodes["value"][:, np.newaxis]
    return Tree(left, right, nodes["feature_idx"].astype(np.int64), nodes["num_threshold"], missing, values)


def _walk(node: Node, *, single: bool) -> tuple[Walk, int]:
    width = node.count("width", _MAX_WIDTH)
    return walk_of(node, width, single=single), width


@dataclass(frozen=True)
class _Single:
    """Rows rounded to single precision, as scikit-learn's trees compare them."""

    width: int
    missing: bool

    def __call__(self, rows: Rows) -> tuple[np.ndarray, bool]:
        held = floats(_of_width(rows, self.width), missing=self.missing).astype(np.float32)
        gaps = not np.isfinite(held).all()
        if gaps and np.isinf(held).any():
            raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
        return held, gaps

    def alone(self, row: Row) -> np.ndarray | None:
        """A single row with nothing missing, shape (1, width)."""
        held = float_row(row)
        if held is None or len(held) != self.width:
            return None
        single = held.astype(np.float32)
        return single[np.newaxis] if is_finite(single) else None


@dataclass(frozen=True)
class _Double:
    """Rows as they are; missing and infinite values are compared like others."""

    width: int

    def __call__(self, rows: Rows) -> tuple[np.ndarray, bool]:
        held = floats(_of_width(rows, self.width), infinite=True)
        return held, bool(np.isnan(held).any())

    def alone(self, row: Row) -> np.ndarray | None:
        """A single row with nothing missing, shape (1, width)."""
        held = float_row(row)
        if held is None or len(held) != self.width or not is_finite(held):
            return None
        return held[np.newaxis]


def _of_width(rows: Rows, width: int) -> Rows:
    if len(rows.shape) != _TWO or rows.shape[1] != width:
        raise ValueError(f"X has not the {width} columns that the model was fitted with.")
    return rows


@dataclass(frozen=True)
class _Forest:
    walk: Walk
    values: np.ndarray
    rows: _Single

    gives_probabilities = False
    classes = None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        held, gaps = self.rows(rows)
        total = self.walk.sums(self.values, held, np.zeros(1), missing=gaps)[:, 0]
        return Answer(total / len(self.walk.roots))

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        del probabilities
        held = self.rows.alone(row)
        if held is None:
            return None
        return Answer(self.walk.sum_alone(self.values, held, None) / len(self.walk.roots))


@dataclass(frozen=True)
class _ForestOfLabels:
    walk: Walk
    values: np.ndarray
    rows: _Single

    gives_probabilities = True

    @property
    def classes(self) -> int:
        return int(self.values.shape[1])

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        held, gaps = self.rows(rows)
        total = self.walk.sums(self.values, held, np.zeros(self.classes), missing=gaps)
        total = total / len(self.walk.roots)
        return Answer(total.argmax(axis=1), total if probabilities else None)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        held = self.rows.alone(row)
        if held is None:
            return None
        total = self.walk.sum_alone(self.values, held, None) / len(self.walk.roots)
        return Answer(total.argmax(axis=0, keepdims=True), total[np.newaxis] if probabilities else None)


@dataclass(frozen=True)
class _Boosted:
    walk: Walk
    values: np.ndarray
    rows: _Single | _Double
    start: np.ndarray
    link: str
    at_zero: int
    """The label of a score of exactly zero, of two labels."""

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
        if held is None or (self.classes is not None and len(self.start) > 1):
            return None
        scores = self.walk.sum_alone(self.values, held, self.start)
        return self._answer(scores[np.newaxis], probabilities=probabilities)

    def _answer(self, scores: np.ndarray, *, probabilities: bool) -> Answer:
        if self.classes is None:
            return Answer(np.exp(scores[:, 0]) if self.link == "exponential" else scores[:, 0])
        if self.link == "softmax":
            return Answer(scores.argmax(axis=1), softmax(scores) if probabilities else None)
        score = scores[:, 0]
        labels = (score >= 0 if self.at_zero else score > 0).astype(np.int64)
        if not probabilities:
            return Answer(labels)
        return Answer(labels, two_columns(logistic(score if self.link == "logistic" else 2 * score)))


_LINKS = ("identity", "exponential", "logistic", "logisticOfTwice", "softmax")
