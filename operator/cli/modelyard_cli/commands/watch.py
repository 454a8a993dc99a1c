"""``modelyard watch``: a resource followed to its end."""

from __future__ import annotations

import click

from modelyard_cli.completing import resources
from modelyard_cli.durations import DURATION
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, show


@click.command(
    epilog=examples(
        "modelyard watch trainingjob/housing-v1",
        "modelyard watch dataset/california-housing --complete   # until the target is reached",
        "modelyard watch mpr/housing-production --timeout 5m -n demo",
    )
)
@targeted
@formatted
@click.option("--timeout", type=DURATION, default="1h", show_default=True, help="How long to wait at most.")
@click.option("--complete", is_flag=True, help="Wait for a Dataset until nothing more is due by itself.")
@click.argument("resource", metavar="KIND/NAME", shell_complete=resources)
def watch(target: Target, *, resource: str, timeout: float, complete: bool, output: Format) -> int:
    """Follow a resource until it is ready, done or failed.

    A bar on a terminal, a line for every change elsewhere, both on standard error. The resource as it became goes to
    standard output with -o json, yaml or name. Exit code 1 if it failed, 4 if the time is over.
    """
    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import parse_reference
    from modelyard_cli.following import usual_look, wait_for
    from modelyard_cli.views.look import State

    kind, name = parse_reference(resource)
    with open_cluster(target) as cluster:
        document, look = wait_for(cluster, kind, name, usual_look(kind, complete=complete), timeout)
    if look.state is State.FAILED:
        raise CommandError(f"{kind.name.lower()}/{name} failed: {look.line()}")
    if output is not Format.TABLE:
        show(Result(document, lambda: "", [f"{kind.name.lower()}/{name}"]), output)
    return Exit.OK
