"""Metrics of probabilities and other scores of the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from modelyard_trainer.evaluation.judged import Judged, Sample
from modelyard_trainer.evaluation.measures.labels import named
from modelyard_trainer.evaluation.measures.measure import Measure, ratio

_BINARY = 2


def judged_classes(judged: Judged) -> np.ndarray:
    """The classes that are held against all others: the second of two, else every one that the model knows."""
    if judged.classes is None:
        return np.array([])
    return judged.classes[1:] if len(judged.classes) == _BINARY else judged.classes


@dataclass(frozen=True)
class _Steps:
    """Scores that rows of a class have, from high to low, shape (scores, resamples). Equal scores are one step."""

    inside: np.ndarray
    """Weight of the class's rows with the score."""
    above: np.ndarray
    """Weight of all rows with higher scores."""
    reached: np.ndarray
    """Weight of all rows with the score or higher ones."""
    total: np.ndarray


def _steps(sample: Sample, label: object, scores: np.ndarray) -> _Steps | None:
    """None where no row is of the class."""
    order = np.argsort(-scores, kind="stable")
    own = np.flatnonzero(sample.judged.truth[order] == label)
    if not len(own):
        return None
    fresh = np.diff(scores[order]) != 0
    starts = np.concatenate([[0], np.flatnonzero(fresh) + 1])
    ends = np.concatenate([starts[1:], [len(order)]])
    groups = np.concatenate([[0], np.cumsum(fresh)])[own]
    first = np.concatenate([[0], np.flatnonzero(np.diff(groups)) + 1])
    weights = sample.by_row[order]
    # One row more, so that what lies above the first row is found like all else.
    summed = np.zeros((len(order) + 1, weights.shape[1]))
    np.cumsum(weights, axis=0, out=summed[1:])
    held = groups[first]
    inside = np.add.reduceat(weights[own], first, axis=0)
    return _Steps(inside, summed[starts[held]], summed[ends[held]], summed[-1])


def _roc_of(steps: _Steps) -> np.ndarray:
    found = steps.inside.sum(axis=0)
    others = steps.total - found
    beside = steps.reached - steps.above - steps.inside
    higher = steps.above - (np.cumsum(steps.inside, axis=0) - steps.inside)
    won = (steps.inside * (others - higher - beside / 2)).sum(axis=0)
    return ratio(won, found * others)


def _precision_of(steps: _Steps) -> np.ndarray:
    precision = np.nan_to_num(ratio(np.cumsum(steps.inside, axis=0), steps.reached))
    found = steps.inside.sum(axis=0)
    # Without other rows every precision is 1, which says nothing.
    return ratio((steps.inside * precision).sum(axis=0), np.where(steps.total > found, found, 0.0))


def _mean_over_classes(area: Callable[[_Steps], np.ndarray]) -> Callable[[Sample], np.ndarray]:
    def compute(sample: Sample) -> np.ndarray:
        total, defined = np.zeros(len(sample.weights)), np.zeros(len(sample.weights))
        for label in judged_classes(sample.judged):
            scores = sample.judged.score_of(label)
            steps = _steps(sample, label, scores) if scores is not None else None
            if steps is None:
                continue
            found = area(steps)
            total += np.nan_to_num(found)
            defined += np.isfinite(found)
        return ratio(total, defined)

    return compute


def _absent(judged: Judged) -> Iterator[object]:
    present = set(np.unique(judged.truth).tolist())
    yield from (label for label in judged_classes(judged).tolist() if label not in present)


def _why_no_curve(judged: Judged) -> str:
    present = np.unique(judged.truth)
    return f"all rows are of one class, {present[0]}" if len(present) == 1 else "no class of the model occurs"


def _classes_left_out(judged: Judged) -> str:
    absent = list(_absent(judged))
    return f"without {named(np.array(absent))}, which no row has" if absent else ""


def _log_loss(sample: Sample) -> np.ndarray:
    """A class that was not in training has probability 0, which counts as the smallest float."""
    judged = sample.judged
    if judged.probabilities is None:
        raise ValueError("there are no probabilities")
    chosen = judged.class_codes
    given = judged.probabilities[np.arange(len(chosen)), np.maximum(chosen, 0)]
    given = np.where(chosen < 0, 0.0, given).astype(np.float64)
    return sample.mean(-np.log(np.clip(given, np.finfo(np.float64).eps, 1.0)))


def _brier(sample: Sample) -> np.ndarray:
    """Of two classes that of the second one, from 0 to 1; of more the sum over all, from 0 to 2."""
    judged = sample.judged
    if judged.probabilities is None:
        raise ValueError("there are no probabilities")
    given = judged.probabilities.astype(np.float64)
    chosen = judged.class_codes
    known = chosen >= 0
    own = np.where(known, given[np.arange(len(chosen)), np.maximum(chosen, 0)], 0.0)
    loss = (given**2).sum(axis=1) - 2 * own + 1
    return sample.mean(loss / 2 if given.shape[1] == _BINARY else loss)


def _unknown_classes(judged: Judged) -> str:
    unknown = np.setdiff1d(judged.truth, [] if judged.classes is None else judged.classes)
    return f"not in training, so of probability 0: {named(unknown)}" if len(unknown) else ""


MEASURES: dict[str, Measure] = {
    "roc_auc": Measure(_mean_over_classes(_roc_of), _why_no_curve, _classes_left_out, every_class=True),
    "pr_auc": Measure(_mean_over_classes(_precision_of), _why_no_curve, _classes_left_out, every_class=True),
    "log_loss": Measure(_log_loss, note=_unknown_classes),
    "brier": Measure(_brier, note=_unknown_classes),
}
