"""CPU time of watching: on the request's own time, and beside it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.monitoring import LogSettings, MonitoringSettings
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.models.predictor import Answer
from modelyard_server.monitoring.logbook import Place
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.monitoring.tap import Answered
from modelyard_server.series import Registry
from modelyard_server.serving import ServedModel
from modelyard_server.signature import Reader, Signature
from tests.bench.figures import Figure
from tests.bench.monitoring.drift import US, reference_of
from tests.support.predictors import Constant, served

COLUMNS = 30
ROW = f"a row of {COLUMNS} numbers"
ON_THE_REQUEST = "CPU on the request's time"
LOG_AND_DRIFT = "CPU beside it, log and drift"
DRIFT_ALONE = "CPU beside it, drift alone"
_ROWS = 20_000
_MICROS = 1e6


def rounds(count: int) -> Iterator[Figure]:
    """One row a request, all features random, so that nothing compresses well."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(_ROWS, COLUMNS))
    model = _model(reference_of(rows, rows[:, 0]))
    matrices = [rows[place : place + 1] for place in range(_ROWS)]
    # As the server does: the collector does not walk through what stays.
    gc.collect()
    gc.freeze()
    for _ in range(count):
        logging, watching = _monitor(LogSettings()), _monitor(None)
        taken = _seconds(lambda monitor=logging: _leave(monitor, model, matrices))  # type: ignore[misc]
        _leave(watching, model, matrices)
        logged = _seconds(lambda monitor=logging: monitor.round(final=True))  # type: ignore[misc]
        watched = _seconds(watching.round)
        for figure, seconds in ((ON_THE_REQUEST, taken), (LOG_AND_DRIFT, logged), (DRIFT_ALONE, watched)):
            yield Figure(ROW, US, figure, "µs", _MICROS * seconds / _ROWS)


def _leave(monitor: Monitor, model: ServedModel, matrices: Sequence[np.ndarray]) -> None:
    answer = Answer(np.zeros(1))
    for matrix in matrices:
        monitor.tap.put(Answered(model, "0123456789abcdef-1", time.time(), matrix, answer, 0.001), 600)


def _monitor(log: LogSettings | None) -> Monitor:
    settings = MonitoringSettings(log=log, buffer_bytes=1 << 30)
    files: dict[str, bytes] = {}
    place = Place("project", "bench", "pod")
    return Monitor(settings, place, files.__setitem__, MonitoringMetrics(Registry()))


def _model(reference: object) -> ServedModel:
    own = served(Constant(Answer(np.zeros(1))))
    signature = Signature(
        tuple(Column(name=f"x{place}", type=ColumnType.NUMBER, nullable=True) for place in range(COLUMNS))
    )
    changes = {"signature": signature, "reader": Reader(signature), "reference": reference}
    return replace(own, model=replace(own.model, **changes))  # type: ignore[arg-type]


def _seconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start
