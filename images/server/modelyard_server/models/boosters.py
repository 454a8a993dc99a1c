"""Checks the trees of XGBoost and LightGBM, which compiled code follows without looking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from modelyard_server.errors import BundleError

if TYPE_CHECKING:
    import lightgbm
    import xgboost

_OUTSIDE = "a boosted tree of the model points outside of itself"
_NONE = -1


def check_xgboost(booster: xgboost.Booster) -> None:
    """Raises BundleError if a tree's node names a child or a feature that there is not, or stands in two places."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    gradient = learner["gradient_booster"]
    features = booster.num_features()
    for tree in gradient.get("gbtree", gradient)["model"]["trees"]:
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        inner = left != _NONE
        children = np.concatenate([left[inner], right[inner]])
        _require(len(left) > 0 and _is_tree(children, len(left)))
        # Splits by category have tables of their own, which no model of ours needs.
        _require(not tree.get("categories_nodes"))
        split = np.array(tree["split_indices"])[inner]
        _require(bool(np.all((split >= 0) & (split < features))))


def check_lightgbm(booster: lightgbm.Booster) -> None:
    """Raises BundleError if a tree's node names a child, a leaf or a feature that there is not, or stands twice."""
    features = booster.num_feature()
    for tree in _lightgbm_trees(booster.model_to_string(num_iteration=-1)):
        leaves = int(tree["num_leaves"])
        # Splits by category and lines in leaves have tables of their own, which no model of ours needs.
        _require(tree.get("num_cat", "0") == "0" and tree.get("is_linear", "0") == "0")
        if leaves == 1:
            continue
        left, right, split = (_whole(tree[name]) for name in ("left_child", "right_child", "split_feature"))
        children = np.concatenate([left, right])
        inner, outer = children[children >= 0], ~children[children < 0]
        _require(len(left) == len(right) == len(split) == leaves - 1)
        _require(_is_tree(inner, leaves - 1))
        _require(bool(np.all(outer < leaves)) and len(np.unique(outer)) == len(outer))
        _require(bool(np.all((split >= 0) & (split < features))))


def _lightgbm_trees(text: str) -> Iterator[dict[str, str]]:
    """Fields of each tree of LightGBM's own text format."""
    for block in text.split("\nTree=")[1:]:
        lines = block.split("\n\n", 1)[0].splitlines()
        yield dict(line.split("=", 1) for line in lines if "=" in line)


def _whole(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.int64)


def _is_tree(children: np.ndarray, count: int) -> bool:
    """Every child is a node other than the root and has one parent, so a walk from the root ends."""
    return bool(np.all((children > 0) & (children < count))) and len(np.unique(children)) == len(children)


def _require(sound: bool) -> None:  # noqa: FBT001  the one thing that it is about
    if not sound:
        raise BundleError(_OUTSIDE)
