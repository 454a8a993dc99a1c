"""What is known of one column, made of parts and added up: the same whatever the parts were and however they came."""

from __future__ import annotations

import base64
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.base import StatusModel
from modelyard_api.contract.manifest import Column, ColumnStatistics
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.record.sketches import Distinct, Quantiles, exact_sum, in_units, units
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.hashing import cells, fixed_width, mix, valid

Value = bool | int | float | str

MOST_VALUES = 1000
"""Different values up to which each is counted."""
SHOWN_VALUES = 20
_SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_INTERVALS = 20
_SHOWN_TEXT = 120
_LONGEST_VALUE = 256
_PROBE_ROWS = 4096
_CHUNK_ROWS = 32_768
"""Rows whose intermediate arrays fit the cache of a core."""
_LARGEST_SQUARED = 1e150
_ROUNDING = Fraction(1, 2**53)
_WORST_ERROR = Fraction(1, 10**6)


class ColumnState(StatusModel):
    """A ``ColumnProfile`` as a document; whole numbers of any length are hex."""

    column: Column
    missing: int
    infinite: int
    numbers: int
    minimum: int | float | str | None
    maximum: int | float | str | None
    total: str
    squares: str | None
    bits: int
    buckets: str
    """int64, little-endian, as base64, like ``counts``: thousands of numbers, which JSON would spell one by one."""
    counts: str
    values: list[tuple[bool | int | float | str, int]] | None
    registers: str | None


