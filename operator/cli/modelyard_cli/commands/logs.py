"""``modelyard logs``: what the pods of a resource write."""

from __future__ import annotations

import click

from modelyard_cli.completing import resources
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Target, examples, targeted


@click.command(
    epilog=examples(
        "modelyard logs trainingjob/housing-v1 -f",
        "modelyard logs dataset/california-housing --tail 20",
        "modelyard logs mpr/housing-production --all",
    )
)
@targeted
@click.option("-f", "--follow", is_flag=True, help="Go on until the pod ends.")
@click.option("--tail", type=click.IntRange(min=0), default=None, help="Only the last lines.")
@click.option("--all", "every", is_flag=True, help="All pods, each line with its pod, not only the latest.")
@click.argument("resource", metavar="KIND/NAME", shell_complete=resources)
def logs(target: Target, *, resource: str, follow: bool, tail: int | None, every: bool) -> int:
    """Print what the latest pod of a resource writes.

    Of a Dataset that is the latest step's, of a TrainingJob the latest attempt's, of a ModelPromotion a server's.
    """
    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import POD, parse_reference
    from modelyard_cli.views.pods import of_resource

    if follow and every:
        raise click.UsageError("--follow is for one pod: leave --all out")
    kind, name = parse_reference(resource)
    with open_cluster(target) as cluster:
        cluster.read(kind, name)
        pods = of_resource(cluster.items(POD, f"{kind.label}={name}"))
        if not pods:
            raise CommandError(f"{resource} has no pods", "Pods of ended work are removed after a while")
        for pod in pods if every else pods[:1]:
            for line in cluster.log_lines(pod.name, pod.container, follow=follow, tail=tail):
                click.echo(f"[{pod.name}] {line}" if every else line)
    return Exit.OK
