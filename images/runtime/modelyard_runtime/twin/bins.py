"""Numbers as bins: KBinsDiscretizer and Binarizer."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite

BINS = "bins"
ABOVE = "above"
_MAX_WIDTH = 1 << 24
_TWO = 2


def compile_bins(discretizer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted KBinsDiscretizer."""
    kind = discretizer.dtype
    require(kind is None or np.dtype(kind) == np.float64, f"KBinsDiscretizer makes {kind}")
    edges = [np.asarray(each, dtype=np.float64)[1:-1] for each in discretizer.bin_edges_]
    arrays = {f"edges{at}": each for at, each in enumerate(edges)}
    width = sum(len(each) + 1 for each in edges)
    settings = {"features": len(edges), "columns": discretizer.encode != "ordinal", "width": width}
    return Node(BINS, settings=settings, arrays=arrays)


def compile_binarizer(binarizer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted Binarizer."""
    threshold = np.full(int(binarizer.n_features_in_), binarizer.threshold, dtype=np.float64)
    return Node(ABOVE, arrays={"thresholds": threshold})


def build_bins(node: Node, _: BuildStep) -> Transform:
    """Kernel of a KBinsDiscretizer."""
    edges = [node.numbers(f"edges{at}", np.float64, None) for at in range(node.count("features", _MAX_WIDTH))]
    if not edges or any((each[1:] < each[:-1]).any() or np.isnan(each).any() for each in edges):
        raise node.broken("edges0")
    sizes = [len(each) + 1 for each in edges]
    if sum(sizes) != node.count("width", _MAX_WIDTH):
        raise node.broken("width")
    starts = np.cumsum([0, *sizes[:-1]]) if node.flag("columns") else None
    return _Bins(tuple(edges), tuple(each.tolist() for each in edges), starts, sum(sizes))


def build_above(node: Node, _: BuildStep) -> Transform:
    """Kernel of a Binarizer."""
    return _Above(node.numbers("thresholds", np.float64, None))


@dataclass(frozen=True)
class _Bins:
    edges: tuple[np.ndarray, ...]
    listed: tuple[list[float], ...]
    starts: np.ndarray | None
    """Where the columns of each feature start; None where a bin is a number."""
    width: int

    def alone(self, row: Row) -> Row | None:
        held = float_row(row)
        if held is None or len(held) != len(self.edges) or not is_finite(held):
            return None
        found = [bisect_right(edges, value) for edges, value in zip(self.listed, held.tolist(), strict=True)]
        if self.starts is None:
            return np.array(found, dtype=np.float64)
        out = np.zeros(self.width)
        out[self.starts + found] = 1.0
        return out

    def __call__(self, rows: Rows) -> Rows:
        held = floats(rows)
        if held.ndim != _TWO or held.shape[1] != len(self.edges):
            raise ValueError(f"X has not the {len(self.edges)} columns that the discretizer was fitted with.")
        found = np.empty(held.shape, dtype=np.int64)
        for at, edges in enumerate(self.edges):
            found[:, at] = np.searchsorted(edges, held[:, at], side="right")
        if self.starts is None:
            return found.astype(np.float64)
        out = np.zeros((len(held), self.width))
        out[np.arange(len(held))[:, np.newaxis], self.starts + found] = 1.0
        return out


@dataclass(frozen=True)
class _Above:
    thresholds: np.ndarray

    def alone(self, row: Row) -> Row | None:
        held = float_row(row)
        if held is None or len(held) != len(self.thresholds) or not is_finite(held):
            return None
        return (held > self.thresholds).astype(np.float64)

    def __call__(self, rows: Rows) -> Rows:
        held = floats(rows)
        if held.ndim != _TWO or held.shape[1] != len(self.thresholds):
            raise ValueError(
                f"X has not the {len(self.thresholds)} columns that the binarizer was fitted with."
            )
        return (held > self.thresholds).astype(np.float64)
