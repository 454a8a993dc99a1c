"""``kubectl_complete-modelyard``: what kubectl asks when it completes ``kubectl modelyard``."""

from __future__ import annotations

import sys

from click.shell_completion import ShellComplete

from modelyard_cli.app import modelyard

_NO_FILES = 4
_FILES = 0


def main() -> None:
    """Prints one completion a line, then what kubectl shall do about files."""
    *words, incomplete = sys.argv[1:] or [""]
    for line in answer(words, incomplete):
        sys.stdout.write(f"{line}\n")


def answer(words: list[str], incomplete: str) -> list[str]:
    """The lines for a command line of which the last word is not complete."""
    completion = ShellComplete(modelyard, {}, "kubectl modelyard", "_MODELYARD_COMPLETE")
    found = completion.get_completions(words, incomplete)
    lines = [
        f"{item.value}\t{item.help}" if item.help else item.value for item in found if item.type == "plain"
    ]
    files = any(item.type in {"file", "dir"} for item in found)
    return [*lines, f":{_FILES if files else _NO_FILES}"]
