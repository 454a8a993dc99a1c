"""Points of a chart from runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelyard_cli.runs import Run

Point = tuple[int, float, str]
"""Place from left to right, value, name of the run."""


def series_of(runs: Sequence[Run], metric: str) -> dict[str, list[Point]]:
    """Values of a metric by estimator, in the order of time; runs without a finite value are left out."""
    having = [run for run in runs if math.isfinite(run.metrics.get(metric, math.nan))]
    found: dict[str, list[Point]] = {}
    for place, run in enumerate(sorted(having, key=lambda run: (run.started, run.id)), start=1):
        found.setdefault(run.estimator, []).append((place, run.metrics[metric], run.title))
    return found
