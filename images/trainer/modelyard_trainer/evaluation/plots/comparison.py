"""Metrics of several runs side by side, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from modelyard_api.metrics import Direction
from modelyard_trainer.evaluation.plots.style import BLUE, GREEN, GREY, drawing, figure, png, remark, short
from modelyard_trainer.evaluation.record import MetricRecord

_COLUMNS = 2


def comparison_plot(
    runs: Sequence[str], metrics: Sequence[tuple[str, Sequence[MetricRecord | None]]]
) -> bytes:
    """A PNG with one panel a metric, one line a run in the order given; the best value is green."""
    columns = min(_COLUMNS, len(metrics))
    rows = -(-len(metrics) // columns)
    with drawing():
        drawn = figure(1.8 + 3.6 * columns, rows * (1.2 + 0.28 * max(len(runs), 2)))
        panels = drawn.subplots(rows, columns, sharey=True, squeeze=False)
        for panel, (name, found) in zip(panels.flat, metrics, strict=False):
            _panel(panel, name, found)
        for panel in list(panels.flat)[len(metrics) :]:
            panel.set_visible(False)
        for panel in panels[:, 0]:
            panel.set_yticks(range(len(runs)), [short(run, 30) for run in runs])
            panel.set_ylim(len(runs) - 0.4, -0.6)
        return png(drawn)


def _panel(axes: Axes, name: str, found: Sequence[MetricRecord | None]) -> None:
    best = best_of(found)
    for place, one in enumerate(found):
        if one is None or one.value is None:
            continue
        colour = GREEN if place in best else BLUE
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot([one.value], [place], color=colour, marker="o", markersize=5.5)
        if one.baseline is not None:
            axes.plot([one.baseline], [place], color=GREY, marker="|", markersize=9)
    axes.set_title(name)
    direction = next((one.direction for one in found if one is not None), None)
    if direction is not None:
        remark(axes, "lower is better" if direction is Direction.MINIMIZE else "higher is better")
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="y", length=0)


def best_of(found: Sequence[MetricRecord | None]) -> frozenset[int]:
    """Places of the runs with the best value of a metric."""
    values = {
        place: one.value for place, one in enumerate(found) if one is not None and one.value is not None
    }
    if not values:
        return frozenset()
    known = next(one for one in found if one is not None)
    top = min(values.values()) if known.direction is Direction.MINIMIZE else max(values.values())
    return frozenset(place for place, value in values.items() if value == top)
