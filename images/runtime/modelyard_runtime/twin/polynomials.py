"""PolynomialFeatures: products of columns, each made of one of a degree less, as scikit-learn makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite

PRODUCTS = "products"
_MAX_WIDTH = 1 << 20
_MAX_DEGREE = 32
_TWO = 2


def compile_polynomial(transformer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted PolynomialFeatures."""
    width = int(transformer.n_features_in_)
    degree = transformer.degree
    low, high = degree if isinstance(degree, tuple | list) else (0, degree)
    require(high >= 1, "PolynomialFeatures keeps no column")
    require(int(transformer.n_output_features_) <= _MAX_WIDTH, "PolynomialFeatures makes too many columns")
    choose = combinations if transformer.interaction_only else combinations_with_replacement
    arrays: dict[str, np.ndarray] = {}
    before: Sequence[tuple[int, ...]] = [(at,) for at in range(width)]
    for each in range(_TWO, high + 1):
        places = {term: at for at, term in enumerate(before)}
        terms = list(choose(range(width), each))
        arrays[f"factor{each}"] = np.array([term[0] for term in terms], dtype=np.int64)
        arrays[f"rest{each}"] = np.array([places[term[1:]] for term in terms], dtype=np.int64)
        before = terms
    settings = {"width": width, "low": int(low), "high": int(high), "one": bool(transformer.include_bias)}
    return Node(PRODUCTS, settings=settings, arrays=arrays)


def build_products(node: Node, _: BuildStep) -> Transform:
    """Kernel of PolynomialFeatures."""
    width = node.count("width", _MAX_WIDTH)
    high = node.count("high", _MAX_DEGREE)
    low = node.count("low", high)
    steps, known = [], width
    for each in range(_TWO, high + 1):
        factor = node.numbers(f"factor{each}", np.int64, None)
        rest = node.numbers(f"rest{each}", np.int64, len(factor))
        for held, limit in ((factor, width), (rest, known)):
            if len(held) and (held.min() < 0 or held.max() >= limit):
                raise node.broken(f"factor{each}")
        steps.append((factor, rest))
        known = len(factor)
    if not high:
        raise node.broken("high")
    return _Products(width, low, node.flag("one"), tuple(steps))


@dataclass(frozen=True)
class _Products:
    width: int
    low: int
    """Lowest degree that is kept."""
    one: bool
    """Whether a column of ones comes first."""
    steps: tuple[tuple[np.ndarray, np.ndarray], ...]
    """For each degree from the second the column that is multiplied, and the product of a degree less."""

    def alone(self, row: Row) -> Row | None:
        held = float_row(row)
        if held is None or len(held) != self.width or not is_finite(held):
            return None
        return self._products(held)

    def __call__(self, rows: Rows) -> Rows:
        held = floats(rows)
        if held.ndim != _TWO or held.shape[1] != self.width:
            raise ValueError(f"X has not the {self.width} columns that the transformer was fitted with.")
        return self._products(held)

    def _products(self, held: np.ndarray) -> np.ndarray:
        kept = [np.ones((*held.shape[:-1], 1))] if self.one else []
        terms = held
        if self.low <= 1:
            kept.append(terms)
        for degree, (factor, rest) in enumerate(self.steps, start=_TWO):
            terms = terms.take(rest, axis=-1) * held.take(factor, axis=-1)
            if self.low <= degree:
                kept.append(terms)
        return np.concatenate(kept, axis=-1)
