"""``modelyard cache``: whether earlier results would be taken."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex
from typing import TYPE_CHECKING

import click

from modelyard_cli.durations import DURATION
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, Table, drawn, show

if TYPE_CHECKING:
    from modelyard_cli.cluster.client import Cluster
    from modelyard_cli.objects import Document
    from modelyard_cli.views.caching import Explained


@click.group(epilog=examples("modelyard cache explain housing.yaml"))
def cache() -> None:
    """Ask for earlier results."""


@cache.command(
    epilog=examples(
        "modelyard cache explain housing.yaml",
        "modelyard cache explain housing.yaml -o json | jq '.[].missBecause'",
    )
)
@targeted
@formatted
@click.option(
    "--timeout", type=DURATION, default="1m", show_default=True, help="How long to wait for an answer."
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(allow_dash=True))
def explain(target: Target, *, files: Sequence[str], timeout: float, output: Format) -> int:
    """Say of each TrainingJob of a file whether an earlier run would be its answer, and if not, by what it differs.

    A copy is applied that only asks, and removed again; nothing is trained. A job of that name that is there already
    makes no difference to the answer, which is that of a new job as the file has it.
    """
    from modelyard_cli.applying import documents_of, insist
    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import TRAINING_JOB

    documents = documents_of(files, TRAINING_JOB)
    for document in documents:
        insist(document)
    with open_cluster(target) as cluster:
        found = [_explain(cluster, document, timeout) for document in documents]
    show(
        Result([item.document() for item in found], lambda: drawn(_table(found)), [i.job for i in found]),
        output,
    )
    return Exit.OK


def _explain(cluster: Cluster, document: Document, timeout: float) -> Explained:
    from modelyard_cli.cluster.kinds import TRAINING_JOB
    from modelyard_cli.following import wait_for
    from modelyard_cli.views.caching import explained, look_for_answer, question
    from modelyard_cli.views.look import State

    name = document["metadata"]["name"]
    if cluster.find(TRAINING_JOB, name) is not None:
        told = f"trainingjob/{name} is there already; the answer is that of a new job as the file has it"
        click.echo(told, err=True)
    asked = question(document, token_hex(3))
    copy = asked["metadata"]["name"]
    cluster.apply(TRAINING_JOB, asked)
    try:
        answer, look = wait_for(cluster, TRAINING_JOB, copy, look_for_answer, timeout)
    finally:
        cluster.delete(TRAINING_JOB, copy)
    if look.state is State.FAILED:
        raise CommandError(f"trainingjob/{name}: {look.line()}")
    return explained(name, answer)


def _table(found: Sequence[Explained]) -> Table:
    rows = [
        [
            item.job,
            "hit" if item.hit else "miss",
            item.reason,
            ", ".join(item.because) or "-",
            item.nearest or "-",
        ]
        for item in found
    ]
    return Table(["job", "cache", "reason", "because of", "nearest run"], rows)
