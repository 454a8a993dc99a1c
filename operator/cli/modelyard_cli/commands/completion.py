"""``modelyard completion``: the script by which a shell completes commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from modelyard_cli.options import examples

_VARIABLE = "_MODELYARD_COMPLETE"


@click.command(
    epilog=examples(
        "source <(modelyard completion bash)          # in ~/.bashrc",
        "source <(modelyard completion zsh)           # in ~/.zshrc",
        "modelyard completion fish > ~/.config/fish/completions/modelyard.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101  click knows the three
    click.echo(made(context.find_root().command, {}, "modelyard", _VARIABLE).source())
