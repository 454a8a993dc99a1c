"""Names for the shell's completion: kinds at once, objects as kubectl lists them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_KINDS = {"dataset": "datasets", "trainingjob": "trainingjobs", "modelpromotion": "modelpromotions"}
_SHORT = {"mds": "dataset", "mtj": "trainingjob", "mpr": "modelpromotion"}
_SECONDS = 5


def resources(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """``KIND/NAME``: the kinds first, then the names of one."""
    del parameter
    kind, slash, start = incomplete.partition("/")
    if not slash:
        return [CompletionItem(f"{known}/") for known in _KINDS if known.startswith(kind)]
    names = _names(context, _KINDS.get(_SHORT.get(kind, kind), ""))
    return [CompletionItem(f"{kind}/{name}") for name in names if name.startswith(start)]


def names_of(kind: str) -> Complete:
    """Names of the objects of one kind."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del parameter
        return [CompletionItem(name) for name in _names(context, _KINDS[kind]) if name.startswith(incomplete)]

    return complete


def _names(context: click.Context, plural: str) -> list[str]:
    """Names in the namespace of the command line so far; none where kubectl cannot say."""
    if not plural:
        return []
    given = {option: context.params.get(option) for option in ("namespace", "context", "kubeconfig")}
    options = [f"--{option}={value}" for option, value in given.items() if value]
    argv = ["kubectl", "get", f"{plural}.modelyard.dev", "--output=name", "--request-timeout=3s", *options]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.rpartition("/")[2] for line in done.stdout.splitlines()]
