"""SplineTransformer: for each column the B-splines that are not nought there, by the recursion of de Boor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite

SPLINES = "splines"
_MAX_DEGREE = 64
_MAX_KNOTS = 1 << 16
_BEYOND = ("constant", "error", "continue")
_TWO = 2


def compile_splines(transformer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted SplineTransformer that is constant beyond its knots, goes on, or refuses what lies there."""
    beyond = transformer.extrapolation
    require(beyond in _BEYOND, f"SplineTransformer extrapolates by {beyond}")
    require(transformer.degree >= 1, "SplineTransformer has steps, not curves")
    missing = getattr(transformer, "handle_missing", "error")
    require(missing == "error", "SplineTransformer takes missing values")
    knots = np.stack([np.asarray(each.t, dtype=np.float64) for each in transformer.bsplines_])
    settings = {
        "degree": int(transformer.degree),
        "beyond": beyond,
        "all": bool(transformer.include_bias),
        "width": knots.size,
    }
    return Node(SPLINES, settings=settings, arrays={"knots": knots})


def build_splines(node: Node, _: BuildStep) -> Transform:
    """Kernel of a SplineTransformer."""
    knots = node.numbers("knots", np.float64, None, None)
    degree = node.count("degree", _MAX_DEGREE)
    if degree < 1 or not len(knots) or not 2 * (degree + 1) <= knots.shape[1] <= _MAX_KNOTS:
        raise node.broken("knots")
    if not np.isfinite(knots).all() or (np.diff(knots, axis=1) < 0).any():
        raise node.broken("knots")
    return _Splines(knots, degree, node.choice("beyond", *_BEYOND), node.flag("all"))


@dataclass(frozen=True)
class _Splines:
    knots: np.ndarray
    """Shape (columns, knots)."""
    degree: int
    beyond: str
    all: bool
    """Whether the last spline of each column is kept."""

    def alone(self, row: Row) -> Row | None:
        held = float_row(row)
        if held is None or len(held) != len(self.knots) or not is_finite(held):
            return None
        if self.beyond == "error" and self._lies_beyond(held):
            return None
        return np.asarray(self._splines(held[np.newaxis])[0])

    def __call__(self, rows: Rows) -> Rows:
        held = floats(rows)
        if held.ndim != _TWO or held.shape[1] != len(self.knots):
            raise ValueError(f"X has not the {len(self.knots)} columns that the transformer was fitted with.")
        if self.beyond == "error" and self._lies_beyond(held):
            raise ValueError("`X` contains values beyond the limits of the knots.")
        return self._splines(held)

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        return self.knots[:, self.degree], self.knots[:, -self.degree - 1]

    def _lies_beyond(self, held: np.ndarray) -> bool:
        low, high = self._limits()
        return bool(((held < low) | (held > high)).any())

    def _splines(self, held: np.ndarray) -> np.ndarray:
        if self.beyond == "constant":
            held = np.clip(held, *self._limits())
        columns, count = self.knots.shape
        splines = count - self.degree - 1
        inner = self.knots[:, self.degree + 1 : splines]
        interval = self.degree + (held[:, :, np.newaxis] >= inner).sum(axis=2)
        out = np.zeros((len(held), columns, splines))
        rows, own = np.arange(len(held))[:, np.newaxis], np.arange(columns)
        for at, values in enumerate(self._nonzero(held, interval)):
            out[rows, own, interval - self.degree + at] = values
        if not self.all:
            out = out[:, :, :-1]
        return out.reshape(len(held), -1)

    def _nonzero(self, held: np.ndarray, interval: np.ndarray) -> list[np.ndarray]:
        """The splines that are not nought in these intervals, each of the shape of the rows."""
        flat = self.knots.ravel()
        start = interval + np.arange(len(self.knots)) * self.knots.shape[1]
        found = [np.ones(held.shape)]
        for degree in range(1, self.degree + 1):
            before, found = found, [np.zeros(held.shape)]
            for at in range(1, degree + 1):
                after, first = flat.take(start + at), flat.take(start + (at - degree))
                distance = after - first
                share = np.where(distance == 0, 0.0, before[at - 1] / np.where(distance == 0, 1.0, distance))
                found[at - 1] = found[at - 1] + share * (after - held)
                found.append(share * (held - first))
        return found
