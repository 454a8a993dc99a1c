"""Starts the command line, under the name that it was called by."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from modelyard_cli.app import modelyard
from modelyard_cli.errors import CommandError, Exit

COMPLETE_VARIABLE = "_MODELYARD_COMPLETE"


def main() -> None:
    """Runs one command and ends the process with its exit code."""
    name = "kubectl modelyard" if Path(sys.argv[0]).name == "kubectl-modelyard" else "modelyard"
    sys.exit(run(sys.argv[1:], name))


def run(words: list[str], name: str = "modelyard") -> int:
    """The exit code of one command line; errors go to standard error as one sentence."""
    try:
        code = modelyard.main(words, prog_name=name, complete_var=COMPLETE_VARIABLE, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CommandError as error:
        click.echo(f"error: {error}", err=True)
        return error.code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        sys.stderr.close()
        return Exit.OK
    return code if isinstance(code, int) else Exit.OK


if __name__ == "__main__":
    main()
