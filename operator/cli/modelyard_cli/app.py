"""The commands by name. A module is imported when its command runs; help needs its line here alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True)
class Entry:
    """A command of a group."""

    name: str
    module: str
    """Module of ``modelyard_cli.commands`` that has it."""
    attribute: str
    summary: str


COMMANDS = (
    Entry(
        "validate",
        "validate",
        "validate",
        "Check files offline, in the words of the API server and the operator",
    ),
    Entry("train", "train", "train", "Apply TrainingJobs, follow them, show their metrics"),
    Entry("data", "data", "data", "Load Datasets"),
    Entry("models", "models", "models", "List models and put versions in charge"),
    Entry("watch", "watch", "watch", "Follow a resource until it is ready, done or failed"),
    Entry("logs", "logs", "logs", "Print what the pods of a resource write"),
    Entry("metrics", "metrics", "metrics", "List runs with their data, metrics and model versions"),
    Entry("compare", "compare", "compare", "Put the metrics of runs side by side, the best first"),
    Entry("diff", "diff", "diff", "Show what changed between two runs, and its effect on the metrics"),
    Entry("replay", "replay", "replay", "Make a run again and say whether it came out the same"),
    Entry("plot", "plot", "plot", "Draw a metric over runs in the terminal"),
    Entry("cache", "cache", "cache", "Ask whether earlier runs would be taken, and if not, why"),
    Entry("tree", "tree", "tree", "Show rows, versions, training jobs, promotions and pods in one view"),
    Entry("completion", "completion", "completion", "Print the completion script of a shell"),
)


class LazyGroup(click.Group):
    """A group that imports a command's module only when it is used."""

    def __init__(self, entries: Sequence[Entry], **options: Any) -> None:  # noqa: ANN401  those of click
        super().__init__(**options)
        self._entries = {entry.name: entry for entry in entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the registry."""
        del ctx
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; None where there is none of this name."""
        del ctx
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(f"modelyard_cli.commands.{entry.module}"), entry.attribute)
        assert isinstance(command, click.Command)  # noqa: S101  the registry says so
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the registry."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.summary) for entry in self._entries.values()])


def _say_version(context: click.Context, option: click.Parameter, asked: bool) -> None:  # noqa: FBT001  of click
    """Prints the installed version and ends; a checkout has none."""
    del option
    if not asked or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"modelyard {version('modelyard')}")
    except PackageNotFoundError:
        click.echo("modelyard, from a checkout")
    context.exit()


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 yes, 1 no or failed, 2 wrong usage, 3 cluster or MLflow unavailable, 4 timed out.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version.",
)
def modelyard() -> None:
    """Check, train, follow, compare and promote models of Modelyard.

    The cluster is reached through kubectl, with the same kubeconfig, contexts and sign-in.
    """
