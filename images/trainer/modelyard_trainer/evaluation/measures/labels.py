"""Metrics of predicted labels.

A class that is never predicted has no precision, one that never occurs has no recall. The metric of such a class is
undefined; in a mean over classes it counts as 0, as scikit-learn has it, and the mean says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modelyard_api.metrics import class_metric
from modelyard_trainer.evaluation.judged import Counts, Judged, Sample
from modelyard_trainer.evaluation.measures.measure import Measure, ratio

_SHOWN = 5


def precision(counts: Counts) -> np.ndarray:
    """By resample and class; NaN where the class is never predicted."""
    return ratio(counts.right, counts.predicted)


def recall(counts: Counts) -> np.ndarray:
    """By resample and class; NaN where the class never occurs."""
    return ratio(counts.right, counts.truth)


def f1(counts: Counts) -> np.ndarray:
    """By resample and class; NaN where the class neither occurs nor is predicted."""
    return ratio(2 * counts.right, counts.truth + counts.predicted)


FAMILIES: dict[str, Callable[[Counts], np.ndarray]] = {"precision": precision, "recall": recall, "f1": f1}


def _accuracy(sample: Sample) -> np.ndarray:
    return np.asarray(sample.counts.right.sum(axis=1) / sample.total)


def _macro(family: str) -> Callable[[Sample], np.ndarray]:
    def compute(sample: Sample) -> np.ndarray:
        counts = sample.counts
        seen = (counts.truth + counts.predicted) > 0
        values = np.where(seen, np.nan_to_num(FAMILIES[family](counts)), 0.0)
        return np.asarray(values.sum(axis=1) / seen.sum(axis=1))

    return compute


def _weighted(family: str) -> Callable[[Sample], np.ndarray]:
    def compute(sample: Sample) -> np.ndarray:
        values = np.nan_to_num(FAMILIES[family](sample.counts))
        return np.asarray((values * sample.counts.truth).sum(axis=1) / sample.total)

    return compute


def _mcc(sample: Sample) -> np.ndarray:
    counts, total = sample.counts, sample.total
    right = counts.right.sum(axis=1) * total - (counts.truth * counts.predicted).sum(axis=1)
    spread = (total**2 - (counts.truth**2).sum(axis=1)) * (total**2 - (counts.predicted**2).sum(axis=1))
    return ratio(right, np.sqrt(spread))


def _one_label(judged: Judged) -> str:
    if len(np.unique(judged.truth_codes)) == 1:
        return f"all rows are of one class, {judged.truth[0]}"
    return f"all predictions are {judged.predicted[0]}"


def named(labels: np.ndarray) -> str:
    """A few labels as text."""
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(str(label) for label in labels[:_SHOWN]) + more


def _never_predicted(judged: Judged) -> str:
    missing = np.setdiff1d(judged.truth, judged.predicted)
    return f"never predicted, counted as 0: {named(missing)}" if len(missing) else ""


def _never_true(judged: Judged) -> str:
    missing = np.setdiff1d(judged.predicted, judged.truth)
    return f"predicted but in no row, counted as 0: {named(missing)}" if len(missing) else ""


_NOTES: dict[str, Callable[[Judged], str]] = {"precision": _never_predicted, "recall": _never_true}


def _with_note(family: str, compute: Callable[[Sample], np.ndarray]) -> Measure:
    note = _NOTES.get(family)
    return Measure(compute, note=note) if note is not None else Measure(compute)


MEASURES: dict[str, Measure] = {
    "accuracy": Measure(_accuracy),
    **{f"{family}_macro": _with_note(family, _macro(family)) for family in FAMILIES},
    # With one label a row, what is wrong for one class is wrong for another: all three are the accuracy.
    **{f"{family}_micro": Measure(_accuracy) for family in FAMILIES},
    **{f"{family}_weighted": _with_note(family, _weighted(family)) for family in FAMILIES},
    "mcc": Measure(_mcc, _one_label),
}


def of_class(family: str, slug: str, label: object) -> tuple[str, Measure]:
    """Name and arithmetic of one class's metric."""

    def compute(sample: Sample) -> np.ndarray:
        places = np.flatnonzero(sample.judged.labels == label)
        if not len(places):
            return np.full(len(sample.weights), np.nan)
        return np.asarray(FAMILIES[family](sample.counts)[:, places[0]])

    def why(judged: Judged) -> str:
        del judged
        return f"{label} is never predicted" if family == "precision" else f"{label} is in no row"

    return class_metric(family, slug), Measure(compute, why)
