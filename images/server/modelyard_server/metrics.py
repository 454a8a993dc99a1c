"""What Prometheus sees. Labels carry the version that answered, never the one that was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from modelyard_api.contract.route import RoutedModel
from modelyard_server.series import Counter, Distribution, Gauge, Held, Histogram, Number, Registry

_LATENCY_BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_LENGTH_BUCKETS = (0, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384, 65536)
_MODEL = ("model", "version", "role")
_NOT_ADDED = frozenset({"process_start_time_seconds", "process_max_fds"})


@dataclass(frozen=True)
class HeldVersion:
    """A version that the server holds, as its metrics describe it."""

    routed: RoutedModel
    role: str
    compiled: bool


@dataclass(frozen=True)
class ModelMetrics:
    """Series of one version, found once, so that a request does not look for them."""

    predictions: Number
    latency: Distribution
    text_lengths: dict[int, Distribution]
    """Histogram by position of the text column."""

    def observe(self, rows: int, seconds: float, columns: Sequence[Sequence[Any]]) -> None:
        """Counts an answered request of ``rows`` rows; without columns, their texts are not measured."""
        self.predictions.inc(rows)
        self.latency.observe(seconds)
        if not columns:
            return
        for position, histogram in self.text_lengths.items():
            for text in columns[position]:
                if isinstance(text, str):
                    histogram.observe(len(text))


class TrialMetrics:
    """Series about candidates that are tried."""

    def __init__(self, registry: Registry) -> None:
        self.failures = Counter(
            "modelyard_server_candidate_failures_total",
            "Requests that a canary did not answer and the champion did",
            ("model", "version"),
            registry=registry,
        )
        self._compared = Counter(
            "modelyard_server_shadow_rows_total",
            "Rows that a shadow was asked as well, by whether its answers agreed with the champion's",
            ("result",),
            registry=registry,
        )
        self.left_out = Counter(
            "modelyard_server_shadow_left_out_total",
            "Requests that were not repeated for the shadow because too many waited for it",
            registry=registry,
        )
        for result in ("agreed", "disagreed"):
            self._compared.labels(result)

    def compared(self, result: str, rows: int) -> None:
        """Counts rows that agreed or disagreed."""
        self._compared.labels(result).inc(rows)


class ServerMetrics:
    """All series of the server in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = Registry()
        self.trial = TrialMetrics(registry)
        self._predictions = Counter(
            "modelyard_predictions_total", "Rows that were predicted", _MODEL, registry=registry
        )
        self._latency = Histogram(
            "modelyard_prediction_latency_seconds",
            "Seconds from a read request to its encoded answer",
            _MODEL,
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._text_lengths = Histogram(
            "modelyard_text_len_chars",
            "Characters of text inputs",
            ("model", "version", "column"),
            buckets=_LENGTH_BUCKETS,
            registry=registry,
        )
        self.requests = Counter(
            "modelyard_server_requests_total",
            "Prediction requests by path and status code",
            ("path", "code"),
            registry=registry,
        )
        self.in_progress = Gauge(
            "modelyard_server_requests_in_progress",
            "Prediction requests that are being answered",
            registry=registry,
        )
        self.queued = Gauge(
            "modelyard_server_queue_length", "Requests that wait for a thread or have one", registry=registry
        )
        self.ended = Counter(
            "modelyard_server_processes_ended_total",
            "Processes of the pod that a signal ended, as a crash in a library does, and that were replaced",
            ("signal",),
            registry=registry,
        )
        self._describe_versions(registry)
        self._describe_routes(registry)

    def _describe_versions(self, registry: Registry) -> None:
        self._version = Gauge(
            "modelyard_model_version",
            "Version of the champion as a number",
            ("model",),
            registry=registry,
            together="greatest",
        )
        labels = (*_MODEL, "run_id", "model_digest", "dataset_digest")
        self._info = Gauge(
            "modelyard_server_model_info",
            "1 for every version that is held",
            labels,
            registry=registry,
            together="greatest",
        )
        self._compiled = Gauge(
            "modelyard_server_model_compiled",
            "1 where the version's compiled program answers, 0 where scikit-learn does",
            _MODEL,
            registry=registry,
            together="least",
        )

    def _describe_routes(self, registry: Registry) -> None:
        self.swaps = Counter(
            "modelyard_server_swaps_total", "Routes tried, by how it ended", ("result",), registry=registry
        )
        self.load_seconds = Histogram(
            "modelyard_server_route_load_seconds",
            "Seconds from a new route to the swap",
            buckets=(0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            registry=registry,
        )
        self.ready = Gauge(
            "modelyard_server_ready", "1 while the server is ready", registry=registry, together="least"
        )
        for result in ("served", "refused", "unreachable"):
            self.swaps.labels(result)

    def of_model(self, model: str, version: str, role: str, texts: Iterable[tuple[int, str]]) -> ModelMetrics:
        """Series of a version; ``texts`` are position and name of its text columns."""
        return ModelMetrics(
            predictions=self._predictions.labels(model, version, role),
            latency=self._latency.labels(model, version, role),
            text_lengths={place: self._text_lengths.labels(model, version, name) for place, name in texts},
        )

    def show_versions(self, model: str, held: Sequence[HeldVersion]) -> None:
        """Publishes what is held, the champion first."""
        self._info.clear()
        self._compiled.clear()
        for each in held:
            routed = each.routed
            of_model = (model, routed.version, each.role)
            identity = (routed.run_id, routed.model_digest, routed.dataset_digest or "")
            self._info.labels(*of_model, *identity).set(1)
            self._compiled.labels(*of_model).set(each.compiled)
        version = held[0].routed.version
        self._version.labels(model).set(float(version) if version.isdecimal() else float("nan"))

    def exposition(self, others: Iterable[Process] = ()) -> bytes:
        """The text that a scrape reads: of this process and, where a pod has several, of the others."""
        every = list(others)
        scraped = CollectorRegistry()
        scraped.register(_Scrape(self.registry, every))
        return generate_latest(scraped)


@dataclass(frozen=True)
class Process:
    """Another process of the same pod, and what its series say."""

    pid: int | None
    """None where it is not there any more."""
    held: Held


class _Scrape(Collector):
    """One scrape."""

    def __init__(self, registry: Registry, others: Sequence[Process]) -> None:
        self._registry = registry
        self._others = others

    def collect(self) -> Iterable[Metric]:
        """Series of the processes' numbers, then those of the processes themselves."""
        yield from self._registry.metrics(each.held for each in self._others)
        yield from _of_system([os.getpid(), *(each.pid for each in self._others if each.pid is not None)])


def _of_system(pids: Sequence[int]) -> Iterable[Metric]:
    """Memory, CPU and open files of all processes together; the start is that of the oldest, limits are of each."""
    found: dict[str, Metric] = {}
    for pid in pids:
        for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
            known = found.setdefault(metric.name, metric)
            if known is metric:
                continue
            together = min if metric.name in _NOT_ADDED else sum
            for place, sample in enumerate(metric.samples):
                value = together((known.samples[place].value, sample.value))
                known.samples[place] = sample._replace(value=value)
    return found.values()
