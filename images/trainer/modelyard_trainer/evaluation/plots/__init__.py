"""Plots of a judged model: one module and one line of the registry each."""

from __future__ import annotations

from modelyard_trainer.evaluation.plots import (
    actual,
    calibration,
    confusion,
    importance,
    learning_curve,
    precision_recall,
    residuals,
    roc,
)
from modelyard_trainer.evaluation.plots.style import drawing, png
from modelyard_trainer.evaluation.plots.subject import Plot, Subject

PLOTS: tuple[Plot, ...] = (
    actual.PLOT,
    residuals.PLOT,
    confusion.PLOT,
    roc.PLOT,
    precision_recall.PLOT,
    calibration.PLOT,
    importance.PLOT,
    learning_curve.PLOT,
)


def draw_all(subject: Subject) -> dict[Plot, bytes]:
    """PNGs of the plots that make sense for the model, in order."""
    with drawing():
        return {plot: png(plot.draw(subject)) for plot in PLOTS if plot.applies(subject)}
