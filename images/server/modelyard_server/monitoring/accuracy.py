"""Live accuracy: labels beside the answers that this process still remembers.

A label that comes too late, or to another pod or process, is stored all the same; joining the stored labels with the stored
predictions finds them all. Which pod a label comes to has nothing to do with whether the answer was right, so that
the share of right answers among those found here is the one among all of that time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard_api.contract.reference import category_text
from modelyard_api.contract.route import ServedRole
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.records import Label, number_of
from modelyard_server.monitoring.tap import Answered


@dataclass(frozen=True)
class _Remembered:
    model: str
    version: str
    classifies: bool
    predictions: np.ndarray


class Accuracy:
    """Remembers the latest answers and judges them when their labels come."""

    def __init__(self, most: int, metrics: MonitoringMetrics) -> None:
        """``most`` is how many rows are remembered."""
        self._most = most
        self._rows = 0
        self._metrics = metrics
        self._answers: dict[str, _Remembered] = {}

    def remember(self, entries: Sequence[Answered]) -> None:
        """Holds answers; the oldest go where there are too many. An id that comes again means the later request."""
        for entry in entries:
            served, predictions = entry.served, entry.answer.predictions
            if served.role is ServedRole.SHADOW:
                continue  # nobody was answered that, and the champion's answer has the same name
            self._forget(entry.request_id)
            self._rows += len(predictions)
            self._answers[entry.request_id] = _Remembered(
                served.name, served.version, served.model.classifies, predictions
            )
        while self._rows > self._most:
            self._forget(next(iter(self._answers)))

    def judge(self, labels: Sequence[Label]) -> None:
        """Counts how far the answers were right."""
        for label in labels:
            held = self._answers.get(label.request_id)
            known = held is not None and label.row < len(held.predictions)
            self._metrics.labels.labels("matched" if known else "unmatched").inc()
            if held is not None and known:
                self._count(held, label)

    def _forget(self, request_id: str) -> None:
        held = self._answers.pop(request_id, None)
        if held is not None:
            self._rows -= len(held.predictions)

    def _count(self, held: _Remembered, label: Label) -> None:
        predicted = held.predictions[label.row].item()
        of_model = (held.model, held.version)
        if held.classifies:
            self._metrics.judged.labels(*of_model).inc()
            self._metrics.correct.labels(*of_model).inc(
                category_text(predicted) == category_text(label.value)
            )
            return
        error = predicted - number_of(label.value)
        if np.isfinite(error):
            self._metrics.judged.labels(*of_model).inc()
            self._metrics.absolute_error.labels(*of_model).inc(abs(error))
            self._metrics.squared_error.labels(*of_model).inc(error * error)
