"""``modelyard compare``: runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, drawn, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from modelyard_cli.runs import Run
    from modelyard_cli.tracking.client import Tracking
    from modelyard_cli.views.comparison import Comparison

_DIRECTORY = "evaluation"
_FILES = ("report.html", "evaluation.json", "predictions.parquet")
"""The report for people, and what a comparison of several runs is made from."""


@click.command(
    epilog=examples(
        "modelyard compare housing-v1 housing-v2 housing-v3",
        "modelyard compare --dataset california-housing --by mae",
        "modelyard compare housing-v1 housing-v2 --reports reports/",
    )
)
@targeted
@formatted
@click.option(
    "--dataset", default=None, shell_complete=names_of("dataset"), help="All finished runs on a Dataset."
)
@click.option(
    "--by", "metric", default=None, help="Metric to rank by; the usual one of the task if left out."
)
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    help="Save each run's evaluation there, in a folder.",
)
@click.argument("runs", nargs=-1, metavar="RUN…", shell_complete=names_of("trainingjob"))
def compare(
    target: Target,
    *,
    runs: Sequence[str],
    dataset: str | None,
    metric: str | None,
    reports: Path | None,
    output: Format,
) -> int:
    """Put the metrics of runs side by side, the best first.

    Intervals stand beside a value where the run has them; a star marks the best of a column.
    """
    from modelyard_cli.tracking.finding import find_runs, opened
    from modelyard_cli.views.comparison import compare as put_together

    if bool(runs) == (dataset is not None):
        raise click.UsageError("name runs, or --dataset for all of a Dataset")
    with opened(target) as (cluster, tracking):
        if dataset is None:
            found = find_runs(cluster, tracking, runs)
        else:
            found = [run for run in tracking.runs(dataset) if run.status == "FINISHED"]
        if not found:
            raise CommandError(f"the Dataset {dataset} has no finished run")
        if reports is not None:
            _save(tracking, found, reports)
    comparison = put_together(found, metric)
    names = [run.id for run in comparison.runs]
    show(Result(comparison.document(), lambda: _drawn(comparison), names), output)
    return Exit.OK


def _save(tracking: Tracking, runs: Sequence[Run], folder: Path) -> None:
    for run in runs:
        found = {name: tracking.file(run, f"{_DIRECTORY}/{name}") for name in _FILES}
        kept = {name: content for name, content in found.items() if content is not None}
        if not kept:
            click.echo(f"{run.title} has no evaluation", err=True)
            continue
        own = folder / f"{run.title}-{run.id[:8]}"
        own.mkdir(parents=True, exist_ok=True)
        for name, content in kept.items():
            (own / name).write_bytes(content)
        click.echo(f"saved {own}: {', '.join(kept)}", err=True)


def _drawn(comparison: Comparison) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    remarks = [Text(f"! {remark}", style="yellow") for remark in comparison.remarks]
    return Group(drawn(comparison.table()), *remarks)
