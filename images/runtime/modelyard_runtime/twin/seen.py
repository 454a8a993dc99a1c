"""How trees see rows: the precision in which they compare, and what they take for missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite

_TWO = 2


@dataclass(frozen=True)
class SingleRows:
    """Rows rounded to single precision, as scikit-learn's trees compare them."""

    width: int
    missing: bool

    def __call__(self, rows: Rows) -> tuple[np.ndarray, bool]:
        """The rows, and whether a value is missing."""
        held = floats(_of_width(rows, self.width), missing=self.missing).astype(np.float32)
        gaps = not np.isfinite(held).all()
        if gaps and np.isinf(held).any():
            raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
        return held, gaps

    def alone(self, row: Row) -> np.ndarray | None:
        """A single row with nothing missing, shape (1, width)."""
        held = float_row(row)
        if held is None or len(held) != self.width:
            return None
        single = held.astype(np.float32)
        return single[np.newaxis] if is_finite(single) else None


@dataclass(frozen=True)
class DoubleRows:
    """Rows as they are; missing and infinite values are compared like others."""

    width: int

    def __call__(self, rows: Rows) -> tuple[np.ndarray, bool]:
        """The rows, and whether a value is missing."""
        held = floats(_of_width(rows, self.width), infinite=True)
        return held, bool(np.isnan(held).any())

    def alone(self, row: Row) -> np.ndarray | None:
        """A single row with nothing missing, shape (1, width)."""
        held = float_row(row)
        if held is None or len(held) != self.width or not is_finite(held):
            return None
        return held[np.newaxis]


@dataclass(frozen=True)
class RoundedRows:
    """Rows rounded to single precision, in which NaN is missing and infinite values are compared like others."""

    width: int

    def __call__(self, rows: Rows) -> tuple[np.ndarray, bool]:
        """The rows, and whether a value is missing."""
        held = floats(_of_width(rows, self.width), infinite=True).astype(np.float32)
        return held, bool(np.isnan(held).any())

    def alone(self, row: Row) -> np.ndarray | None:
        """A single row with nothing missing, shape (1, width)."""
        held = float_row(row)
        if held is None or len(held) != self.width:
            return None
        single = held.astype(np.float32)
        return single[np.newaxis] if is_finite(single) else None


def _of_width(rows: Rows, width: int) -> Rows:
    if len(rows.shape) != _TWO or rows.shape[1] != width:
        raise ValueError(f"X has not the {width} columns that the model was fitted with.")
    return rows
