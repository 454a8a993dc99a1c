"""Precision against recall."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from modelyard_trainer.evaluation.plots.curves import Ranked, draw_curves, has_curves, ranked
from modelyard_trainer.evaluation.plots.style import figure, remark
from modelyard_trainer.evaluation.plots.subject import Plot, Subject


def _points(curve: Ranked) -> tuple[np.ndarray, np.ndarray]:
    found, wrong = curve.found[1:], curve.wrong[1:]
    precision = found / (found + wrong)
    recall = found / curve.found[-1]
    return np.concatenate([[0], recall]), np.concatenate([precision[:1], precision])


def _draw(subject: Subject) -> Figure:
    drawn = figure(5.6, 5.0)
    axes = drawn.subplots()

    def area(label: object) -> str:
        curve = ranked(subject.judged, label)
        if curve is None:
            return ""
        recall, precision = _points(curve)
        return f"{float((np.diff(recall) * precision[1:]).sum()):.3f}"

    said = draw_curves(axes, subject.judged, _points, area)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    axes.set(xlabel="recall", ylabel="precision")
    axes.set_title("Precision and recall")
    remark(axes, said)
    axes.legend(loc="lower left", title="class (average precision)", title_fontsize=8.5, alignment="left")
    return drawn


PLOT = Plot(
    "precision-recall",
    "For every threshold of the score: how much of a class is found, and how much of what is found is right.",
    has_curves,
    _draw,
)
