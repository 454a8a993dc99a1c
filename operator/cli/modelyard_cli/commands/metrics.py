"""``modelyard metrics``: runs and their metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.errors import Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, Table, drawn, figure, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard_cli.views.metrics import Row


@click.command(
    epilog=examples(
        "modelyard metrics",
        "modelyard metrics --dataset california-housing",
        "modelyard metrics --tracked                  # from MLflow, those of deleted TrainingJobs too",
    )
)
@targeted
@formatted
@click.option(
    "--dataset", default=None, shell_complete=names_of("dataset"), help="Only runs on this Dataset."
)
@click.option(
    "--tracked", is_flag=True, help="All runs that MLflow has, not only those of TrainingJobs that are there."
)
def metrics(target: Target, *, dataset: str | None, tracked: bool, output: Format) -> int:
    """List TrainingJobs with their data, metrics and model versions, the latest first."""
    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import TRAINING_JOB
    from modelyard_cli.objects import training_job_seen
    from modelyard_cli.tracking.access import open_tracking
    from modelyard_cli.views.metrics import row_of_job, row_of_run

    with open_cluster(target) as cluster:
        if tracked:
            with open_tracking(cluster) as tracking:
                made = {version.run_id: version for version in tracking.versions()}
                rows = [row_of_run(run, made.get(run.id)) for run in tracking.runs(dataset)]
        else:
            jobs = [training_job_seen(item) for item in cluster.items(TRAINING_JOB)]
            rows = [row_of_job(job) for job in jobs]
            rows = [row for row in rows if dataset in {None, row.dataset}]
    rows.sort(key=lambda row: row.started, reverse=True)
    names = [f"trainingjob/{row.job}" if not tracked else row.run for row in rows]
    show(Result([row.document() for row in rows], lambda: drawn(_table(rows)), names), output)
    return Exit.OK


def _table(rows: Sequence[Row]) -> Table:
    from modelyard_api.metrics import METRICS

    known = [name for name in METRICS if any(name in row.metrics for row in rows)]
    lines = [
        [
            *(row.job, row.state, row.dataset, row.data, row.estimator),
            *(figure(row.metrics[name]) if name in row.metrics else "-" for name in known),
            *(row.model, row.started[:16].replace("T", " ")),
        ]
        for row in rows
    ]
    headings = ["job", "state", "dataset", "data", "estimator", *known, "model", "started"]
    return Table(headings, lines, frozenset(known))
