"""Errors against predictions, and how they are spread."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from modelyard_trainer.evaluation.plots.style import BLUE, GREY, ORANGE, figure, remark, short
from modelyard_trainer.evaluation.plots.subject import Plot, Subject, is_regression

_BINS = 40
_BANDS = 20
_SHOWN_PERCENT = 99.5


def _draw(subject: Subject) -> Figure:
    drawn = figure(6.8, 4.4)
    axes, side = drawn.subplots(1, 2, sharey=True, width_ratios=[4, 1])
    rows, said = subject.sampled()
    every = subject.judged.error
    predicted, error = subject.judged.predicted[rows], every[rows]
    reach = float(np.percentile(np.abs(every), _SHOWN_PERCENT)) or float(np.abs(every).max()) or 1.0
    shown = np.abs(error) <= reach * 1.05
    crowd = float(np.clip(25 / np.sqrt(len(rows)), 0.2, 0.9))
    axes.scatter(predicted[shown], error[shown], s=9, color=BLUE, alpha=crowd, linewidths=0)
    axes.axhline(0, color=GREY, linewidth=1, linestyle="--")
    centres, medians = _bands(subject)
    if len(centres) > 1:
        axes.plot(centres, medians, color=ORANGE, linewidth=1.8, label="median of the error")
        axes.legend(loc="upper left")
    axes.set(xlabel=f"predicted {short(subject.target)}", ylabel="error (predicted less actual)")
    axes.set_ylim(-reach * 1.1, reach * 1.1)
    axes.set_title("Residuals")
    beyond = int((np.abs(every) > reach * 1.05).sum())
    remark(axes, said + (f", {beyond:,} larger errors not shown" if beyond else ""))
    side.hist(
        every[np.abs(every) <= reach * 1.05], bins=_BINS, orientation="horizontal", color=BLUE, alpha=0.8
    )
    side.axhline(0, color=GREY, linewidth=1, linestyle="--")
    side.set_xlabel("rows")
    side.locator_params(axis="x", nbins=3)
    side.tick_params(left=False)
    return drawn


def _bands(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Median error of rows with predictions alike, equally many each."""
    order = np.argsort(subject.judged.predicted, kind="stable")
    bands = np.array_split(order, min(_BANDS, max(1, len(order) // 20)))
    predicted, error = subject.judged.predicted, subject.judged.error
    centres = np.array([np.median(predicted[band]) for band in bands])
    return centres, np.array([np.median(error[band]) for band in bands])


PLOT = Plot(
    "residuals",
    "Errors by prediction, and their distribution. A line of medians away from zero shows where the model leans to one side.",
    is_regression,
    _draw,
)
