"""Steps that leave fewer columns: selections of columns, and projections onto components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.twin.arithmetic import ARITHMETIC
from modelyard_runtime.twin.columns import CHAIN
from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite, row_times, times

SELECT = "select"
PROJECT = "project"
_MAX_WIDTH = 1 << 26
_TWO = 2


def compile_selector(selector: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted selector of columns."""
    kept = selector.get_support(indices=True)
    require(len(kept) > 0, f"{type(selector).__name__} keeps no column")
    missing = bool(selector.__sklearn_tags__().input_tags.allow_nan)
    return Node(
        SELECT,
        settings={"width": int(selector.n_features_in_), "missing": missing},
        arrays={"kept": np.asarray(kept, dtype=np.int64)},
    )


def compile_projection(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted PCA or TruncatedSVD."""
    weights = np.ascontiguousarray(np.asarray(model.components_, dtype=np.float64).T)
    arrays = {"weights": weights}
    if hasattr(model, "mean_"):
        arrays["offset"] = (model.mean_.reshape(1, -1) @ model.components_.T)[0].astype(np.float64)
    if getattr(model, "whiten", False):
        arrays["scale"] = np.maximum(np.sqrt(model.explained_variance_), np.finfo(np.float64).eps)
    return Node(PROJECT, arrays=arrays)


def compile_independent(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted FastICA."""
    weights = np.ascontiguousarray(np.asarray(model.components_, dtype=np.float64).T)
    project = Node(PROJECT, arrays={"weights": weights})
    return _centred(model.mean_, project) if model.whiten else project


def compile_factors(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted FactorAnalysis."""
    scaled = model.components_ / model.noise_variance_
    covariance = np.linalg.inv(np.eye(len(model.components_)) + scaled @ model.components_.T)
    weights = np.ascontiguousarray(scaled.T @ covariance)
    return _centred(model.mean_, Node(PROJECT, arrays={"weights": weights}))


def compile_random_projection(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted GaussianRandomProjection."""
    weights = np.ascontiguousarray(np.asarray(model.components_, dtype=np.float64).T)
    return Node(PROJECT, arrays={"weights": weights})


def _centred(mean: np.ndarray, project: Node) -> Node:
    settings: dict[str, Json] = {"operations": ["subtract"], "width": len(mean)}
    arrays = {"operand0": np.asarray(mean, dtype=np.float64)}
    return Node(CHAIN, children=(Node(ARITHMETIC, settings=settings, arrays=arrays), project))


def build_selector(node: Node, _: BuildStep) -> Transform:
    """Kernel of a selector."""
    width = node.count("width", _MAX_WIDTH)
    kept = node.numbers("kept", np.int64, None)
    if not len(kept) or kept.min() < 0 or kept.max() >= width:
        raise node.broken("kept")
    return _Select(width, kept, node.flag("missing"))


def build_projection(node: Node, _: BuildStep) -> Transform:
    """Kernel of a projection."""
    weights = node.numbers("weights", np.float64, None, None)
    count = weights.shape[1]
    offset, scale = (
        node.numbers(name, np.float64, count) if name in node.arrays else None for name in ("offset", "scale")
    )
    return _Project(weights, offset, scale)


@dataclass(frozen=True)
class _Select:
    width: int
    kept: np.ndarray
    missing: bool

    def alone(self, row: Row) -> Row | None:
        held = float_row(row)
        if held is None or len(held) != self.width or not is_finite(held):
            return None
        return held.take(self.kept)

    def __call__(self, rows: Rows) -> Rows:
        if len(rows.shape) != _TWO or rows.shape[1] != self.width:
            raise ValueError(f"X has not the {self.width} columns that the selector was fitted with.")
        # What takes missing values takes infinite ones, too.
        return floats(rows, infinite=self.missing).take(self.kept, axis=1)


@dataclass(frozen=True)
class _Project:
    weights: np.ndarray
    offset: np.ndarray | None
    scale: np.ndarray | None

    def alone(self, row: Row) -> Row | None:
        out = row_times(row, self.weights)
        if out is None or not is_finite(out):
            return None
        if self.offset is not None:
            out = out - self.offset
        return out if self.scale is None else out / self.scale

    def __call__(self, rows: Rows) -> Rows:
        if len(rows.shape) != _TWO or rows.shape[1] != len(self.weights):
            raise ValueError(f"X has not the {len(self.weights)} columns that the model was fitted with.")
        out = times(rows, self.weights)
        if self.offset is not None:
            out = out - self.offset
        return out if self.scale is None else out / self.scale
