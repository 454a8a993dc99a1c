"""Whether the rows of a window come from where the training rows came from, with a stated rate of false alarms.

For each feature and for the output the window's counts are compared with the reference's by the chi-square test of two
samples, which knows how many rows both have. A fixed bound on a distance does not: for samples of one source the
population stability index over ten bins is above 0.1 in most windows of 100 rows and in none of 1,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard_api.contract.reference import Histogram, Measure, Reference, category_text
from modelyard_server.monitoring.chi_square import critical

_LEAST_EXPECTED = 5.0
"""Rows that a bin should have in a window; rarer ones are counted together, or the test would not keep its rate."""
_LEAST_TOGETHER = 1.0
"""Where even those together are rarer, they are counted with the smallest of the others."""
_SMOOTH = 0.5


@dataclass(frozen=True)
class Compared:
    """One quantity of a window beside its reference."""

    name: str
    score: float
    """Test statistic as a multiple of its limit: above 1 is drift. 0 where there is but one bin."""
    psi: float
    """Population stability index, natural logarithms, for comparison with other tools."""


@dataclass(frozen=True)
class Verdict:
    """What a window showed."""

    rows: int
    compared: tuple[Compared, ...]
    """Features in the order of the inputs, then the output."""

    @property
    def drifted(self) -> tuple[str, ...]:
        """Quantities above their limit."""
        return tuple(each.name for each in self.compared if each.score > 1)


class Bins:
    """Counts values of one quantity into the bins of its reference."""

    def __init__(self, reference: Histogram) -> None:
        self.reference = reference
        self._edges = np.array(reference.edges, dtype=np.float64)
        self._missing = len(reference.counts) - 1
        self._places = {text: place for place, text in enumerate(reference.categories)}

    def count(self, values: np.ndarray) -> np.ndarray:
        """Counts by bin of numbers with NaN for missing, or of objects of which texts and labels are known."""
        measure = self.reference.measure
        if measure is Measure.CATEGORY:
            bins = np.array([self._category(value) for value in values.tolist()])
        else:
            numbers = _lengths(values) if measure is Measure.LENGTH else values.astype(np.float64)
            bins = np.searchsorted(self._edges, numbers, side="left")
            bins[np.isnan(numbers)] = self._missing
        return np.bincount(bins, minlength=self._missing + 1)

    def _category(self, value: object) -> int:
        if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124  NaN
            return self._missing
        return self._places.get(category_text(value), self._missing - 1)


class Watch:
    """Windows of one version, one after the other, each judged when it is full."""

    def __init__(self, reference: Reference, rows: int, false_alarm: float) -> None:
        """``false_alarm`` is the share of windows without drift in which any quantity is above its limit."""
        self._rows = rows
        self._bins = [Bins(each) for each in (*reference.features, reference.output)]
        # Šidák: so many tests together err at the rate that is asked for, or less where features go together.
        self._alone = 1 - (1 - false_alarm) ** (1 / len(self._bins))
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._held = 0

    def add(self, matrix: np.ndarray, outputs: np.ndarray) -> list[Verdict]:
        """Takes rows of shape (rows, inputs) and their answers; returns the verdict of each window they filled."""
        self._waiting.append((matrix, outputs))
        self._held += len(matrix)
        if self._held < self._rows:
            return []
        # Counting a window at once takes a fortieth of what counting row by row does.
        rows = np.concatenate([each for each, _ in self._waiting])
        answers = np.concatenate([each for _, each in self._waiting])
        full = self._held - self._held % self._rows
        self._waiting = [(rows[full:], answers[full:])]
        self._held -= full
        return [
            self._judge(rows[start : start + self._rows], answers[start : start + self._rows])
            for start in range(0, full, self._rows)
        ]

    def _judge(self, matrix: np.ndarray, outputs: np.ndarray) -> Verdict:
        compared = []
        for place, bins in enumerate(self._bins):
            values = matrix[:, place] if place < matrix.shape[1] else outputs
            compared.append(
                compare(bins.reference.name, bins.reference.counts, bins.count(values), self._alone)
            )
        return Verdict(len(matrix), tuple(compared))


def compare(name: str, reference: Sequence[int], window: np.ndarray, false_alarm: float) -> Compared:
    """Counts of a window beside those of its reference; the rows of both must be more than 0."""
    before, now = pooled(np.array(reference, dtype=np.float64), window.astype(np.float64))
    if len(before) == 1:
        return Compared(name, 0.0, 0.0)
    return Compared(name, statistic(before, now) / critical(false_alarm, len(before) - 1), psi(before, now))


def pooled(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both counts with rare bins together, so that each that is left is expected to have enough rows."""
    share = now.sum() / (before.sum() + now.sum())
    rare = before / before.sum() * now.sum() < _LEAST_EXPECTED
    if rare.all():
        # A reference of many equally rare categories: halves are all that can be told apart.
        rare = np.arange(len(before)) * 2 >= len(before)
        together = [(before[~rare].sum(), now[~rare].sum())]
    else:
        together = list(zip(before[~rare].tolist(), now[~rare].tolist(), strict=True))
    rest = (before[rare].sum(), now[rare].sum())
    if sum(rest) * share >= _LEAST_TOGETHER:
        together.append(rest)
    elif sum(rest):
        smallest = min(range(len(together)), key=lambda place: together[place])
        together[smallest] = (together[smallest][0] + rest[0], together[smallest][1] + rest[1])
    kept = np.array(together)
    return kept[:, 0], kept[:, 1]


def statistic(before: np.ndarray, now: np.ndarray) -> float:
    """Chi-square of two samples with one degree of freedom less than there are bins."""
    rows, seen = before.sum(), now.sum()
    apart = np.sqrt(seen / rows) * before - np.sqrt(rows / seen) * now
    return float(np.sum(apart**2 / (before + now)))


def psi(before: np.ndarray, now: np.ndarray) -> float:
    """Population stability index; half a row is added to each bin, so that an empty one does not make it infinite."""
    p = (before + _SMOOTH) / (before + _SMOOTH).sum()
    q = (now + _SMOOTH) / (now + _SMOOTH).sum()
    return float(np.sum((q - p) * np.log(q / p)))


def _lengths(values: np.ndarray) -> np.ndarray:
    return np.array([len(value) if isinstance(value, str) else np.nan for value in values.tolist()])
