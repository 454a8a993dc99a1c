"""Points of charts: a metric over runs, and the trials of one run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard_api.metrics import Direction, find_metric
from modelyard_cli.runs import Run


@dataclass(frozen=True)
class Series:
    """Points of one kind."""

    name: str
    places: list[int] = field(default_factory=list)
    """From left to right, from 1."""
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """What is drawn."""

    title: str
    series: tuple[Series, ...]
    labels: Mapping[int, str]
    """Words under places; not all of them fit."""


def chart_of_runs(runs: Sequence[Run], metric: str) -> Chart | None:
    """A metric by estimator in the order of time; None where no run has a finite value."""
    having = [run for run in runs if math.isfinite(run.metrics.get(metric, math.nan))]
    series: dict[str, Series] = {}
    labels: dict[int, str] = {}
    for place, run in enumerate(sorted(having, key=lambda run: (run.started, run.id)), start=1):
        own = series.setdefault(run.estimator, Series(run.estimator))
        own.places.append(place)
        own.values.append(run.metrics[metric])
        labels[place] = run.title
    return (
        Chart(f"{metric} by run, the latest on the right", tuple(series.values()), labels) if series else None
    )


def chart_of_trials(table: Mapping[str, Any], title: str) -> Chart | None:
    """Values of a tuning's completed trials and the best so far; None where there is none.

    ``table`` is ``tuning/trials.json`` of a run: columns, of which the third is the metric, and rows.
    """
    metric = table["columns"][2]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    judged = [row for row in rows if row["state"] == "Completed" and row[metric] is not None]
    valued = sorted((row["number"], float(row[metric])) for row in judged if math.isfinite(row[metric]))
    if not valued:
        return None
    known = find_metric(metric)
    better = max if known is not None and known.direction is Direction.MAXIMIZE else min
    trials, best = Series("trial"), Series("best so far")
    for place, (_, value) in enumerate(valued, start=1):
        trials.places.append(place)
        trials.values.append(value)
        best.places.append(place)
        best.values.append(better([value, *best.values[-1:]]))
    labels = {place: str(number) for place, (number, _) in enumerate(valued, start=1)}
    return Chart(f"{metric} by trial of {title}", (trials, best), labels)
