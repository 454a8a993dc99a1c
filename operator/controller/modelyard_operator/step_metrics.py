"""What the operator tells Prometheus about Datasets and their steps."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.steps import StepEnd

_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 7200.0)
_PLACE = ("namespace", "dataset")


class StepMetrics:
    """Series of every Dataset that there is; they go with it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Gauge(
            "modelyard_dataset_rows",
            "Rows of the latest version of a variant",
            [*_PLACE, "variant"],
            registry=registry,
        )
        self._published = Gauge(
            "modelyard_dataset_last_publish_timestamp_seconds",
            "When versions were last published that hold other rows or follow another recipe",
            _PLACE,
            registry=registry,
        )
        self._loaded = Counter(
            "modelyard_dataset_rows_loaded_total", "Rows that loads added", _PLACE, registry=registry
        )
        self._rejected = Counter(
            "modelyard_dataset_rows_rejected_total", "Rows that loads set aside", _PLACE, registry=registry
        )
        self._broken = Counter(
            "modelyard_dataset_validation_failures_total",
            "Rules of severity Error that loads broke",
            _PLACE,
            registry=registry,
        )
        self._failed = Counter(
            "modelyard_dataset_step_failures_total",
            "Steps that failed for good, by kind of step",
            [*_PLACE, "step"],
            registry=registry,
        )
        self._seconds = Histogram(
            "modelyard_dataset_step_seconds",
            "Duration of the steps that succeeded, by kind of step",
            [*_PLACE, "step"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._counted: set[tuple[str, str]] = set()

    def count(self, namespace: str, name: str, end: StepEnd) -> None:
        """A step came to its end."""
        place = (namespace, name)
        self._counted.add(place)
        if end.failed:
            self._failed.labels(*place, end.kind).inc()
            return
        self._loaded.labels(*place).inc(end.rows_loaded)
        self._rejected.labels(*place).inc(end.rows_rejected)
        self._broken.labels(*place).inc(end.rules_broken)
        if end.seconds is not None:
            self._seconds.labels(*place, end.kind).observe(end.seconds)

    def show(self, datasets: Iterable[DatasetObject]) -> None:
        """Sets what the status of each tells, and drops the series of those that are gone."""
        self._rows.clear()
        self._published.clear()
        there = set()
        for dataset in datasets:
            place = (dataset.metadata.namespace, dataset.metadata.name)
            there.add(place)
            for variant in dataset.status.variants:
                self._rows.labels(*place, variant.name).set(variant.rows)
            load = dataset.status.load
            if load is not None and load.published_time is not None:
                self._published.labels(*place).set(load.published_time.timestamp())
        for gone in self._counted - there:
            for metric in (self._loaded, self._rejected, self._broken, self._failed, self._seconds):
                metric.remove_by_labels(dict(zip(_PLACE, gone, strict=True)))
        self._counted &= there
