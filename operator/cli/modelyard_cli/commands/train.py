"""``modelyard train``: a TrainingJob applied and followed to its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from modelyard_cli.durations import DURATION
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, Table, drawn, show

if TYPE_CHECKING:
    from modelyard_cli.objects import Document
    from modelyard_cli.views.look import Look


@click.command(
    epilog=examples(
        "modelyard train housing.yaml",
        "modelyard train housing.yaml --set pipeline.estimator.params.n_estimators=300",
        "modelyard train --name quick --set datasetRef.name=iris --set datasetRef.variant=v1 \\",
        "    --set task=Classification --set target=species --set pipeline.estimator.class=GaussianNB",
        "modelyard train housing.yaml --no-wait -o name",
    )
)
@targeted
@formatted
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="A field of the spec; value in YAML."
)
@click.option(
    "--name",
    default="",
    help="Name of the TrainingJob; with --set one that follows from the spec if left out.",
)
@click.option(
    "--timeout", type=DURATION, default="1h", show_default=True, help="How long to wait for each job."
)
@click.option("--wait/--no-wait", default=True, help="Follow the jobs to their end.")
@click.argument("files", nargs=-1, metavar="[FILE…]", type=click.Path(allow_dash=True))
def train(
    target: Target, *, files: Sequence[str], wait: bool, timeout: float, output: Format, **given: object
) -> int:
    """Train: judge the TrainingJobs of files offline, apply them, follow them and show their metrics.

    What is trained cannot be changed once a job is there. With --set a job of another name is made; the same settings
    give the same name, so that a second call shows the first one's result.
    """
    from modelyard_cli.applying import apply
    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import TRAINING_JOB
    from modelyard_cli.following import usual_look, wait_for
    from modelyard_cli.views.look import State

    wanted = _wanted(files, given)
    ended: list[tuple[Document, Look | None]] = []
    with open_cluster(target) as cluster:
        applied = [apply(cluster, TRAINING_JOB, document) for document in wanted]
        for document in applied:
            name = document["metadata"]["name"]
            look = usual_look(TRAINING_JOB)
            ended.append(wait_for(cluster, TRAINING_JOB, name, look, timeout) if wait else (document, None))
    failed = [(document, look) for document, look in ended if look is not None and look.state is State.FAILED]
    names = [f"trainingjob/{document['metadata']['name']}" for document, _ in ended]
    show(Result([document for document, _ in ended], lambda: drawn(_table(ended)), names), output)
    if failed:
        told = "; ".join(f"{document['metadata']['name']}: {look.line()}" for document, look in failed)
        raise CommandError(f"{len(failed)} of {len(ended)} failed: {told}")
    return Exit.OK


def _wanted(files: Sequence[str], given: dict[str, object]) -> list[Document]:
    """The TrainingJobs that are asked for, all of them judged before the first is applied."""
    from modelyard_cli.applying import documents_of, insist
    from modelyard_cli.cluster.kinds import TRAINING_JOB
    from modelyard_cli.settings import change, name_for

    settings, name = given["settings"], str(given["name"])
    assert isinstance(settings, tuple)  # noqa: S101  of click
    if not files and not settings:
        raise click.UsageError("name a file, or say what to train with --set")
    empty = {"apiVersion": "modelyard.dev/v1alpha1", "kind": TRAINING_JOB.name, "metadata": {}, "spec": {}}
    documents = documents_of(files, TRAINING_JOB) if files else [empty]
    if name and len(documents) > 1:
        raise CommandError(f"--name is for one TrainingJob, and the files have {len(documents)}")
    wanted = [change(document, settings) for document in documents]
    for document in wanted:
        metadata = document.setdefault("metadata", {})
        if name or settings:
            metadata["name"] = name or name_for(document)
        insist(document)
    return wanted


def _table(ended: Sequence[tuple[Document, Look | None]]) -> Table:
    from modelyard_cli.objects import training_job_seen
    from modelyard_cli.views.metrics import row_of_job

    rows = []
    for document, _ in ended:
        row = row_of_job(training_job_seen(document))
        metrics = ", ".join(f"{name}={value:.4g}" for name, value in row.metrics.items())
        rows.append(
            [row.job, row.state, row.data, row.estimator, metrics or "-", row.model or "-", row.run or "-"]
        )
    return Table(["job", "state", "data", "estimator", "metrics", "model", "run"], rows)
