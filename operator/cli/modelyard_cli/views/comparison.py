"""Runs side by side: one row a run, one column a metric, the best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard_api.metrics import METRICS, Direction
from modelyard_cli.output import Table, figure
from modelyard_cli.runs import Run


@dataclass(frozen=True)
class Comparison:
    """Runs in the order of a metric, and which is best by each."""

    runs: tuple[Run, ...]
    metrics: tuple[str, ...]
    """The one that runs are ranked by first."""
    best: dict[str, str] = field(default_factory=dict)
    """Metric → id of the run."""
    remarks: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "rankedBy": self.metrics[0] if self.metrics else None,
            "runs": [
                {
                    "run": run.id,
                    "job": run.title,
                    "data": run.data,
                    "datasetDigest": run.digest,
                    "estimator": run.estimator,
                    "metrics": {name: run.metrics[name] for name in self.metrics if name in run.metrics},
                    "bestBy": [name for name, best in self.best.items() if best == run.id],
                }
                for run in self.runs
            ],
            "remarks": list(self.remarks),
        }

    def table(self) -> Table:
        """For people: a star stands before the best of a column."""
        rows = [
            [run.title, run.data, run.estimator, *(self._cell(run, name) for name in self.metrics)]
            for run in self.runs
        ]
        return Table(["run", "data", "estimator", *self.metrics], rows, frozenset(self.metrics))

    def _cell(self, run: Run, name: str) -> str:
        value = run.metrics.get(name)
        if value is None:
            return "-"
        low, high = run.metrics.get(f"{name}_low"), run.metrics.get(f"{name}_high")
        around = f" [{figure(low)}, {figure(high)}]" if low is not None and high is not None else ""
        star = "* " if self.best.get(name) == run.id else ""
        return f"{star}{figure(value)}{around}"


def compare(runs: Sequence[Run], metric: str | None = None) -> Comparison:
    """Ranks runs by a metric, or by the first one's primary metric."""
    names = [name for name in METRICS if any(name in run.metrics for run in runs)]
    chosen = metric or next((run.primary() for run in runs if run.primary() in names), None)
    ordered = sorted(names, key=lambda name: name != chosen)
    if metric is not None and metric not in ordered:
        ordered.insert(0, metric)
    ranked = sorted(runs, key=lambda run: _rank(run, chosen)) if chosen else list(runs)
    best = {
        name: min(having, key=lambda run: _rank(run, name)).id
        for name in names
        if len(having := [run for run in runs if name in run.metrics]) > 1
    }
    return Comparison(tuple(ranked), tuple(ordered), best, tuple(_remarks(runs)))


def _rank(run: Run, metric: str) -> tuple[float, str]:
    value = run.metrics.get(metric, math.nan)
    if math.isnan(value):
        return math.inf, run.id
    known = METRICS.get(metric)
    rising = known is not None and known.direction is Direction.MAXIMIZE
    return -value if rising else value, run.id


def _remarks(runs: Sequence[Run]) -> list[str]:
    remarks = []
    targets = {(run.parameters.get("task"), run.parameters.get("target")) for run in runs}
    if len(targets) > 1:
        remarks.append("They predict different things: their metrics cannot be compared")
    elif len({run.digest for run in runs}) > 1:
        remarks.append("They are judged on different rows, as they are of different data")
    return remarks