class ColumnProfile:
    """Counts, sums and sketches of a column."""

    def __init__(self, column: Column) -> None:
        self.column = Column(name=column.name, type=column.type)
        self.missing = 0
        self.infinite = 0
        self._numbers = 0
        self._minimum: int | float | str | None = None
        self._maximum: int | float | str | None = None
        self._total = 0
        self._squares: int | None = 0
        self._quantiles = Quantiles()
        self.values: Counter[Value] | None = Counter()
        """Rows of each finite value, while there are few."""
        self._distinct = Distinct()

    def add(self, values: pa.Array, known: np.ndarray | None = None) -> None:
        """Adds values of the column's canonical type; ``known`` are their cells, if they were made already."""
        self.missing += values.null_count
        present = self._finite(values.drop_null() if values.null_count else values)
        if len(present) == 0:
            return
        if self.column.type is ColumnType.TEXT:
            self._check_length(present)
        counted = self._count_values(present)
        if self.column.type is ColumnType.TEXT:
            self._widen_texts(present if counted is None else counted[0])
        hashed = known[valid(values)] if known is not None and values.null_count else known
        for start in range(0, len(present), _CHUNK_ROWS):
            chunk = present.slice(start, _CHUNK_ROWS)
            self._measure(chunk, with_quantiles=counted is None)
            if counted is None:
                made = (
                    cells(self.column.type, chunk) if hashed is None else hashed[start : start + _CHUNK_ROWS]
                )
                self._distinct.add(mix(made))
        if counted is not None:
            self._measure_counted(*counted)

    def merge(self, other: ColumnProfile) -> None:
        """Adds what another profile of the column holds."""
        self.missing += other.missing
        self.infinite += other.infinite
        self._numbers += other._numbers
        self._widen(other._minimum, other._maximum)
        self._total += other._total
        if self._squares is not None:
            self._squares = None if other._squares is None else self._squares + other._squares
        self._quantiles.merge(other._quantiles)
        if other.values is None:
            self._give_up_values()
        self._distinct.merge(other._distinct)
        if other.values is not None:
            self._count(other.values)

    def statistics(self) -> ColumnStatistics:
        """What people read."""
        distinct = self._distinct.estimate() if self.values is None else len(self.values)
        edges, counts = self._histogram()
        return ColumnStatistics(
            name=self.column.name,
            missing=self.missing,
            infinite=self.infinite,
            distinct=distinct,
            mean=self._mean(),
            deviation=self._deviation(),
            minimum=self._minimum,
            maximum=self._maximum,
            quantiles=[self._clamped(self._quantiles.at(share)) for share in _SHARES]
            if self._numbers
            else [],
            edges=edges,
            counts=counts,
            values=self._shown_values(),
        )

    def state(self) -> ColumnState:
        """The profile as a document."""
        values = None
        if self.values is not None:
            values = sorted(self.values.items(), key=lambda pair: (str(type(pair[0])), pair[0]))
        registers = base64.b64encode(self._distinct.registers.tobytes()).decode()
        return ColumnState(
            column=self.column,
            missing=self.missing,
            infinite=self.infinite,
            numbers=self._numbers,
            minimum=self._minimum,
            maximum=self._maximum,
            total=_packed(self._total),
            squares=None if self._squares is None else _packed(self._squares),
            bits=self._quantiles.bits,
            buckets=_encoded(self._quantiles.buckets),
            counts=_encoded(self._quantiles.counts),
            values=values,
            registers=registers if values is None else None,
        )

    @classmethod
    def restored(cls, state: ColumnState) -> ColumnProfile:
        """The profile that ``state`` was made of."""
        made = cls(state.column)
        made.missing, made.infinite, made._numbers = state.missing, state.infinite, state.numbers
        made._minimum, made._maximum = state.minimum, state.maximum
        made._total = _unpacked(state.total)
        made._squares = None if state.squares is None else _unpacked(state.squares)
        made._quantiles.bits = state.bits
        made._quantiles.buckets = _decoded(state.buckets)
        made._quantiles.counts = _decoded(state.counts)
        made.values = None if state.values is None else Counter(dict(state.values))
        if state.registers is not None:
            held = np.frombuffer(base64.b64decode(state.registers), dtype=np.uint8)
            made._distinct = Distinct(held.copy())
        return made

    def _finite(self, present: pa.Array) -> pa.Array:
        """The values that are numbers to reckon with; only one zero. Counts the others."""
        if self.column.type is not ColumnType.NUMBER:
            return present
        numbers = fixed_width(present, np.float64)
        finite = np.isfinite(numbers)
        if not finite.all():
            nans = int(np.isnan(numbers).sum())
            self.missing += nans
            self.infinite += len(numbers) - int(finite.sum()) - nans
            numbers = numbers[finite]
        return pa.array(numbers + 0.0)

    def _check_length(self, present: pa.Array) -> None:
        if self.values is not None and pc.max(pc.binary_length(present)).as_py() > _LONGEST_VALUE:
            self._give_up_values()

    def _widen_texts(self, present: pa.Array) -> None:
        ends = pc.min_max(present).as_py()
        self._widen(ends["min"][:_SHOWN_TEXT], ends["max"][:_SHOWN_TEXT])

    def _measure(self, chunk: pa.Array, *, with_quantiles: bool) -> None:
        """Sums, extremes and quantiles of numbers."""
        if self.column.type is ColumnType.NUMBER:
            numbers = fixed_width(chunk, np.float64)
            low, high = float(numbers.min()), float(numbers.max())
            self._widen(low, high)
            self._total += exact_sum(numbers)
        elif self.column.type is ColumnType.INTEGER:
            integers = fixed_width(chunk, np.int64)
            numbers = integers.astype(np.float64)
            low, high = float(numbers.min()), float(numbers.max())
            self._widen(int(integers.min()), int(integers.max()))
            upper, lower = integers >> 32, integers & 0xFFFFFFFF
            self._total += units((int(upper.sum()) << 32) + int(lower.sum()))
        else:
            return
        self._numbers += len(numbers)
        if with_quantiles:
            self._quantiles.add(numbers)
        if self._squares is not None:
            largest = max(high, -low)
            self._squares = (
                None if largest > _LARGEST_SQUARED else self._squares + exact_sum(numbers * numbers)
            )

    def _measure_counted(self, values: pa.Array, rows: pa.Array) -> None:
        """Quantiles of numbers, of each value once."""
        if self.column.type in (ColumnType.NUMBER, ColumnType.INTEGER):
            numbers = values.to_numpy().astype(np.float64)
            self._quantiles.add_counted(numbers, rows.to_numpy())

    def _widen(self, low: float | str | None, high: float | str | None) -> None:
        if low is not None and (self._minimum is None or low < self._minimum):  # type: ignore[operator]
            self._minimum = low
        if high is not None and (self._maximum is None or high > self._maximum):  # type: ignore[operator]
            self._maximum = high

    def _count_values(self, present: pa.Array) -> tuple[pa.Array, pa.Array] | None:
        """Counts each value while there are few of them: the values and their rows, or None where there are many."""
        if self.values is None:
            return None
        if len(present.slice(0, _PROBE_ROWS).unique()) <= MOST_VALUES:
            pairs = present.value_counts()
            if len(pairs) <= MOST_VALUES:
                values, rows = pairs.field(0), pairs.field(1)
                self._count(Counter(dict(zip(values.to_pylist(), rows.to_pylist(), strict=True))))
                return values, rows
        self._give_up_values()
        return None

    def _count(self, added: Counter[Value]) -> None:
        if self.values is None:
            self._see(added)
            return
        self.values.update(added)
        if len(self.values) > MOST_VALUES:
            self._give_up_values()

    def _give_up_values(self) -> None:
        if self.values is not None:
            self._see(self.values)
            self.values = None

    def _see(self, values: Counter[Value]) -> None:
        held = pa.array(list(values), ARROW_TYPES[self.column.type])
        self._distinct.add(mix(cells(self.column.type, held)))

    def _mean(self) -> float | None:
        return float(_fraction(self._total) / self._numbers) if self._numbers else None

    def _deviation(self) -> float | None:
        """Of the sample, with n - 1; the squares were rounded once, which must not show."""
        if self._numbers < 2 or self._squares is None:  # noqa: PLR2004  a deviation needs two
            return None
        squares = _fraction(self._squares)
        scattered = squares - _fraction(self._total) ** 2 / self._numbers
        if scattered <= 0 or squares * _ROUNDING > scattered * _WORST_ERROR:
            return 0.0 if self._minimum == self._maximum else None
        return math.sqrt(scattered / (self._numbers - 1))

    def _histogram(self) -> tuple[list[float], list[int]]:
        if not self._numbers:
            return [], []
        low, high = float(self._minimum or 0), float(self._maximum or 0)
        if not math.isfinite(high - low):
            return [], []
        if low == high:
            return [low, high], [self._numbers]
        edges = np.linspace(low, high, _INTERVALS + 1)
        places = np.clip(self._quantiles.representatives(), low, high)
        counts, _ = np.histogram(places, bins=edges, weights=self._quantiles.counts)
        return edges.tolist(), [int(count) for count in counts]

    def _clamped(self, value: float) -> float:
        return min(max(value, float(self._minimum or 0)), float(self._maximum or 0))

    def _shown_values(self) -> dict[str, int]:
        if self.values is None or len(self.values) > SHOWN_VALUES:
            return {}
        return {shown_value(value): rows for value, rows in sorted(self.values.items(), key=_largest_first)}


def shown_value(value: Value) -> str:
    """A value as the key of a JSON object: booleans as JSON spells them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _largest_first(pair: tuple[Value, int]) -> tuple[int, str]:
    return -pair[1], str(pair[0])


def _fraction(total: int) -> Fraction:
    return Fraction(total, in_units(1.0))


def _encoded(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.astype("<i8", copy=False).tobytes()).decode()


def _decoded(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<i8").astype(np.int64)


def _packed(total: int) -> str:
    """Hex digits and, after ``p``, how many zero bits follow."""
    zeros = (total & -total).bit_length() - 1 if total else 0
    return f"{total >> zeros:x}p{zeros}"


def _unpacked(text: str) -> int:
    digits, _, zeros = text.partition("p")
    return int(digits, 16) << int(zeros)
