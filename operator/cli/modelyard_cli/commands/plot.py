"""``modelyard plot``: a metric over runs, drawn in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Target, examples, targeted
from modelyard_cli.output import drawing_size

if TYPE_CHECKING:
    from modelyard_cli.views.chart import Point

_MARKS = "●▲■◆○△□◇"
_TICK_WIDTH = 16


@click.command(
    epilog=examples(
        "modelyard plot rmse --dataset california-housing",
        "modelyard plot f1_macro                       # of all runs in the namespace",
    )
)
@targeted
@click.option(
    "--dataset", default=None, shell_complete=names_of("dataset"), help="Only runs on this Dataset."
)
@click.argument("metric")
def plot(target: Target, *, metric: str, dataset: str | None) -> int:
    """Draw a metric of all finished runs in the order of time, one mark for each estimator."""
    from modelyard_cli.tracking.finding import opened
    from modelyard_cli.views.chart import series_of

    with opened(target) as (_, tracking):
        runs = [run for run in tracking.runs(dataset) if run.status == "FINISHED"]
    series = series_of(runs, metric)
    if not series:
        known = sorted({name for run in runs for name in run.test_metrics()})
        raise CommandError(
            f"no finished run has the metric {metric}", f"Known are {', '.join(known) or 'none'}"
        )
    click.echo(_draw(metric, series))
    return Exit.OK


def _draw(metric: str, series: Mapping[str, Sequence[Point]]) -> str:
    import plotext

    width, height = drawing_size()
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    figure.title(f"{metric} by run, the latest on the right")
    marks = dict(zip(series, cycle(_MARKS), strict=False))
    for name, points in series.items():
        figure.draw(figure.signal([x for x, _, _ in points], [y for _, y, _ in points], marker=marks[name]))
    titles = {place: title for points in series.values() for place, _, title in points}
    shown = list(titles)[:: max(1, math.ceil(len(titles) * _TICK_WIDTH / width))]
    rows = figure.ruler("x")
    rows.lim(0.5, len(titles) + 0.5)
    rows.ticks(shown, [titles[place][: _TICK_WIDTH - 2] for place in shown])
    legend = "   ".join(f"{marks[name]} {name}" for name in series)
    return f"{click.unstyle(figure.build().string()).rstrip()}\n\n{legend}"
