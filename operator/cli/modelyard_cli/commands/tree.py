"""``modelyard tree``: what was made from what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree

    from modelyard_cli.views.tree import Node

_MARKS = {"ok": ("✔", "green"), "failed": ("✘", "red"), "waiting": ("…", "yellow")}


@click.command(
    epilog=examples("modelyard tree", "modelyard tree california-housing -n demo", "modelyard tree -o json")
)
@targeted
@formatted
@click.argument("dataset", required=False, shell_complete=names_of("dataset"))
def tree(target: Target, *, dataset: str | None, output: Format) -> int:
    """Show rows, versions, training jobs, promotions and serving pods in one view."""
    from modelyard_api.labels import PROMOTION
    from modelyard_cli import objects
    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import DATASET, POD, TRAINING_JOB
    from modelyard_cli.cluster.kinds import PROMOTION as PROMOTIONS
    from modelyard_cli.views.tree import Namespace, grow, only

    with open_cluster(target) as cluster:
        seen = Namespace(
            [objects.dataset_seen(item) for item in cluster.items(DATASET)],
            [objects.training_job_seen(item) for item in cluster.items(TRAINING_JOB)],
            [objects.promotion_seen(item) for item in cluster.items(PROMOTIONS)],
            cluster.items(POD, PROMOTION),
        )
        namespace = cluster.namespace
    if dataset is not None:
        if dataset not in {item.name for item in seen.datasets}:
            raise CommandError(f"the namespace {namespace} has no Dataset {dataset}")
        seen = only(seen, dataset)
    nodes = grow(seen)
    names = [f"{node.kind.lower()}/{node.name}" for node in _all(nodes) if node.kind != "Version"]
    show(Result([node.document() for node in nodes], lambda: _drawn(nodes, namespace), names), output)
    return Exit.OK


def _all(nodes: Sequence[Node]) -> list[Node]:
    return [found for node in nodes for found in (node, *_all(node.children))]


def _drawn(nodes: Sequence[Node], namespace: str) -> RenderableType:
    from rich.text import Text
    from rich.tree import Tree

    if not nodes:
        return Text(f"the namespace {namespace} has no resources of Modelyard")
    root = Tree(Text(f"namespace {namespace}", style="dim"), guide_style="dim")
    for node in nodes:
        _hang(root, node)
    return root


def _hang(place: Tree, node: Node) -> None:
    branch = place.add(_label(node))
    for child in node.children:
        _hang(branch, child)


def _label(node: Node) -> Text:
    from rich.text import Text

    mark, colour = _MARKS.get(node.state, ("", ""))
    label = Text().append(f"{mark} " if mark else "", style=colour)
    return (
        label.append(f"{node.kind} ", style="dim")
        .append(node.name, style="bold")
        .append(f"  {node.text}", style="")
    )
