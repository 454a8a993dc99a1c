"""The forms that rows take between the steps of a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class SparseRows:
    """Rows of which few values are not zero, as from a vocabulary: for each row a run of (column, value)."""

    starts: np.ndarray
    """Where the run of each row starts, and the end of the last; shape (rows + 1,)."""
    columns: np.ndarray
    values: np.ndarray
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.starts) - 1, self.width

    @property
    def owners(self) -> np.ndarray:
        """The row of each value."""
        if len(self.starts) == 2:  # noqa: PLR2004  a single row
            return np.zeros(len(self.columns), dtype=np.int64)
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def dense(self) -> np.ndarray:
        """All values."""
        out = np.zeros(self.shape)
        out[self.owners, self.columns] = self.values
        return out

    def times(self, weights: np.ndarray) -> np.ndarray:
        """Product with weights of shape (width,) or (width, outputs), summed in the order of the columns."""
        rows = len(self.starts) - 1
        picked = weights[self.columns]
        if rows == 1:
            return np.asarray(self.values @ picked)[np.newaxis]
        owners = self.owners
        if weights.ndim == 1:
            return np.bincount(owners, self.values * picked, minlength=rows)
        parts = [np.bincount(owners, self.values * each, minlength=rows) for each in picked.T]
        return np.stack(parts, axis=1)


@dataclass(frozen=True)
class SideBySide:
    """Blocks of columns of which at least one is sparse."""

    blocks: tuple[np.ndarray | SparseRows, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.blocks[0].shape[0], sum(block.shape[1] for block in self.blocks)

    def dense(self) -> np.ndarray:
        """All values."""
        return np.concatenate([floats(block, infinite=True) for block in self.blocks], axis=1)

    def times(self, weights: np.ndarray) -> np.ndarray:
        """Product with weights of shape (width,) or (width, outputs)."""
        total: np.ndarray | None = None
        start = 0
        for block in self.blocks:
            own = weights[start : start + block.shape[1]]
            start += block.shape[1]
            part = block.times(own) if isinstance(block, SparseRows) else floats(block) @ own
            total = part if total is None else total + part
        return np.zeros(0) if total is None else total


Rows = np.ndarray | SparseRows | SideBySide


def beside(blocks: Sequence[Rows]) -> Rows:
    """Blocks of columns as one."""
    if len(blocks) == 1:
        return blocks[0]
    if all(isinstance(block, np.ndarray) for block in blocks):
        return np.concatenate([block for block in blocks if isinstance(block, np.ndarray)], axis=1)
    flat: list[np.ndarray | SparseRows] = []
    for block in blocks:
        flat.extend(block.blocks if isinstance(block, SideBySide) else (block,))
    return SideBySide(tuple(flat))


def floats(rows: Rows, *, missing: bool = False, infinite: bool = False) -> np.ndarray:
    """Rows as float64, as scikit-learn's own check makes them.

    Raises ValueError for texts that are no numbers, for infinite values, and for missing ones, unless they are
    allowed.
    """
    held = rows if isinstance(rows, np.ndarray) else rows.dense()
    if held.dtype != np.float64:
        try:
            held = held.astype(np.float64)
        except TypeError as error:
            raise ValueError(str(error)) from error
    if infinite:
        return held
    if np.isfinite(held).all():
        return held
    if not missing and np.isnan(held).any():
        raise ValueError("Input X contains NaN.")
    if np.isinf(held).any():
        raise ValueError("Input X contains infinity or a value too large for dtype('float64').")
    return held


def sparse_of(rows: np.ndarray) -> SparseRows:
    """Rows as those of which few values are not zero."""
    owners, columns = rows.nonzero()
    starts = np.searchsorted(owners, np.arange(len(rows) + 1))
    return SparseRows(starts, columns, rows[owners, columns], rows.shape[1])


def times(rows: Rows, weights: np.ndarray) -> np.ndarray:
    """Product with weights of shape (width,) or (width, outputs). Raises ValueError for missing and infinite values."""
    if isinstance(rows, np.ndarray):
        product: np.ndarray = floats(rows) @ weights
        return product
    return rows.times(weights)


class SparseRow(NamedTuple):
    """A single row of which few values are not zero."""

    columns: np.ndarray
    values: np.ndarray
    width: int


Row = np.ndarray | SparseRow | tuple["np.ndarray | SparseRow", ...]
"""A single row on its own: an array with one axis, a sparse one, or blocks of columns side by side. Of a column that a
step takes by itself it is the value."""


def dense_row(row: Row) -> np.ndarray:
    """All values of a single row."""
    if isinstance(row, np.ndarray):
        return row
    if isinstance(row, SparseRow):
        out = np.zeros(row.width)
        out[row.columns] = row.values
        return out
    return np.concatenate([dense_row(block) for block in row])


def float_row(row: Row) -> np.ndarray | None:
    """All values of a single row as float64; None where one is no number."""
    held = dense_row(row)
    if held.dtype == np.float64:
        return held
    try:
        return held.astype(np.float64)
    except (TypeError, ValueError):
        return None


def row_times(row: Row, weights: np.ndarray) -> np.ndarray | None:
    """Product of a single row with weights of shape (width,) or (width, outputs); None where the widths differ."""
    if isinstance(row, np.ndarray):
        held = float_row(row)
        return np.asarray(held.dot(weights)) if held is not None and len(row) == len(weights) else None
    if isinstance(row, SparseRow):
        return np.asarray(row.values.dot(weights.take(row.columns, 0))) if row.width == len(weights) else None
    total: np.ndarray | None = None
    start = 0
    for block in row:
        end = start + (len(block) if isinstance(block, np.ndarray) else block.width)
        part = row_times(block, weights[start:end])
        if part is None:
            return None
        total = part if total is None else total + part
        start = end
    return total if start == len(weights) else None


def is_finite(row: np.ndarray) -> bool:
    """Whether no value of a single row is missing or infinite; much faster than asking each for few values."""
    return bool(row.dot(np.zeros(len(row), dtype=row.dtype)) == 0.0)
