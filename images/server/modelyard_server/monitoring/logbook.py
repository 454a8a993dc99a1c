"""The prediction log and the labels: which rows are kept, and when files are made of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from modelyard_api.contract.monitoring import (
    LogSettings,
    feedback_prefix,
    monitoring_key,
    predictions_prefix,
)
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.records import Label, Labels, Predictions
from modelyard_server.monitoring.tap import Answered
from modelyard_server.monitoring.uploads import File
from modelyard_server.serving import ServedModel

_HASHES = 2**32


@dataclass(frozen=True)
class Place:
    """Where a process writes."""

    project_prefix: str
    promotion: str
    pod: str


class Logbook:
    """Rows by version and role until their file is full or old enough. Used by one thread."""

    def __init__(
        self, settings: LogSettings, place: Place, metrics: MonitoringMetrics, offer: Callable[[File], None]
    ) -> None:
        self._settings = settings
        self._place = place
        self._metrics = metrics
        self._offer = offer
        self._bound = sample_bound(settings.sample_percent)
        # A container that starts again in its pod has the pod's name too.
        self._writer = f"{place.pod}-{uuid4().hex[:12]}"
        self._number = 0
        self._open: dict[tuple[str, str, str], Predictions] = {}
        self._labels: Labels | None = None

    def add(self, served: ServedModel, entries: Sequence[Answered]) -> None:
        """Takes requests of one version in that are among the sample."""
        chosen = [entry for entry in entries if sampled(entry.request_id, self._bound)]
        if not chosen:
            return
        key = (served.version, served.role, served.model.digest)
        held = self._open.get(key)
        if held is None:
            held = self._open[key] = Predictions(served, chosen[0].time, self._place.pod)
        before = held.rows
        try:
            held.add(chosen)
        except Exception:
            # Some of its columns have these rows and others do not; no file can be made of them.
            del self._open[key]
            self._metrics.lose(before, "fault")
            raise
        self._metrics.logged.labels(served.name, served.version).inc(held.rows - before)

    def add_labels(self, labels: Sequence[Label]) -> None:
        """Takes labels in."""
        if not labels:
            return
        if self._labels is None:
            self._labels = Labels(labels[0].time, self._place.pod)
        self._labels.add(labels)

    def flush(self, now: float, *, final: bool = False) -> None:
        """Makes files of what is full or old enough, or of all."""
        settings = self._settings
        oldest = now - settings.file_seconds
        for key, held in list(self._open.items()):
            full = held.rows >= settings.file_rows or held.bytes >= settings.file_bytes
            if final or full or held.begun <= oldest:
                del self._open[key]
                self._close(held, "predictions")
        labels = self._labels
        if labels and (final or labels.rows >= settings.file_rows or labels.begun <= oldest):
            self._labels = None
            self._close(labels, "labels")

    def _close(self, held: Predictions | Labels, kind: str) -> None:
        prefix = predictions_prefix if kind == "predictions" else feedback_prefix
        root = prefix(self._place.project_prefix, self._place.promotion)
        self._number += 1
        begun = datetime.fromtimestamp(held.begun, UTC)
        key = monitoring_key(root, begun, self._writer, self._number)
        self._metrics.files.labels(kind).inc()
        self._offer(File(key, held.file(), held.rows))


def sample_bound(percent: str) -> int:
    """Hashes below it are sampled."""
    return round(float(percent) / 100 * _HASHES)


def sampled(request_id: str, bound: int) -> bool:
    """Whether a request is logged: by its id alone, so that all who see the same request decide the same."""
    return bound == _HASHES or zlib.crc32(request_id.encode("utf-8", "replace")) < bound
