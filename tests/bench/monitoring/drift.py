"""Drift on real rows: how often windows of held-out rows are called drifted, and how often a shift in them is seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.csv
from sklearn.linear_model import Ridge

from bringup.paths import REPOSITORY
from modelyard_api.contract.reference import OUTPUT, Reference
from modelyard_server.monitoring.drift import Watch
from modelyard_trainer.reference import number_histogram
from tests.bench.figures import Figure

US = "Modelyard"
HOUSES = "8 columns of california_housing, Ridge, windows of 500 rows"
FALSE_ALARMS = {percent: f"windows without drift called drifted, {percent} % asked" for percent in (1.0, 5.0)}
FOUND = "windows with a shift of 0.5 sd in one column called drifted"
_DATA = REPOSITORY / "images/loader/modelyard_loader/sources/data/california_housing.csv.gz"
_WINDOW, _TRAINING, _TEST = 500, 14_000, 4_000


def rounds(count: int) -> Iterator[Figure]:
    """Each round splits the rows anew and gives five windows; figures are percent over all of them."""
    rows = pyarrow.csv.read_csv(_DATA).to_pandas().to_numpy(np.float64)
    generator = np.random.default_rng(0)
    alarms: dict[float, list[bool]] = {percent: [] for percent in FALSE_ALARMS}
    found: list[bool] = []
    for number in range(count):
        split = generator.permutation(rows)
        X, y = split[:, :-1], split[:, -1]
        model = Ridge().fit(X[:_TRAINING], y[:_TRAINING])
        reference = reference_of(X[:_TRAINING], model.predict(X[_TRAINING : _TRAINING + _TEST]))
        windows = X[_TRAINING + _TEST :]
        windows = windows[: len(windows) // _WINDOW * _WINDOW]
        for percent in alarms:
            alarms[percent] += drifted(reference, windows, model.predict(windows), percent)
        column = number % X.shape[1]
        windows[:, column] += 0.5 * X[:_TRAINING, column].std()
        found += drifted(reference, windows, model.predict(windows), 1.0)
    for percent, called in alarms.items():
        yield Figure(HOUSES, US, FALSE_ALARMS[percent], "%", 100 * float(np.mean(called)))
    yield Figure(HOUSES, US, FOUND, "%", 100 * float(np.mean(found)))
    yield Figure(HOUSES, US, "windows", "", len(found))


def drifted(reference: Reference, rows: np.ndarray, answers: np.ndarray, percent: float) -> list[bool]:
    """Whether each window was called drifted."""
    watch = Watch(reference, _WINDOW, percent / 100)
    return [bool(verdict.drifted) for verdict in watch.add(rows, answers)]


def reference_of(rows: np.ndarray, answers: np.ndarray) -> Reference:
    """As the trainer makes it, of numbers."""
    return Reference(
        features=[number_histogram(f"x{place}", values) for place, values in enumerate(rows.T)],
        output=number_histogram(OUTPUT, answers),
    )
