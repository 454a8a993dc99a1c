"""Metrics of probabilities and other scores of the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def _groups(sample: Sample, label: object, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of rows of the class and of the others by score from high to low, equal scores together."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
    weights = sample.weights[:, order]
    own = weights * (sample.judged.truth[order] == label)
    inside = np.add.reduceat(own, starts, axis=1)
    return inside, np.add.reduceat(weights, starts, axis=1) - inside


def _roc_of(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    below = outside.sum(axis=1, keepdims=True) - np.cumsum(outside, axis=1)
    pairs = inside.sum(axis=1) * outside.sum(axis=1)
    won = (inside * (below + outside / 2)).sum(axis=1)
    return ratio(won, pairs)


def _precision_of(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    found = np.cumsum(inside, axis=1)
    seen = found + np.cumsum(outside, axis=1)
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    total = inside.sum(axis=1)
    area = (inside * precision).sum(axis=1)
    return ratio(area, total)


def _mean_over_classes(
    area: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[Sample], np.ndarray]:
    def compute(sample: Sample) -> np.ndarray:
        held = judged_classes(sample.judged)
        total, defined = np.zeros(len(sample.weights)), np.zeros(len(sample.weights))
        for label in held:
            scores = sample.judged.score_of(label)
            if scores is None:
                continue
            found = area(*_groups(sample, label, scores))
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


def _chosen(judged: Judged) -> np.ndarray:
    """Place of the true class among the probabilities, -1 where the model does not know it."""
    if judged.classes is None:
        raise ValueError("there are no probabilities")
    place = {label: number for number, label in enumerate(judged.classes.tolist())}
    return np.array([place.get(label, -1) for label in judged.truth.tolist()])


def _log_loss(sample: Sample) -> np.ndarray:
    """A class that was not in training has probability 0, which counts as the smallest float."""
    judged = sample.judged
    if judged.probabilities is None:
        raise ValueError("there are no probabilities")
    chosen = _chosen(judged)
    given = judged.probabilities[np.arange(len(chosen)), np.maximum(chosen, 0)]
    given = np.where(chosen < 0, 0.0, given).astype(np.float64)
    return sample.mean(-np.log(np.clip(given, np.finfo(np.float64).eps, 1.0)))


def _brier(sample: Sample) -> np.ndarray:
    """Of two classes that of the second one, from 0 to 1; of more the sum over all, from 0 to 2."""
    judged = sample.judged
    if judged.probabilities is None:
        raise ValueError("there are no probabilities")
    given = judged.probabilities.astype(np.float64)
    chosen = _chosen(judged)
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
