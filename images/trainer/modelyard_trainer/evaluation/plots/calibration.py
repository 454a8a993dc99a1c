"""Whether probabilities are what they say."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.plots.style import BLUE, GREY, PALE, figure, remark, short
from modelyard_trainer.evaluation.plots.subject import Plot, Subject, has_probabilities

_BINS = 10
_BINARY = 2


def _draw(subject: Subject) -> Figure:
    drawn = figure(5.6, 5.4)
    axes, below = drawn.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    said, right, what = claims(subject.judged)
    edges = np.unique(np.quantile(said, np.linspace(0, 1, _BINS + 1)))
    place = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, max(0, len(edges) - 2))
    sizes = np.bincount(place)
    held = sizes > 0
    mean_said = np.bincount(place, weights=said)[held] / sizes[held]
    share = np.bincount(place, weights=right)[held] / sizes[held]
    # Normal approximation: enough for bars that show how much a point may wander.
    error = 1.96 * np.sqrt(np.maximum(share * (1 - share), 1 / sizes[held]) / sizes[held])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as said")
    axes.errorbar(
        mean_said,
        share,
        yerr=np.minimum(error, 1),
        color=BLUE,
        marker="o",
        markersize=4.5,
        linewidth=1.6,
        elinewidth=1,
        ecolor=PALE,
        capsize=2,
        label="test rows, 95 % of chance",
    )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share of rows where it is so")
    axes.set_title("Calibration")
    remark(axes, f"{len(said):,} test rows, equally many a point")
    axes.legend(loc="best")
    below.hist(said, bins=np.linspace(0, 1, 26), color=BLUE, alpha=0.8)
    below.set(xlabel=what, ylabel="rows")
    below.locator_params(axis="y", nbins=3)
    return drawn


def claims(judged: Judged) -> tuple[np.ndarray, np.ndarray, str]:
    """Probability that is said for each row, whether it came true, and of what it is."""
    if judged.probabilities is None or judged.classes is None:
        raise ValueError("there are no probabilities")
    if len(judged.classes) == _BINARY:
        label = judged.classes.tolist()[1]
        return (
            judged.probabilities[:, 1].astype(float),
            (judged.truth == judged.classes[1]).astype(float),
            f"probability of {short(label)}",
        )
    return (
        judged.probabilities.max(axis=1).astype(float),
        (judged.truth == judged.predicted).astype(float),
        "probability of the predicted class",
    )


PLOT = Plot(
    "calibration",
    "Of the rows to which the model gives a probability, the share where it came true. On the dashed line they agree.",
    has_probabilities,
    _draw,
)
