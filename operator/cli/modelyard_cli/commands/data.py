"""``modelyard data``: Datasets loaded by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.durations import DURATION
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, Table, drawn, show

if TYPE_CHECKING:
    from modelyard_cli.cluster.client import Cluster
    from modelyard_cli.objects import DatasetSeen, Document
    from modelyard_cli.views.look import Look


@click.group(epilog=examples("modelyard data load houses.yaml", "modelyard data load california-housing"))
def data() -> None:
    """Load Datasets."""


@data.command(
    epilog=examples(
        "modelyard data load houses.yaml               # apply, and wait for the versions",
        "modelyard data load california-housing        # one more step of a Dataset that is there",
        "modelyard data load houses.yaml --complete    # until the target is reached",
    )
)
@targeted
@formatted
@click.option("--complete", is_flag=True, help="Wait until nothing more is due by itself.")
@click.option("--timeout", type=DURATION, default="1h", show_default=True, help="How long to wait at most.")
@click.argument("source", metavar="FILE|NAME", shell_complete=names_of("dataset"))
def load(target: Target, *, source: str, complete: bool, timeout: float, output: Format) -> int:
    """Load a Dataset: apply its file, or ask the one of this name for a step now, and wait for the versions.

    A file of a Dataset that is there as it is asks for a step as well.
    """
    from dataclasses import replace

    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import DATASET
    from modelyard_cli.following import wait_for
    from modelyard_cli.objects import dataset_seen
    from modelyard_cli.views.look import State, look_at

    with open_cluster(target) as cluster:
        name, asked = _begin(cluster, source)

        def look_at_load(document: Document) -> Look:
            seen = dataset_seen(document)
            look = look_at(seen, complete=complete)
            load = seen.status.load
            answered = not asked or (load is not None and load.handled_request == asked)
            return look if answered else replace(look, state=State.WORKING)

        document, look = wait_for(cluster, DATASET, name, look_at_load, timeout)
    if look.state is State.FAILED:
        raise CommandError(f"dataset/{name} failed: {look.line()}")
    seen = dataset_seen(document)
    show(Result(document, lambda: drawn(_table(seen)), [f"dataset/{name}"]), output)
    return Exit.OK


def _begin(cluster: Cluster, source: str) -> tuple[str, str]:
    """Name of the Dataset and the request that was made; empty where a step comes by itself."""
    from pathlib import Path

    from modelyard_cli.applying import apply, documents_of, insist
    from modelyard_cli.cluster.kinds import DATASET

    if not Path(source).is_file() and source != "-":
        name = source.removeprefix("dataset/").removeprefix("mds/")
        cluster.read(DATASET, name)
        return name, _ask(cluster, name)
    documents = documents_of([source], DATASET)
    if len(documents) > 1:
        raise CommandError(f"{source} has {len(documents)} Datasets", "Load one at a time")
    insist(documents[0])
    name = documents[0]["metadata"]["name"]
    before = cluster.find(DATASET, name)
    after = apply(cluster, DATASET, documents[0])
    same = before is not None and before["metadata"]["generation"] == after["metadata"]["generation"]
    loaded = before is not None and bool(before.get("status", {}).get("load", {}).get("sequence"))
    return name, _ask(cluster, name) if same and loaded else ""


def _ask(cluster: Cluster, name: str) -> str:
    """Asks for a step, in the name of whoever is signed in, and returns the request."""
    from datetime import UTC, datetime

    from modelyard_api.labels import LOAD_NOW, REQUESTED_BY
    from modelyard_cli.cluster.kinds import DATASET

    request = datetime.now(UTC).isoformat(timespec="milliseconds")
    annotations = {LOAD_NOW: request, REQUESTED_BY: cluster.who_am_i()}
    cluster.merge(DATASET, name, {"metadata": {"annotations": annotations}})
    return request


def _table(seen: DatasetSeen) -> Table:
    rows = [
        [variant.name, str(variant.sequence), f"{variant.rows:,}", str(variant.columns), variant.digest]
        for variant in seen.status.variants
    ]
    return Table(
        ["variant", "load", "rows", "columns", "digest"], rows, frozenset({"load", "rows", "columns"})
    )
