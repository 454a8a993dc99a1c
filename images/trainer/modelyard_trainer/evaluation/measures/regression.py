"""Metrics of numbers."""

from __future__ import annotations

import numpy as np

from modelyard_trainer.evaluation.judged import Judged, Sample
from modelyard_trainer.evaluation.measures.measure import Measure


def _rmse(sample: Sample) -> np.ndarray:
    return np.asarray(np.sqrt(sample.mean(sample.judged.error**2)))


def _mae(sample: Sample) -> np.ndarray:
    return sample.mean(np.abs(sample.judged.error))


def _r2(sample: Sample) -> np.ndarray:
    truth = sample.judged.truth.astype(np.float64)
    spread = truth - truth.mean()
    variance = sample.mean(spread**2) - sample.mean(spread) ** 2
    # Of equal values a mean leaves rounding errors, by which nothing may be divided.
    least = np.finfo(np.float64).eps * max(float(np.abs(truth).max()) ** 2, np.finfo(np.float64).tiny)
    variance = np.where(variance > least, variance, np.nan)
    return np.asarray(1 - sample.mean(sample.judged.error**2) / variance)


def _no_variance(judged: Judged) -> str:
    if judged.rows < 2:  # noqa: PLR2004  one row has no spread
        return "there is one row only"
    return "the target is the same in all rows"


def _mape(sample: Sample) -> np.ndarray:
    truth = np.abs(sample.judged.truth.astype(np.float64))
    if not truth.all():
        return np.full(len(sample.weights), np.nan)
    return sample.mean(np.abs(sample.judged.error) / truth)


def _zeros(judged: Judged) -> str:
    return f"the target is 0 in {int((judged.truth == 0).sum())} rows, and an error cannot be a share of 0"


def _median_error(sample: Sample) -> np.ndarray:
    error = np.abs(sample.judged.error)
    order = np.argsort(error, kind="stable")
    reached = np.cumsum(sample.weights[:, order], axis=1)
    half = sample.total[:, None] / 2
    lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
    return np.asarray((error[order[lower]] + error[order[upper]]) / 2)


def _max_error(sample: Sample) -> np.ndarray:
    return np.asarray(np.where(sample.weights > 0, np.abs(sample.judged.error), 0.0).max(axis=1))


def _no_interval(judged: Judged) -> str:
    del judged
    return "resamples say nothing about an extreme, so it has no interval"


MEASURES: dict[str, Measure] = {
    "rmse": Measure(_rmse),
    "mae": Measure(_mae),
    "r2": Measure(_r2, _no_variance),
    "mape": Measure(_mape, _zeros),
    "median_error": Measure(_median_error),
    "max_error": Measure(_max_error, note=_no_interval, resampled=False),
}
