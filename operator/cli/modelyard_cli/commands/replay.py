"""``modelyard replay``: a run made again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from modelyard_cli.completing import names_of
from modelyard_cli.durations import DURATION
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, show
from modelyard_cli.secrets import SECRET, SecretVariable


@click.command(
    epilog=examples(
        "modelyard replay housing-v3",
        "modelyard replay 5d1f0c… -o json",
        "modelyard replay housing-v3 --name housing-v3-after-upgrade",
        "modelyard replay own-code --secret HUB_TOKEN=hub/token",
    )
)
@targeted
@formatted
@click.option(
    "--name",
    default="",
    help="Name of the TrainingJob that does it; made of the run's and the time if left out.",
)
@click.option("--timeout", type=DURATION, default="1h", show_default=True, help="How long to wait at most.")
@click.option(
    "--secret",
    "secrets",
    type=SECRET,
    multiple=True,
    help="A variable that own code had from a Secret, and the Secret and key that it is in; once for each.",
)
@click.argument("run", metavar="RUN", shell_complete=names_of("trainingjob"))
def replay(
    target: Target,
    *,
    run: str,
    name: str,
    timeout: float,
    secrets: Sequence[SecretVariable],
    output: Format,
) -> int:
    """Make a run again, from the same rows with the same seeds, and compare what comes of it.

    A RUN is a TrainingJob, also one that is gone, or the id of a run in MLflow. Exit code 0 if rows, environment,
    predictions, metrics and model are the same, 1 if something differs.

    Own code gets its variables from its run, but those that came from a Secret have to be named again: a record in MLflow
    does not decide which Secrets a container gets.
    """
    from modelyard_cli.cluster.kinds import TRAINING_JOB
    from modelyard_cli.following import usual_look, wait_for
    from modelyard_cli.tracking.finding import find_runs, opened
    from modelyard_cli.views.look import State
    from modelyard_cli.views.replaying import new_replay, reproduced

    with opened(target) as (cluster, tracking):
        (known,) = find_runs(cluster, tracking, [run])
        document = new_replay(known, name, datetime.now(UTC), secrets)
        made = document["metadata"]["name"]
        cluster.apply(TRAINING_JOB, document)
        ended, look = wait_for(cluster, TRAINING_JOB, made, usual_look(TRAINING_JOB), timeout)
    if look.state is State.FAILED:
        raise CommandError(f"trainingjob/{made} failed: {look.line()}")
    same, words = reproduced(ended)
    show(Result(ended, lambda: f"{run}: {words}", [f"trainingjob/{made}"]), output)
    return Exit.OK if same else Exit.NO
