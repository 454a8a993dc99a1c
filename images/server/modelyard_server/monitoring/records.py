"""Rows of the prediction log and of the labels, gathered column by column until a file is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelyard_api.contract.manifest import Column as Input
from modelyard_api.contract.reference import category_text
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.monitoring.parquet import Column, Kind, constant, fixed, text_bytes, write
from modelyard_server.monitoring.tap import Answered
from modelyard_server.serving import ServedModel

_KINDS = {
    ColumnType.INTEGER: Kind.INTEGER,
    ColumnType.NUMBER: Kind.NUMBER,
    ColumnType.BOOLEAN: Kind.BOOLEAN,
    ColumnType.TEXT: Kind.TEXT,
}
_MICROS = 1_000_000
_WHOLE = 2.0**63
"""Whole numbers from here on do not fit their column; they are logged as missing."""


@dataclass(frozen=True)
class Label:
    """What was true of a row that was predicted."""

    request_id: str
    row: int
    value: Any
    """A JSON value: text, number or boolean."""
    time: float
    """When it came; Unix time in seconds."""


@dataclass
class _Numbers:
    """A column of numbers, times or booleans as it grows."""

    name: str
    kind: Kind
    parts: list[np.ndarray] = field(default_factory=list)

    def add(self, values: np.ndarray) -> int:
        """Values with NaN for missing; returns the bytes they take."""
        self.parts.append(values)
        return values.nbytes

    def column(self) -> Column:
        """All of them."""
        values = np.concatenate(self.parts)
        if values.dtype.kind != "f":
            return fixed(self.name, self.kind, values)
        present = ~np.isnan(values)
        if self.kind is Kind.INTEGER:
            present &= np.abs(values) < _WHOLE
        return fixed(self.name, self.kind, values, None if present.all() else present)


@dataclass
class _Texts:
    """A column of texts as it grows, encoded at once so that the objects go."""

    name: str
    data: bytearray = field(default_factory=bytearray)
    present: bytearray = field(default_factory=bytearray)

    def add(self, values: Sequence[object]) -> int:
        """Values of which those that are not texts are missing; returns the bytes they take."""
        before = len(self.data)
        for value in values:
            there = isinstance(value, str)
            self.present.append(there)
            if isinstance(value, str):
                self.data += text_bytes(value)
        return len(self.data) - before + len(values)

    def column(self) -> Column:
        """All of them."""
        present = np.frombuffer(bytes(self.present), dtype=np.bool_)
        return Column(self.name, Kind.TEXT, present, bytes(self.data))


class Predictions:
    """Rows that one version predicted in one role."""

    def __init__(self, served: ServedModel, begun: float, pod: str) -> None:
        self.begun = begun
        """Unix time of the first row."""
        self.rows = 0
        self.bytes = 0
        self._served = served
        self._pod = pod
        self._places = {category_text(label): place for place, label in enumerate(served.model.labels)}
        self._time = _Numbers("time", Kind.TIME)
        self._row = _Numbers("row", Kind.INTEGER)
        self._seconds = _Numbers("latency_seconds", Kind.NUMBER)
        self._output = _Numbers("output", Kind.NUMBER)
        self._confidence = _Numbers("confidence", Kind.NUMBER)
        self._request = _Texts("request_id")
        self._class = _Texts("class")
        self._inputs = [_input(column) for column in served.model.signature.columns]

    def add(self, entries: Sequence[Answered]) -> None:
        """Appends the rows of some requests of this version."""
        counts = np.array([len(entry.matrix) for entry in entries])
        rows = int(counts.sum())
        times = np.array([int(entry.time * _MICROS) for entry in entries])
        first = np.repeat(np.cumsum(counts) - counts, counts)
        self.rows += rows
        self.bytes += self._time.add(np.repeat(times, counts))
        self.bytes += self._row.add(np.arange(rows) - first)
        self.bytes += self._seconds.add(np.repeat(np.array([entry.seconds for entry in entries]), counts))
        ids = [entry.request_id for entry, count in zip(entries, counts, strict=True) for _ in range(count)]
        self.bytes += self._request.add(ids)
        self._add_inputs(np.concatenate([entry.matrix for entry in entries]))
        self._add_answers(entries)

    def file(self) -> bytes:
        """The Parquet file."""
        routed = self._served.routed
        told = {
            "model": self._served.name,
            "version": routed.version,
            "role": str(self._served.role),
            "run_id": routed.run_id,
            "model_digest": routed.model_digest,
            "dataset_digest": routed.dataset_digest,
            "pod": self._pod,
        }
        own = (
            self._time,
            self._request,
            self._row,
            self._output,
            self._class,
            self._confidence,
            self._seconds,
        )
        return write(
            [
                *(part.column() for part in own),
                *(constant(name, text, self.rows) for name, text in told.items()),
                *(part.column() for part in self._inputs),
            ]
        )

    def _add_inputs(self, matrix: np.ndarray) -> None:
        for place, part in enumerate(self._inputs):
            values = matrix[:, place]
            if isinstance(part, _Texts):
                self.bytes += part.add(values.tolist())
            else:
                self.bytes += part.add(values.astype(np.float64))

    def _add_answers(self, entries: Sequence[Answered]) -> None:
        values = np.concatenate([entry.answer.predictions for entry in entries])
        if not self._served.model.classifies:
            self.bytes += self._output.add(values.astype(np.float64))
            self.bytes += self._class.add([None] * len(values))
            self.bytes += self._confidence.add(np.full(len(values), np.nan))
            return
        labels = [category_text(value) for value in values.tolist()]
        self.bytes += self._output.add(np.full(len(values), np.nan))
        self.bytes += self._class.add(labels)
        self.bytes += self._confidence.add(self._sure(entries, labels))

    def _sure(self, entries: Sequence[Answered], labels: Sequence[str]) -> np.ndarray:
        """Probability of each label; NaN where a request did not ask for any."""
        if any(entry.answer.probabilities is not None for entry in entries):
            width = len(self._places)
            known = np.concatenate(
                [
                    np.full((len(entry.matrix), width), np.nan)
                    if entry.answer.probabilities is None
                    else entry.answer.probabilities
                    for entry in entries
                ]
            )
            found: np.ndarray = known[np.arange(len(labels)), [self._places[label] for label in labels]]
            return found
        return np.full(len(labels), np.nan)


class Labels:
    """True labels as they came."""

    def __init__(self, begun: float, pod: str) -> None:
        self.begun = begun
        self._pod = pod
        self._held: list[Label] = []

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self._held)

    def add(self, labels: Sequence[Label]) -> None:
        """Appends some."""
        self._held.extend(labels)

    def file(self) -> bytes:
        """The Parquet file: each label as a text, and as a number where it is one."""
        held = self._held
        request, text = _Texts("request_id"), _Texts("label")
        request.add([label.request_id for label in held])
        text.add([category_text(label.value) for label in held])
        numbers = np.array([number_of(label.value) for label in held])
        return write(
            [
                fixed("time", Kind.TIME, np.array([int(label.time * _MICROS) for label in held])),
                request.column(),
                fixed("row", Kind.INTEGER, np.array([label.row for label in held])),
                text.column(),
                fixed("label_number", Kind.NUMBER, numbers, ~np.isnan(numbers)),
                constant("pod", self._pod, len(held)),
            ]
        )


def number_of(value: object) -> float:
    """A label as a number; NaN where it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _input(column: Input) -> _Numbers | _Texts:
    name, kind = f"input_{column.name}", _KINDS[column.type]
    return _Texts(name) if kind is Kind.TEXT else _Numbers(name, kind)
