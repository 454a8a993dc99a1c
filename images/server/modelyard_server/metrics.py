"""What Prometheus sees. Labels carry the version that answered, never the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from modelyard_api.contract.route import RoutedModel

_LATENCY_BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_LENGTH_BUCKETS = (0, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384, 65536)
_MODEL = ("model", "version", "role")


@dataclass(frozen=True)
class HeldVersion:
    """A version that the server holds, as its metrics describe it."""

    routed: RoutedModel
    role: str
    compiled: bool


@dataclass(frozen=True)
class ModelMetrics:
    """Series of one version, found once, so that a request does not look for them."""

    predictions: Any
    latency: Any
    text_lengths: dict[int, Any]
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

    def __init__(self, registry: CollectorRegistry) -> None:
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
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
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
        self._version = Gauge(
            "modelyard_model_version", "Version of the champion as a number", ("model",), registry=registry
        )
        labels = (*_MODEL, "run_id", "model_digest", "dataset_digest")
        self._info = Gauge(
            "modelyard_server_model_info", "1 for every version that is held", labels, registry=registry
        )
        self._compiled = Gauge(
            "modelyard_server_model_compiled",
            "1 where the version's compiled program answers, 0 where scikit-learn does",
            _MODEL,
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
        self.swaps = Counter(
            "modelyard_server_swaps_total", "Routes tried, by how it ended", ("result",), registry=registry
        )
        self.load_seconds = Histogram(
            "modelyard_server_route_load_seconds",
            "Seconds from a new route to the swap",
            buckets=(0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            registry=registry,
        )
        self.ready = Gauge("modelyard_server_ready", "1 while the server is ready", registry=registry)
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

    def exposition(self) -> bytes:
        """The text that a scrape reads."""
        return generate_latest(self.registry)
