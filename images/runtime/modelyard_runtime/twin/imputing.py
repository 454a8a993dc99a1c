"""SimpleImputer: missing values become what was learned for their column. MissingIndicator says which are missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, NotCompiledError, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite

IMPUTE = "impute"
INDICATE = "indicate"


def compile_imputer(imputer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted SimpleImputer that takes NaN for missing."""
    missing = imputer.missing_values
    require(
        isinstance(missing, float) and math.isnan(missing), "SimpleImputer takes another value for missing"
    )
    numeric = imputer._fit_dtype.kind != "O"  # noqa: SLF001  not to be had otherwise
    learned = imputer.statistics_.tolist()
    empty = [isinstance(value, float) and math.isnan(value) for value in learned]
    kept = [at for at, value in enumerate(empty) if imputer.keep_empty_features or not value]
    require(bool(kept), "SimpleImputer keeps no column")
    indicated = imputer.indicator_.features_ if imputer.add_indicator else ()
    return Node(
        IMPUTE,
        settings={
            "numeric": numeric,
            "width": len(learned),
            "fill": [_plain(learned[at], numeric=numeric) for at in kept],
        },
        arrays={
            "kept": np.asarray(kept, dtype=np.int64),
            "indicated": np.asarray(indicated, dtype=np.int64),
        },
    )


def compile_indicator(indicator: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted MissingIndicator that takes NaN for missing."""
    missing = indicator.missing_values
    require(
        isinstance(missing, float) and math.isnan(missing), "MissingIndicator takes another value for missing"
    )
    shown = np.asarray(indicator.features_, dtype=np.int64)
    require(len(shown) > 0, "MissingIndicator keeps no column")
    refuses = indicator.features == "missing-only" and bool(indicator.error_on_new)
    settings = {"width": int(indicator.n_features_in_), "refusesNew": refuses}
    return Node(INDICATE, settings=settings, arrays={"shown": shown})


def build_imputer(node: Node, _: BuildStep) -> Transform:
    """Kernel of a SimpleImputer."""
    width = node.count("width", 1 << 24)
    numeric = node.flag("numeric")
    kept = node.numbers("kept", np.int64, None)
    indicated = node.numbers("indicated", np.int64, None)
    fill = node.settings.get("fill")
    known = (int, float) if numeric else (int, float, str)
    if (
        not isinstance(fill, list)
        or len(fill) != len(kept)
        or not all(isinstance(value, known) for value in fill)
    ):
        raise node.broken("fill")
    for positions in (kept, indicated):
        if len(positions) and (positions.min() < 0 or positions.max() >= width):
            raise node.broken("kept")
    values = np.asarray(fill, dtype=np.float64 if numeric else np.object_)
    whole = np.array_equal(kept, np.arange(width))
    return _Imputer(width, numeric, values, None if whole else kept, indicated if len(indicated) else None)


def build_indicator(node: Node, _: BuildStep) -> Transform:
    """Kernel of a MissingIndicator."""
    width = node.count("width", 1 << 24)
    shown = node.numbers("shown", np.int64, None)
    if not len(shown) or shown.min() < 0 or shown.max() >= width:
        raise node.broken("shown")
    never = np.setdiff1d(np.arange(width), shown) if node.flag("refusesNew") else np.zeros(0, dtype=np.int64)
    return _Indicator(width, shown, never)


def _plain(value: object, *, numeric: bool) -> Json:
    if isinstance(value, str) and not numeric:
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise NotCompiledError("SimpleImputer fills in a value that is neither a text nor a finite number")


@dataclass(frozen=True)
class _Imputer:
    width: int
    numeric: bool
    fill: np.ndarray
    kept: np.ndarray | None
    indicated: np.ndarray | None

    def alone(self, row: Row) -> Row | None:
        """A row in which nothing is missing, where that leaves it as it is."""
        if not isinstance(row, np.ndarray) or len(row) != self.width:
            return None
        if self.kept is not None or self.indicated is not None:
            return None
        if not self.numeric:
            return row if all(value == value for value in row.tolist()) else None  # noqa: PLR0124  NaN is not itself
        held = float_row(row)
        return held if held is not None and is_finite(held) else None

    def __call__(self, rows: Rows) -> Rows:
        held = floats(rows, missing=True) if self.numeric else _objects(rows)
        if held.ndim != 2 or held.shape[1] != self.width:  # noqa: PLR2004  rows and columns
            raise ValueError(f"X has not the {self.width} columns that the imputer was fitted with.")
        # Only NaN differs from itself, among numbers and among objects alike.
        missing = np.not_equal(held, held)
        own = held if self.kept is None else held.take(self.kept, axis=1)
        gaps = missing if self.kept is None else missing.take(self.kept, axis=1)
        out = np.where(gaps, self.fill, own) if gaps.any() else own
        if self.indicated is None:
            return out
        return np.concatenate([out, missing.take(self.indicated, axis=1).astype(np.float64)], axis=1)


def _objects(rows: Rows) -> np.ndarray:
    held = rows if isinstance(rows, np.ndarray) else rows.dense()
    return held if held.dtype == np.object_ else held.astype(np.object_)


@dataclass(frozen=True)
class _Indicator:
    width: int
    shown: np.ndarray
    never: np.ndarray
    """Columns in which nothing may be missing."""

    def alone(self, row: Row) -> Row | None:
        if not isinstance(row, np.ndarray) or len(row) != self.width or row.dtype != np.float64:
            return None
        # Zeros, that is, in a row in which nothing is missing.
        return np.zeros(len(self.shown)) if is_finite(row) else None

    def __call__(self, rows: Rows) -> Rows:
        held = rows if isinstance(rows, np.ndarray) else rows.dense()
        if held.ndim != 2 or held.shape[1] != self.width:  # noqa: PLR2004  rows and columns
            raise ValueError(f"X has not the {self.width} columns that the indicator was fitted with.")
        if held.dtype == np.float64 and np.isinf(held).any():
            raise ValueError("Input X contains infinity or a value too large for dtype('float64').")
        missing = np.not_equal(held, held)
        if missing.take(self.never, axis=1).any():
            raise ValueError("Columns have missing values that had none when the indicator was fitted.")
        return missing.take(self.shown, axis=1).astype(np.float64)
