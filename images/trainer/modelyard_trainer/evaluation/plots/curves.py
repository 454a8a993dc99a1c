"""What ROC and precision-recall curves share: which classes are drawn, and their points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.measures.probabilities import judged_classes
from modelyard_trainer.evaluation.plots.style import COLOURS, short
from modelyard_trainer.evaluation.plots.subject import Subject

_CURVES = 6
_POINTS = 400


@dataclass(frozen=True)
class Ranked:
    """Rows of a class and others found so far, as the threshold falls; both start at 0."""

    found: np.ndarray
    wrong: np.ndarray


def ranked(judged: Judged, label: object) -> Ranked | None:
    """None where the class, or every other, is not among the rows."""
    scores = judged.score_of(label)
    own = judged.truth == label
    if scores is None or not own.any() or own.all():
        return None
    order = np.argsort(-scores, kind="stable")
    last = np.concatenate([np.flatnonzero(np.diff(scores[order])), [len(order) - 1]])
    found = np.concatenate([[0], np.cumsum(own[order])[last]])
    return Ranked(found, np.concatenate([[0], last + 1]) - found)


def draw_curves(
    axes: Axes,
    judged: Judged,
    points: Callable[[Ranked], tuple[np.ndarray, np.ndarray]],
    area: Callable[[object], str],
) -> str:
    """A line for each of the largest classes; returns what to say about them."""
    classes = judged_classes(judged)
    sizes = np.bincount(judged.truth_codes, minlength=len(judged.labels))
    order = np.argsort(-sizes[np.searchsorted(judged.labels, classes)], kind="stable")
    drawn = 0
    for label in classes[order].tolist():
        curve = ranked(judged, label)
        if curve is None:
            continue
        x, y = points(curve)
        kept = _thinned(x, y)
        named = f"{short(label, 20)} ({area(label)})"
        axes.plot(x[kept], y[kept], color=COLOURS[drawn], linewidth=1.8, label=named)
        drawn += 1
        if drawn == _CURVES:
            break
    if drawn < len(classes):
        return f"the {drawn} largest of {len(classes)} classes, {judged.rows:,} test rows"
    return f"{judged.rows:,} test rows"


def _thinned(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places of points that are enough to draw the line."""
    if len(x) <= _POINTS:
        return np.arange(len(x))
    travelled = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    wanted = np.linspace(0, travelled[-1], _POINTS)
    return np.unique(np.concatenate([[0], np.searchsorted(travelled, wanted[:-1]), [len(x) - 1]]))


def has_curves(subject: Subject) -> bool:
    """Whether rows of a class and others are there to be told apart by scores."""
    judged = subject.judged
    return any(ranked(judged, label) is not None for label in judged_classes(judged).tolist())
