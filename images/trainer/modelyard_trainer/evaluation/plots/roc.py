"""Receiver operating characteristic."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from modelyard_trainer.evaluation.plots.curves import Ranked, draw_curves, has_curves, ranked
from modelyard_trainer.evaluation.plots.style import GREY, figure, remark
from modelyard_trainer.evaluation.plots.subject import Plot, Subject


def _points(curve: Ranked) -> tuple[np.ndarray, np.ndarray]:
    return curve.wrong / curve.wrong[-1], curve.found / curve.found[-1]


def _draw(subject: Subject) -> Figure:
    drawn = figure(5.6, 5.0)
    axes = drawn.subplots()

    def area(label: object) -> str:
        curve = ranked(subject.judged, label)
        return f"{np.trapezoid(*_points(curve)[::-1]):.3f}" if curve is not None else ""

    said = draw_curves(axes, subject.judged, _points, area)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="by chance (0.500)")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    axes.set(xlabel="share of other rows taken for the class", ylabel="share of the class's rows found")
    axes.set_title("ROC")
    remark(axes, said)
    axes.legend(loc="lower right", title="class (area)", title_fontsize=8.5, alignment="left")
    return drawn


PLOT = Plot(
    "roc",
    "For every threshold of the score: how much of a class is found, and how much else with it. Each class against all others.",
    has_curves,
    _draw,
)
