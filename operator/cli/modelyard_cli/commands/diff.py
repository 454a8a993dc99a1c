"""``modelyard diff``: what changed between two runs, and what it did."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.errors import Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, Table, drawn, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from modelyard_cli.runs import Run
    from modelyard_cli.tracking.client import Tracking
    from modelyard_cli.views.difference import Difference, Facts

_DIGEST = re.compile(r"\b(sha256:[0-9a-f]{12})[0-9a-f]{52}\b")
_REQUIREMENTS = "model/requirements.txt"
_STYLES = {"better": "green", "worse": "red"}


@click.command(
    epilog=examples(
        "modelyard diff housing-v1 housing-v2",
        "modelyard diff 0f3c…e1 housing-v2            # a run of MLflow and the run of a TrainingJob",
        "modelyard diff housing-v1 housing-v2 -o json",
    )
)
@targeted
@formatted
@click.argument("before", metavar="RUN", shell_complete=names_of("trainingjob"))
@click.argument("after", metavar="RUN", shell_complete=names_of("trainingjob"))
def diff(target: Target, *, before: str, after: str, output: Format) -> int:
    """Show what changed from one run to another, and its effect on the metrics.

    A RUN is a TrainingJob, also one that is gone, or the id of a run in MLflow. Data are compared by the digest of
    their content, the environment by image and libraries.
    """
    from modelyard_cli.tracking.finding import find_runs, opened
    from modelyard_cli.views.difference import differ

    with opened(target) as (cluster, tracking):
        runs = find_runs(cluster, tracking, [before, after])
        facts = [_facts(tracking, run) for run in runs]
    found = differ(*facts)
    effects = [{**asdict(effect), "delta": effect.delta} for effect in found.effects]
    document = {**asdict(found), "effects": effects, "runs": [run.id for run in runs]}
    show(Result(document, lambda: _drawn(found), [section.name for section in found.sections]), output)
    return Exit.OK


def _facts(tracking: Tracking, run: Run) -> Facts:
    from modelyard_api.contract.training_record import RECORD_FILE
    from modelyard_cli.runs import libraries_of
    from modelyard_cli.views.difference import Facts

    record = tracking.file(run, RECORD_FILE)
    requirements = tracking.file(run, _REQUIREMENTS) if record is None else None
    return Facts(run, libraries_of(record, requirements))


def _drawn(found: Difference) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{found.before} → {found.after}", style="bold")]
    if not found.sections:
        parts.append(Text("nothing that is recorded changed"))
    runs = frozenset({found.before, found.after})
    for section in found.sections:
        rows = [[change.what, _short(change.before), _short(change.after)] for change in section.changes]
        parts += [Text(""), drawn(Table([section.name, found.before, found.after], rows, names=runs))]
    if found.effects:
        parts += [Text(""), _effects(found)]
    parts += [Text(f"! {remark}", style="yellow") for remark in found.remarks]
    return Group(*parts)


def _effects(found: Difference) -> RenderableType:
    rows = [
        [effect.metric, f"{effect.before:.6g}", f"{effect.after:.6g}", f"{effect.delta:+.4g}", effect.verdict]
        for effect in found.effects
    ]
    headings = ["metric", found.before, found.after, "change", "effect"]
    runs = frozenset({found.before, found.after})
    return drawn(Table(headings, rows, frozenset({*runs, "change"}), runs, _STYLES))


def _short(value: str | None) -> str:
    """A value of one line; a digest is known by its beginning."""
    if value is None:
        return "-"
    return _DIGEST.sub(r"\1…", value)
