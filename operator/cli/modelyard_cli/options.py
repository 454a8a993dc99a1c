"""Options that many commands share, spelled as kubectl spells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Target:
    """Which cluster and namespace is meant; empty where kubectl's own settings decide."""

    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def targeted(command: Function) -> Function:
    """Adds the options that say which cluster and namespace; the command gets a Target as its first argument."""

    @wraps(command)
    def collected(*, namespace: str, context: str, kubeconfig: str, **others: object) -> object:
        return command(Target(namespace, context, kubeconfig), **others)

    options = (
        click.option("-n", "--namespace", default="", help="Namespace; the context's if left out."),
        click.option("--context", default="", help="Context of the kubeconfig; the current one if left out."),
        click.option("--kubeconfig", default="", help="Kubeconfig file; as kubectl finds it if left out."),
    )
    decorated: Any = collected
    for option in reversed(options):
        decorated = option(decorated)
    result: Function = decorated
    return result


def formatted(command: Function) -> Function:
    """Adds ``-o``; the command gets it as ``output``."""
    decorated: Function = click.option(
        "-o",
        "--output",
        type=click.Choice([str(item) for item in Format]),
        default=str(Format.TABLE),
        show_default=True,
        callback=lambda _context, _option, value: Format(value),
        help="How the result is printed.",
    )(command)
    return decorated


def examples(*lines: str) -> str:
    """An epilog that shows commands as they are typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
