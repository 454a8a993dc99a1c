"""What more rows would bring."""

from __future__ import annotations

from matplotlib.figure import Figure

from modelyard_trainer.evaluation.plots.style import BLUE, ORANGE, figure, remark
from modelyard_trainer.evaluation.plots.subject import Plot, Subject


def _draw(subject: Subject) -> Figure:
    curve = subject.learning
    if curve is None:
        raise ValueError("there is no learning curve")
    drawn = figure(6.4, 4.2)
    axes = drawn.subplots()
    for name, colour, values in (
        ("rows learnt from", ORANGE, curve.learnt),
        ("rows of the fold", BLUE, curve.judged),
    ):
        means = [sum(own) / len(own) for own in values]
        axes.plot(curve.rows, means, color=colour, marker="o", markersize=4.5, linewidth=1.8, label=name)
        lows, highs = [min(own) for own in values], [max(own) for own in values]
        axes.fill_between(curve.rows, lows, highs, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="rows to learn from", ylabel=curve.metric)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=7)
    axes.set_title("Learning curve")
    remark(axes, f"mean and range of {curve.folds} folds of the training part")
    axes.legend(loc="best")
    return drawn


PLOT = Plot(
    "learning-curve",
    "The metric by the number of rows learnt from. Lines that still draw near to each other ask for more rows.",
    lambda subject: subject.learning is not None,
    _draw,
)
