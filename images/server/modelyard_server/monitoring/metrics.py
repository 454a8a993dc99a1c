"""What Prometheus sees of the prediction log, of true labels and of drift."""

from __future__ import annotations

from modelyard_server.monitoring.drift import Verdict
from modelyard_server.series import Counter, Gauge, Registry

_MODEL = ("model", "version")
LOST_REASONS = ("buffer", "storage", "fault")
"""Why rows are not in the log: they came too fast, the store did not answer, or the server is wrong."""


class MonitoringMetrics:
    """Series of monitoring in the server's registry."""

    def __init__(self, registry: Registry) -> None:
        def counter(name: str, text: str, labels: tuple[str, ...] = _MODEL) -> Counter:
            return Counter(f"modelyard_server_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = _MODEL) -> Gauge:
            # Each process judges windows of its own: a pod is as far off as the one that is farthest.
            return Gauge(f"modelyard_server_{name}", text, labels, registry=registry, together="greatest")

        self._feature = gauge(
            "drift_score",
            "Test statistic of the last window as a multiple of its limit; above 1 is drift",
            (*_MODEL, "feature"),
        )
        self._psi = gauge("drift_psi", "Population stability index of the last window", (*_MODEL, "feature"))
        self._detected = gauge("drift_detected", "1 where the last window had a feature above its limit")
        self._windows = counter("drift_windows_total", "Windows judged", (*_MODEL, "result"))
        self.logged = counter("prediction_log_rows_total", "Rows taken into the prediction log")
        self._dropped = counter("prediction_log_dropped_total", "Rows that were not logged", ("reason",))
        self.files = counter("prediction_log_files_total", "Files handed to the store", ("kind",))
        self.removed = counter("prediction_log_removed_total", "Files removed because their time is over", ())
        self.labels = counter(
            "feedback_labels_total",
            "True labels, by whether this process still held the answer",
            ("result",),
        )
        self.judged = counter("feedback_judged_total", "Answers whose true label came")
        self.correct = counter("feedback_correct_total", "Answers of classifiers that were the true label")
        self.absolute_error = counter(
            "feedback_absolute_error_total", "Sum of absolute differences from the true values"
        )
        self.squared_error = counter(
            "feedback_squared_error_total", "Sum of squared differences from the true values"
        )
        for reason in LOST_REASONS:
            self._dropped.labels(reason)
        for result in ("matched", "unmatched"):
            self.labels.labels(result)

    def lose(self, rows: int, reason: str) -> None:
        """Counts rows that are not logged."""
        if rows:
            self._dropped.labels(reason).inc(rows)

    def begin(self, model: str, version: str) -> None:
        """Series of a version that is watched, from its first row."""
        self._detected.labels(model, version).set(0)
        for result in ("none", "drift"):
            self._windows.labels(model, version, result)

    def show(self, model: str, version: str, verdict: Verdict) -> None:
        """Publishes what a window showed."""
        drifted = bool(verdict.drifted)
        self._detected.labels(model, version).set(drifted)
        self._windows.labels(model, version, "drift" if drifted else "none").inc()
        for each in verdict.compared:
            self._feature.labels(model, version, each.name).set(each.score)
            self._psi.labels(model, version, each.name).set(each.psi)

    def forget(self, model: str, version: str) -> None:
        """Takes the drift of a version back that is not held any more."""
        for family in (self._feature, self._psi, self._detected):
            family.remove(model=model, version=version)
