"""``modelyard plot``: a metric over runs or over the trials of one, drawn in the terminal."""

from __future__ import annotations

import json
import math
from itertools import cycle
from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Target, examples, targeted
from modelyard_cli.output import drawing_size, shortened

if TYPE_CHECKING:
    from modelyard_cli.views.chart import Chart

_MARKS = "●▲■◆○△□◇"
_TICK_WIDTH = 16
_TRIALS = "tuning/trials.json"


@click.command(
    epilog=examples(
        "modelyard plot rmse --dataset california-housing",
        "modelyard plot f1_macro                       # of all runs in the namespace",
        "modelyard plot --trials housing-tuned         # of a TrainingJob with tuning",
    )
)
@targeted
@click.option(
    "--dataset", default=None, shell_complete=names_of("dataset"), help="Only runs on this Dataset."
)
@click.option(
    "--trials", metavar="RUN", default=None, shell_complete=names_of("trainingjob"), help="Trials of one run."
)
@click.argument("metric", required=False)
def plot(target: Target, *, metric: str | None, dataset: str | None, trials: str | None) -> int:
    """Draw a metric of all finished runs in the order of time, or how the trials of one run went."""
    if (metric is None) == (trials is None):
        raise click.UsageError("name a metric, or --trials of a run")
    chart = _of_trials(target, trials) if trials is not None else _of_runs(target, str(metric), dataset)
    click.echo(_draw(chart))
    return Exit.OK


def _of_runs(target: Target, metric: str, dataset: str | None) -> Chart:
    from modelyard_cli.tracking.finding import opened
    from modelyard_cli.views.chart import chart_of_runs

    with opened(target) as (_, tracking):
        runs = [run for run in tracking.runs(dataset) if run.status == "FINISHED"]
    chart = chart_of_runs(runs, metric)
    if chart is None:
        known = sorted({name for run in runs for name in run.test_metrics()})
        raise CommandError(
            f"no finished run has the metric {metric}", f"Known are {', '.join(known) or 'none'}"
        )
    return chart


def _of_trials(target: Target, word: str) -> Chart:
    from modelyard_cli.tracking.finding import find_runs, opened
    from modelyard_cli.views.chart import chart_of_trials

    with opened(target) as (cluster, tracking):
        (run,) = find_runs(cluster, tracking, [word])
        table = tracking.file(run, _TRIALS)
    chart = chart_of_trials(json.loads(table), run.title) if table is not None else None
    if chart is None:
        raise CommandError(
            f"the run of {word} has no trials", "A TrainingJob with spec.tuning has them once it is done"
        )
    return chart


def _draw(chart: Chart) -> str:
    import plotext

    width, height = drawing_size()
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    figure.title(chart.title)
    marks = dict(zip((series.name for series in chart.series), cycle(_MARKS), strict=False))
    for series in chart.series:
        figure.draw(figure.signal(series.places, series.values, marker=marks[series.name]))
    shown = list(chart.labels)[:: max(1, math.ceil(len(chart.labels) * _TICK_WIDTH / width))]
    places = figure.ruler("x")
    places.lim(0.5, len(chart.labels) + 0.5)
    room = max(_TICK_WIDTH, width // max(1, len(shown))) - 2
    places.ticks(shown, [shortened(chart.labels[place], room) for place in shown])
    legend = "   ".join(f"{mark} {name}" for name, mark in marks.items())
    return f"{click.unstyle(figure.build().string()).rstrip()}\n\n{legend}"
