"""Columns bent by curves of their own: PowerTransformer and QuantileTransformer; and rows brought to length one."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from modelyard_runtime.twin.arithmetic import compile_scaler
from modelyard_runtime.twin.columns import CHAIN
from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite

POWERS = "powers"
QUANTILES = "quantiles"
LENGTHS = "lengths"
_METHODS = ("yeo-johnson", "box-cox")
_DISTRIBUTIONS = ("uniform", "normal")
_NORMS = ("l1", "l2", "max")
_TWO = 2
_FLAT = float(np.finfo(np.float64).eps)
"""Yeo and Johnson's curve is a logarithm where its exponent is less than this, Box and Cox's where it is less than that."""
_FLATTER = 1e-19
_FAR_OUT = 1e-7
_LEAST = _FAR_OUT - float(np.spacing(1.0))
"""Share beyond which a normal distribution is not asked for its value, which goes to infinity."""


def compile_powers(transformer: Any, compile_step: CompileStep) -> Node:  # noqa: ANN401
    """A fitted PowerTransformer."""
    exponents = np.asarray(transformer.lambdas_, dtype=np.float64)
    require(bool(np.isfinite(exponents).all()), "PowerTransformer saw a column without values")
    node = Node(POWERS, settings={"method": transformer.method}, arrays={"exponents": exponents})
    if not transformer.standardize:
        return node
    scaler = transformer._scaler  # noqa: SLF001  not to be had otherwise
    return Node(CHAIN, children=(node, compile_scaler(scaler, compile_step)))


def compile_quantiles(transformer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted QuantileTransformer."""
    quantiles = np.ascontiguousarray(np.asarray(transformer.quantiles_, dtype=np.float64).T)
    require(not np.isnan(quantiles).any(), "QuantileTransformer saw a column without values")
    return Node(
        QUANTILES,
        settings={"distribution": transformer.output_distribution},
        arrays={"quantiles": quantiles, "shares": np.asarray(transformer.references_, dtype=np.float64)},
    )


def compile_lengths(normalizer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted Normalizer."""
    return Node(LENGTHS, settings={"norm": normalizer.norm, "width": int(normalizer.n_features_in_)})


def build_powers(node: Node, _: BuildStep) -> Transform:
    """Kernel of a PowerTransformer."""
    exponents = node.numbers("exponents", np.float64, None)
    return _Powers(exponents, node.choice("method", *_METHODS) == "box-cox")


def build_quantiles(node: Node, _: BuildStep) -> Transform:
    """Kernel of a QuantileTransformer."""
    shares = node.numbers("shares", np.float64, None)
    quantiles = node.numbers("quantiles", np.float64, None, len(shares))
    if not len(shares):
        raise node.broken("shares")
    return _Quantiles(quantiles, shares, node.choice("distribution", *_DISTRIBUTIONS) == "normal")


def build_lengths(node: Node, _: BuildStep) -> Transform:
    """Kernel of a Normalizer."""
    return _Lengths(node.count("width", 1 << 26), node.choice("norm", *_NORMS))


def _checked(rows: Rows, width: int, *, missing: bool) -> np.ndarray:
    held = floats(rows, missing=missing)
    if held.ndim != _TWO or held.shape[1] != width:
        raise ValueError(f"X has not the {width} columns that the transformer was fitted with.")
    return held


def _finite(row: Row, width: int) -> np.ndarray | None:
    held = float_row(row)
    return held if held is not None and len(held) == width and is_finite(held) else None


@dataclass(frozen=True)
class _Powers:
    exponents: np.ndarray
    positive: bool
    """By Box and Cox, who know positive values alone; by Yeo and Johnson otherwise."""

    def alone(self, row: Row) -> Row | None:
        held = _finite(row, len(self.exponents))
        if held is None or (self.positive and (held <= 0).any()):
            return None
        return self._bent(held)

    def __call__(self, rows: Rows) -> Rows:
        held = _checked(rows, len(self.exponents), missing=True)
        if self.positive and (held <= 0).any():
            raise ValueError("The Box-Cox transformation can only be applied to strictly positive data")
        return self._bent(held)

    def _bent(self, held: np.ndarray) -> np.ndarray:
        if self.positive:
            return self._raised(np.log(held), self.exponents, np.abs(self.exponents) < _FLATTER)
        up = held >= 0
        exponents = np.where(up, self.exponents, 2 - self.exponents)
        flat = np.where(up, np.abs(self.exponents) < _FLAT, np.abs(self.exponents - 2) <= _FLAT)
        raised = self._raised(np.log1p(np.abs(held)), exponents, flat)
        return np.where(up, raised, -raised)

    @staticmethod
    def _raised(logarithm: np.ndarray, exponents: np.ndarray, flat: np.ndarray) -> np.ndarray:
        return np.where(flat, logarithm, np.expm1(exponents * logarithm) / exponents)


@dataclass(frozen=True)
class _Quantiles:
    quantiles: np.ndarray
    """Shape (columns, shares)."""
    shares: np.ndarray
    normal: bool

    def alone(self, row: Row) -> Row | None:
        held = _finite(row, len(self.quantiles))
        return None if held is None else self._shares(held[np.newaxis])[0]

    def __call__(self, rows: Rows) -> Rows:
        return self._shares(_checked(rows, len(self.quantiles), missing=True))

    def _shares(self, held: np.ndarray) -> np.ndarray:
        out = np.empty(held.shape)
        for at, quantiles in enumerate(self.quantiles):
            column = held[:, at]
            # Where several shares have the same quantile, the middle between the least and the greatest counts.
            found = 0.5 * (
                np.interp(column, quantiles, self.shares)
                - np.interp(-column, -quantiles[::-1], -self.shares[::-1])
            )
            margin = _FAR_OUT if self.normal else 0.0
            low, high = quantiles[0], quantiles[-1]
            over = column + margin > high if self.normal else column == high
            under = column - margin < low if self.normal else column == low
            out[:, at] = np.where(under, 0.0, np.where(over, 1.0, found))
        return _normal(out) if self.normal else out


def _normal(shares: np.ndarray) -> np.ndarray:
    """Values of a normal distribution of which these are the shares below."""
    of = NormalDist().inv_cdf
    inner = np.clip(shares, _LEAST, 1 - _LEAST)
    return np.array([of(share) for share in inner.ravel().tolist()]).reshape(shares.shape)


@dataclass(frozen=True)
class _Lengths:
    width: int
    norm: str

    def alone(self, row: Row) -> Row | None:
        held = _finite(row, self.width)
        return None if held is None else self._divided(held[np.newaxis])[0]

    def __call__(self, rows: Rows) -> Rows:
        return self._divided(_checked(rows, self.width, missing=False))

    def _divided(self, held: np.ndarray) -> np.ndarray:
        if self.norm == "l2":
            lengths = np.sqrt(np.einsum("ij,ij->i", held, held))
        elif self.norm == "l1":
            lengths = np.sum(np.abs(held), axis=1)
        else:
            lengths = np.max(np.abs(held), axis=1)
        # What is as good as nothing is not divided by.
        lengths = np.where(lengths < 10 * _FLAT, 1.0, lengths)
        return np.asarray(held / lengths[:, np.newaxis])
