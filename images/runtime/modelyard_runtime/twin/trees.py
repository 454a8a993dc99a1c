"""Decision trees and forests, which average them.

Sums are made one tree after another in scikit-learn's order, so that they are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.twin.node import (
    Answer,
    BuildFinal,
    CompileStep,
    Final,
    Node,
    NotCompiledError,
    require,
)
from modelyard_runtime.twin.rows import Row, Rows
from modelyard_runtime.twin.seen import SingleRows
from modelyard_runtime.twin.walking import Tree, Walk, laid_out, walk_of

FOREST = "forest"
MAX_WIDTH = 1 << 26
IN_SINGLE = frozenset({"single", "rounded"})
"""Settings ``rows`` of nodes whose trees compare in single precision; nodes without the setting do so too."""
SINGLE_TREES = frozenset(
    {"DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"}
)


def compile_forest(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted forest, or a single tree, of scikit-learn."""
    trees = list(getattr(model, "estimators_", [model]))
    require(model.n_outputs_ == 1, f"{type(model).__name__} has several targets")
    classes = len(model.classes_) if hasattr(model, "classes_") else 0
    settings = forest_settings(trees[0], int(model.n_features_in_), classes)
    return tree_node(FOREST, [of_tree(tree.tree_) for tree in trees], settings)


def forest_settings(tree: Any, width: int, classes: int) -> dict[str, Json]:  # noqa: ANN401
    """Settings of the node of trees such as this one; no classes stand for a regression."""
    missing = bool(tree._support_missing_values(np.zeros((1, 1))))  # noqa: SLF001  what its predict asks
    return {"width": width, "missing": missing, "classes": classes}


def build_forest(node: Node, _: BuildFinal) -> Final:
    """Kernel of a forest."""
    width = node.count("width", MAX_WIDTH)
    walk = walk_of(node, width, single=True)
    classes = node.count("classes", 1 << 20)
    values = node.numbers("values", np.float64, walk.leaf_count, max(1, classes))
    single = SingleRows(width, node.flag("missing"))
    return _ForestOfLabels(walk, values, single) if classes else _Forest(walk, values[:, 0], single)


def tree_node(
    kind: str, trees: Sequence[Tree], settings: dict[str, Json], start: np.ndarray | None = None
) -> Node:
    """The node of trees. Raises NotCompiledError for leaves that are not finite."""
    arrays = laid_out(trees, single=settings.get("rows", "single") in IN_SINGLE)
    if not np.isfinite(arrays["values"]).all():
        raise NotCompiledError("a leaf holds a value that is not finite")
    if start is not None:
        arrays["start"] = np.asarray(start, dtype=np.float64)
    return Node(kind, settings=settings, arrays=arrays)


def of_tree(tree: Any) -> Tree:  # noqa: ANN401
    """A tree of scikit-learn."""
    missing = tree.__getstate__()["nodes"]["missing_go_to_left"]
    values = tree.value[:, 0, :]
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, missing, values)


@dataclass(frozen=True)
class _Forest:
    walk: Walk
    values: np.ndarray
    rows: SingleRows

    gives_probabilities = False
    classes = None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        held, gaps = self.rows(rows)
        total = self.walk.sums(self.values, held, np.zeros(1), missing=gaps)[:, 0]
        return Answer(total / self.walk.trees)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        del probabilities
        held = self.rows.alone(row)
        if held is None:
            return None
        return Answer(self.walk.sum_alone(self.values, held, None) / self.walk.trees)


@dataclass(frozen=True)
class _ForestOfLabels:
    walk: Walk
    values: np.ndarray
    rows: SingleRows

    gives_probabilities = True

    @property
    def classes(self) -> int:
        return int(self.values.shape[1])

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        held, gaps = self.rows(rows)
        total = self.walk.sums(self.values, held, np.zeros(self.classes), missing=gaps)
        total = total / self.walk.trees
        return Answer(total.argmax(axis=1), total if probabilities else None)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        held = self.rows.alone(row)
        if held is None:
            return None
        total = self.walk.sum_alone(self.values, held, None) / self.walk.trees
        return Answer(total.argmax(axis=0, keepdims=True), total[np.newaxis] if probabilities else None)
