"""What a run keeps of its trials: one table that MLflow shows, and parameters that say what was searched.

A run of its own for each trial would cost three requests a trial and fill every list of runs.
"""

from __future__ import annotations

import json
from typing import Any

from modelyard_api.catalog.tuning import objective_of
from modelyard_api.v1alpha1.training_job import TrainingJobSpec
from modelyard_trainer.tuning.record import trial_of
from modelyard_trainer.tuning.study import asked_of, direction_of
from modelyard_trainer.tuning.trial import Trial

DIRECTORY = "tuning"
TABLE = "trials.json"
CAPTIONS = {
    f"{DIRECTORY}/history.png": "Each trial and the best one so far. A cross is a trial that the pruner ended.",
    f"{DIRECTORY}/importance.png": "How much of the difference between trials goes with each parameter of the space.",
    f"{DIRECTORY}/parallel.png": "A line a trial, from its parameters to its value; the better, the darker.",
}
"""Plots that belong into the run's report."""


def parameters(spec: TrainingJobSpec, best: Trial) -> dict[str, str]:
    """Parameters of the run besides those of the pipeline, which are the best ones."""
    tuning = asked_of(spec)
    return {
        "tuning.trial": str(best.number),
        "tuning.trials": str(tuning.trials),
        "tuning.sampler": tuning.sampler.chosen,
        "tuning.pruner": tuning.pruner.chosen if tuning.pruner is not None else "none",
        "tuning.objective": f"{objective_of(spec)}, mean of {tuning.objective.folds} folds",
    }


def artifacts(spec: TrainingJobSpec, rows: list[dict[str, Any]]) -> dict[str, bytes]:
    """Files of the run, by their paths: the table of all trials, and plots of it unless none are wanted."""
    files = {TABLE: _table(spec, rows)}
    if spec.evaluation.plots != "None":
        # Half a second and 60 MiB, which a job without plots does not spend.
        from modelyard_trainer.tuning.plots import Searched, draw_study  # noqa: PLC0415

        space, trials = asked_of(spec).space, [trial_of(row) for row in rows]
        files |= draw_study(Searched(space, objective_of(spec), direction_of(spec), trials))
    return {f"{DIRECTORY}/{name}": content for name, content in files.items()}


def _table(spec: TrainingJobSpec, rows: list[dict[str, Any]]) -> bytes:
    """In the form of MLflow's own tables: columns and rows."""
    names = [dimension.parameter for dimension in asked_of(spec).space]
    columns = [
        *("number", "state", objective_of(spec), *names),
        *("folds", "same_as", "message", "worker", "seconds", "cpu_seconds", "started_at", "ended_at"),
    ]
    data = [[_cell(row, column, objective_of(spec)) for column in columns] for row in rows]
    return json.dumps({"columns": columns, "data": data}, indent=1).encode()


def _cell(row: dict[str, Any], column: str, metric: str) -> Any:  # noqa: ANN401  any JSON value
    if column == metric:
        return row["value"]
    if column in row:
        value = row[column]
        return value.isoformat() if hasattr(value, "isoformat") else value
    return (row["parameters"] or {}).get(column)
