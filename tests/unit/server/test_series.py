"""Numbers of one process, and of several taken together."""

from __future__ import annotations

import os

import orjson
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from modelyard_server.metrics import Process, ServerMetrics
from modelyard_server.series import Counter, Gauge, Histogram, Registry


class Told(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self.metrics = metrics

    def collect(self) -> list[Metric]:
        return self.metrics


def exposition(registry: Registry, *others: Registry) -> str:
    held = [orjson.loads(orjson.dumps(other.held())) for other in others]
    scraped = CollectorRegistry()
    scraped.register(Told(list(registry.metrics(held))))
    return generate_latest(scraped).decode()


def process(rows: int, ready: float) -> Registry:
    registry = Registry()
    Counter("rows_total", "Rows", ("version",), registry=registry).labels("1").inc(rows)
    Gauge("ready", "Ready", registry=registry, together="least").set(ready)
    Gauge("busy", "Busy", registry=registry).set(rows)
    latency = Histogram("latency_seconds", "Latency", buckets=(0.1, 1), registry=registry)
    for value in (0.1, 0.5, 7.0):
        latency.observe(value)
    return registry


def test_a_process_alone_tells_what_it_counted() -> None:
    text = exposition(process(3, 1))
    assert 'rows_total{version="1"} 3.0' in text
    assert 'latency_seconds_bucket{le="0.1"} 1.0' in text
    assert 'latency_seconds_bucket{le="1.0"} 2.0' in text
    assert 'latency_seconds_bucket{le="+Inf"} 3.0' in text
    assert "latency_seconds_sum 7.6" in text


def test_processes_together_add_counts_and_the_least_ready_one_speaks_for_all() -> None:
    one, other = process(3, 1), process(4, 0)
    Counter("later_total", "Later", ("version",), registry=one)
    text = exposition(one, other)
    assert 'rows_total{version="1"} 7.0' in text
    assert "ready 0.0" in text
    assert "busy 7.0" in text
    assert "latency_seconds_count 6.0" in text
    # What was told has changed nothing.
    assert 'rows_total{version="1"} 3.0' in exposition(one)


def test_a_series_that_only_another_process_has_is_told_too() -> None:
    one, other = process(3, 1), process(4, 1)
    one_counts = Counter("swaps_total", "Swaps", ("result",), registry=one)
    Counter("swaps_total", "Swaps", ("result",), registry=other).labels("served").inc()
    assert 'swaps_total{result="served"} 1.0' in exposition(one, other)
    assert 'swaps_total{result="served"}' not in exposition(one)
    one_counts.labels("served").inc(2)
    assert 'swaps_total{result="served"} 3.0' in exposition(one, other)


def test_a_process_that_takes_anothers_place_goes_on_from_its_counts_but_not_from_its_gauges() -> None:
    fresh = process(1, 0)
    fresh.resume(orjson.loads(orjson.dumps(process(5, 1).held())))
    text = exposition(fresh)
    assert 'rows_total{version="1"} 6.0' in text
    assert "latency_seconds_count 6.0" in text
    assert "busy 1.0" in text


def test_a_gauge_that_is_no_number_stays_none_among_several_processes() -> None:
    one, other = Registry(), Registry()
    for registry in (one, other):
        gauge = Gauge("version", "Version", registry=registry, together="greatest")
        gauge.set(float("nan"))
    assert "version NaN" in exposition(one, other)


def test_a_name_is_taken_once_and_labels_are_as_many_as_were_named() -> None:
    registry = process(1, 1)
    with pytest.raises(ValueError, match="busy is there already"):
        Gauge("busy", "Busy", registry=registry)
    counter = Counter("swaps_total", "Swaps", ("result",), registry=registry)
    with pytest.raises(ValueError, match="labels"):
        counter.labels("a", "b")


def test_memory_and_cpu_are_those_of_all_processes() -> None:
    metrics = ServerMetrics()

    def value(text: bytes, name: str) -> float:
        return next(
            float(line.split()[1]) for line in text.decode().splitlines() if line.startswith(name + " ")
        )

    one = metrics.exposition()
    two = metrics.exposition([Process(os.getpid(), metrics.registry.held())])
    memory = "process_resident_memory_bytes"
    assert value(two, memory) > 1.5 * value(one, memory)
    assert value(two, "process_start_time_seconds") == value(one, "process_start_time_seconds")
