"""Checks the inside of values that compiled code follows without looking: trees of decisions and of neighbours.

Being of an allowed type says nothing about content. These hold indices that scikit-learn uses as they are, so a file
made for the purpose could read outside of its arrays at the first prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree._tree import Tree

from modelyard_api.patterns import explodes
from modelyard_server.errors import BundleError
from modelyard_server.models.boosters import check_lightgbm, check_xgboost
from modelyard_server.models.shapes import check_shapes

_LEAF = -1
_TEXT_INPUT = "content"
_ASK_IN_PUBLIC = (StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor)
"""Keep no width of their own: they call their estimators as anyone would, and each of these checks its rows."""


def check_integrity(model: object) -> None:
    """Raises BundleError if a part of the model points outside of itself, reads files instead of texts, or never ends."""
    for part in parts(model):
        check_shapes(part)
        name = f"{type(part).__module__}.{type(part).__qualname__}"
        check = _CHECKS.get(type(part)) or _CHECKS_BY_NAME.get(name)
        if check is not None:
            check(part)
        elif not _agrees_on_width(part):
            raise BundleError(f"{type(part).__name__} and its trees disagree about the number of features")
        elif getattr(part, "input", _TEXT_INPUT) in {"file", "filename"}:
            raise BundleError(f"{type(part).__name__} reads files that its input names")
        elif _takes_for_ever(part):
            raise BundleError(f"{type(part).__name__} has a token_pattern that takes time without end")


def parts(model: object) -> Iterator[Any]:
    """Every object that hangs below the model, each once."""
    seen: set[int] = set()
    pending: list[Any] = [model]
    while pending:
        part = pending.pop()
        if isinstance(part, str | int | float | bool | type(None) | type) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list | tuple | set):
            pending.extend(part)
        elif isinstance(part, np.ndarray):
            pending.extend(part.ravel().tolist() if part.dtype == object else ())
        else:
            pending.extend(vars(part).values() if hasattr(part, "__dict__") else ())


def _takes_for_ever(part: Any) -> bool:  # noqa: ANN401
    pattern = getattr(part, "token_pattern", None)
    return isinstance(pattern, str) and explodes(pattern)


def _agrees_on_width(part: Any) -> bool:  # noqa: ANN401
    """Rows are checked against the outermost estimator's width only; the trees below it trust that."""
    if isinstance(part, _ASK_IN_PUBLIC):
        return True
    values = vars(part) if hasattr(part, "__dict__") else {}
    width = values.get("n_features_in_")
    if isinstance(values.get("tree_"), Tree):
        return bool(values["tree_"].n_features == width)
    if isinstance(values.get("_predictors"), list):
        nodes = [predictor.nodes for group in values["_predictors"] for predictor in group]
        return all(bool(np.all(each["feature_idx"] < values.get("_n_features", width))) for each in nodes)
    if "estimators_" in values and "estimators_features_" not in values:
        trees = [each for each in np.ravel(values["estimators_"]) if hasattr(each, "tree_")]
        return all(each.n_features_in_ == width for each in trees)
    return True


def _check_tree(tree: Any) -> None:  # noqa: ANN401  a compiled class without types
    count = tree.node_count
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != _LEAF
    own = np.arange(count)
    sound = (
        count > 0
        and bool(np.all((right != _LEAF) == inner))
        and _after(left[inner], own[inner], count)
        and _after(right[inner], own[inner], count)
        and bool(np.all((feature[inner] >= 0) & (feature[inner] < tree.n_features)))
    )
    if not sound:
        raise BundleError("a decision tree of the model points outside of itself")


def _check_predictor(predictor: Any) -> None:  # noqa: ANN401
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    own = np.arange(len(nodes))
    bitsets = len(predictor.raw_left_cat_bitsets)
    categorical = inner & (nodes["is_categorical"] != 0)
    sound = (
        len(nodes) > 0
        and _after(nodes["left"][inner], own[inner], len(nodes))
        and _after(nodes["right"][inner], own[inner], len(nodes))
        and bool(np.all(nodes["feature_idx"][inner] >= 0))
        and bool(np.all(nodes["bitset_idx"][categorical] < bitsets))
    )
    if not sound:
        raise BundleError("a boosted tree of the model points outside of itself")


def _check_neighbours(tree: Any) -> None:  # noqa: ANN401
    data, order, nodes, bounds = (np.asarray(array) for array in tree.get_arrays())
    rows = len(data)
    sound = (
        len(order) == rows
        and bool(np.all((order >= 0) & (order < rows)))
        and bool(np.all((nodes["idx_start"] >= 0) & (nodes["idx_start"] <= nodes["idx_end"])))
        and bool(np.all(nodes["idx_end"] <= rows))
        and bounds.shape[1] == len(nodes)
        and bounds.shape[2] == data.shape[1]
    )
    if not sound:
        raise BundleError("a tree of neighbours of the model points outside of itself")


def _after(children: np.ndarray, parents: np.ndarray, count: int) -> bool:
    """Children stand behind their parents, so a walk ends; and inside, so it stays in the array."""
    # The indices may be unsigned; as signed 64-bit numbers they compare with each other.
    behind = children.astype(np.int64)
    return bool(np.all((behind > parents) & (behind < count)))


_CHECKS: dict[type, Callable[[Any], None]] = {
    Tree: _check_tree,
    TreePredictor: _check_predictor,
    KDTree: _check_neighbours,
    BallTree: _check_neighbours,
}
# By name, so that only a server of such a model loads the library.
_CHECKS_BY_NAME: dict[str, Callable[[Any], None]] = {
    "lightgbm.basic.Booster": check_lightgbm,
    "xgboost.core.Booster": check_xgboost,
}
