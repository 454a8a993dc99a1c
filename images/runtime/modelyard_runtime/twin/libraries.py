"""Boosters of XGBoost and LightGBM, read from what these libraries write of them themselves; never from pickles."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.twin.boosting import BOOSTED
from modelyard_runtime.twin.node import CompileStep, Node, NotCompiledError, require
from modelyard_runtime.twin.trees import tree_node
from modelyard_runtime.twin.walking import Tree

_LINKS_OF_XGBOOST: Mapping[str, str] = {
    **dict.fromkeys(("reg:squarederror", "reg:absoluteerror", "reg:quantileerror"), "identity"),
    **dict.fromkeys(("reg:pseudohubererror", "reg:squaredlogerror"), "identity"),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), "exponential"),
    "binary:logistic": "logistic",
    "multi:softprob": "softmax",
}
_LINKS_OF_LIGHTGBM: Mapping[str, str] = {
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "identity"),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential"),
    "binary sigmoid:1": "logistic",
    "multiclass": "softmax",
}
_NONE, _ZERO, _NAN = 0, 1, 2
"""What a node of LightGBM takes for missing."""


def compile_xgboost(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted XGBRegressor, XGBClassifier, XGBRFRegressor or XGBRFClassifier of plain trees."""
    name = type(model).__name__
    booster = model.get_booster()
    require(booster.attr("best_iteration") is None, f"{name} stopped early")
    require(
        isinstance(model.missing, float) and bool(np.isnan(model.missing)),
        f"{name} takes a value for missing",
    )
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    gradient, objective = learner["gradient_booster"], learner["objective"]["name"]
    require(gradient["name"] == "gbtree", f"{name} boosts by {gradient['name']}")
    link = _LINKS_OF_XGBOOST.get(objective)
    if link is None:
        raise NotCompiledError(f"{name} has the objective {objective}")
    parameters = learner["learner_model_param"]
    outputs = max(1, int(parameters["num_class"]))
    require(int(parameters["num_target"]) == 1, f"{name} has several targets")
    trees, owners = gradient["model"]["trees"], gradient["model"]["tree_info"]
    turns = _turns(owners)
    require(
        bool(trees) and [owners[at] for at in turns] == [at % outputs for at in range(len(turns))],
        f"{name} has more trees of one class than of another",
    )
    start = np.resize(_margins(json.loads(parameters["base_score"]), link), outputs)
    return _node(
        [_of_xgboost(trees[at], name) for at in turns], "rounded", link, int(parameters["num_feature"]), start
    )


def compile_lightgbm(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted LGBMRegressor or LGBMClassifier of plain trees."""
    name = type(model).__name__
    head, *blocks = model.booster_.model_to_string().split("\nTree=")
    fields = dict(_fields(head))
    words = fields.get("objective", "custom").split(" num_class:")[0]
    link = _LINKS_OF_LIGHTGBM.get(words)
    if link is None:
        raise NotCompiledError(f"{name} has the objective {words}")
    require("average_output" not in head.splitlines(), f"{name} averages its trees")
    require(bool(blocks), f"{name} has no tree")
    outputs = int(fields["num_tree_per_iteration"])
    trees = [_of_lightgbm(dict(_fields(block.split("\n\n", 1)[0])), name) for block in blocks]
    return _node(trees, "double", link, int(fields["max_feature_idx"]) + 1, np.zeros(outputs))


def _node(trees: list[Tree], rows: str, link: str, width: int, start: np.ndarray) -> Node:
    settings: dict[str, Json] = {
        "width": width,
        "rows": rows,
        "sums": "single" if rows == "rounded" else "double",
        "labels": "likelier",
        "link": link,
    }
    return tree_node(BOOSTED, trees, settings, start=start)


def _turns(owners: list[int]) -> list[int]:
    """Trees so that classes take turns: a forest has those of a class together. Within a class the order stays."""
    seen: Counter[int] = Counter()
    places = []
    for at, owner in enumerate(owners):
        places.append((seen[owner], owner, at))
        seen[owner] += 1
    return [at for _, _, at in sorted(places)]


def _margins(base: list[float] | float, link: str) -> np.ndarray:
    """Where XGBoost starts to add, in its own precision."""
    held = np.atleast_1d(np.asarray(base, dtype=np.float32))
    if link == "logistic":
        return np.asarray(-np.log(np.float32(1) / held - np.float32(1)))
    return np.asarray(np.log(held)) if link == "exponential" else held


def _of_xgboost(tree: dict[str, Any], name: str) -> Tree:
    require(not tree["categories_nodes"], f"{name} splits by category")
    require(tree["tree_param"]["size_leaf_vector"] in {"0", "1"}, f"{name} has several targets")
    left, right = (np.asarray(tree[side], dtype=np.int64) for side in ("left_children", "right_children"))
    conditions = np.asarray(tree["split_conditions"], dtype=np.float32)
    # Less goes to the left here, less or equal there.
    threshold = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
    return Tree(
        left=left,
        right=right,
        feature=np.asarray(tree["split_indices"], dtype=np.int64),
        threshold=threshold,
        missing_left=np.asarray(tree["default_left"], dtype=np.bool_),
        values=conditions.astype(np.float64)[:, np.newaxis],
    )


def _fields(text: str) -> Iterator[list[str]]:
    """Fields of a part of LightGBM's own text format."""
    for line in text.splitlines():
        if "=" in line:
            yield line.split("=", 1)


def _of_lightgbm(fields: Mapping[str, str], name: str) -> Tree:
    require(fields.get("num_cat", "0") == "0", f"{name} splits by category")
    require(fields.get("is_linear", "0") == "0", f"{name} has lines in its leaves")
    leaves = int(fields["num_leaves"])
    values = np.array(fields["leaf_value"].split(), dtype=np.float64)
    inner = leaves - 1
    kinds = _whole(fields, "decision_type", inner)
    missing = kinds >> 2 & 3
    require(not (missing == _ZERO).any(), f"{name} takes zero for missing")
    thresholds = np.array(fields.get("threshold", "").split(), dtype=np.float64)[:inner]
    # Where training saw nothing missing, NaN counts as zero.
    missing_left = np.where(missing == _NAN, (kinds & 2) != 0, thresholds >= 0.0)
    none, zeros = np.full(leaves, -1), np.zeros(leaves)
    sides = [
        np.concatenate([np.where(side < 0, inner + ~side, side), none])
        for side in (_whole(fields, f"{way}_child", inner) for way in ("left", "right"))
    ]
    return Tree(
        left=sides[0],
        right=sides[1],
        feature=np.concatenate([_whole(fields, "split_feature", inner), zeros.astype(np.int64)]),
        threshold=np.concatenate([thresholds, zeros]),
        missing_left=np.concatenate([missing_left, zeros.astype(np.bool_)]),
        values=np.concatenate([np.zeros(inner), values])[:, np.newaxis],
    )


def _whole(fields: Mapping[str, str], name: str, count: int) -> np.ndarray:
    return np.array(fields.get(name, "").split(), dtype=np.int64)[:count]
