"""Results on standard output: a table for people, the same as JSON, YAML or names for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from modelyard_cli.options import Format

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDE = 500
"""Columns where the output is no terminal, so that a pipe gets whole lines."""


@dataclass(frozen=True)
class Table:
    """Rows of text under headings, as kubectl prints them."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[str] = frozenset()
    """Headings of columns of numbers."""
    names: frozenset[str] = frozenset()
    """Headings that are names of things, and so are shown as they are."""
    styles: Mapping[str, str] = field(default_factory=dict)
    """How cells of these texts are drawn."""


@dataclass(frozen=True)
class Result:
    """One result in every form."""

    document: object
    """What JSON and YAML show."""
    show: Callable[[], RenderableType]
    """What a person sees; called for that alone, since it imports what draws."""
    names: Sequence[str] = field(default=())
    """What ``-o name`` prints, one a line."""


def show(result: Result, output: Format) -> None:
    """Prints a result in the form that was asked for."""
    match output:
        case Format.JSON:
            click.echo(json.dumps(result.document, indent=2, ensure_ascii=False))
        case Format.YAML:
            import yaml

            click.echo(
                yaml.safe_dump(result.document, sort_keys=False, allow_unicode=True, width=120), nl=False
            )
        case Format.NAME:
            for name in result.names:
                click.echo(name)
        case Format.TABLE:
            console().print(result.show())


def console(*, error: bool = False) -> Console:
    """A terminal that draws in its width and colours; a pipe gets plain whole lines."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def drawing_size() -> tuple[int, int]:
    """Columns and lines for a chart: those of the terminal, as far as charts gain by it."""
    found = shutil.get_terminal_size((100, 30))
    return min(found.columns, 140), max(12, min(found.lines - 4, 30))


def figure(value: float) -> str:
    """A number in a column of such: four digits, also where they are zeros at the end."""
    return f"{value:#.4g}".rstrip(".")


def shortened(text: str, room: int) -> str:
    """A text without its middle where there is no room for it: names of a kind differ at their ends."""
    if len(text) <= room:
        return text
    head = (room - 1) // 2
    return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"


def drawn(table: Table) -> RenderableType:
    """The table for a console."""
    from rich.table import Table as Drawing
    from rich.text import Text

    drawing = Drawing(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in table.headings:
        title = heading if heading in table.names else heading.upper()
        drawing.add_column(title, justify="right" if heading in table.right else "left", overflow="fold")
    for row in table.rows:
        drawing.add_row(*(Text(cell, style=table.styles.get(cell, "")) for cell in row))
    return drawing
