"""Predicted against actual values."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from modelyard_trainer.evaluation.plots.style import BLUE, INK, figure, remark, short
from modelyard_trainer.evaluation.plots.subject import Plot, Subject, is_regression

_EDGE = 0.03


def _draw(subject: Subject) -> Figure:
    drawn = figure(5.6, 5.2)
    axes = drawn.subplots()
    rows, said = subject.sampled()
    truth, predicted = subject.judged.truth[rows].astype(float), subject.judged.predicted[rows]
    low, high = float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))
    edge = _EDGE * ((high - low) or 1.0)
    limits = (low - edge, high + edge)
    crowd = float(np.clip(25 / np.sqrt(len(rows)), 0.2, 0.9))
    axes.plot(limits, limits, color=INK, linewidth=1, linestyle="--", label="right answer", zorder=3)
    axes.scatter(truth, predicted, s=9, color=BLUE, alpha=crowd, linewidths=0, label="test row")
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set(xlabel=f"actual {short(subject.target)}", ylabel=f"predicted {short(subject.target)}")
    axes.set_title("Actual and predicted")
    remark(axes, said)
    figures = [f"{name} {value}" for name in ("rmse", "r2") if (value := subject.value(name))]
    axes.legend(loc="upper left", title=", ".join(figures) or None, title_fontsize=8.5, alignment="left")
    return drawn


PLOT = Plot(
    "actual-vs-predicted",
    "Each point is a test row; on the dashed line a prediction is right.",
    is_regression,
    _draw,
)
