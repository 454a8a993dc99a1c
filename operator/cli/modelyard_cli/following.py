"""Waiting for a resource: a bar on a terminal, a line for every change elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click

from modelyard_cli.cluster.client import Cluster
from modelyard_cli.cluster.kinds import Kind
from modelyard_cli.errors import TimeoutPassedError
from modelyard_cli.objects import READERS, Document
from modelyard_cli.output import console
from modelyard_cli.views.look import Look, State, look_at

LookAt = Callable[[Document], Look]


class Shows(Protocol):
    """Something that shows how far a resource is."""

    def __call__(self, look: Look) -> None:
        """Takes the latest."""


def usual_look(kind: Kind, *, complete: bool = False) -> LookAt:
    """How a resource of a kind stands by itself; ``complete`` is for Datasets."""
    return lambda document: look_at(READERS[kind.name](document), complete=complete)


def wait_for(cluster: Cluster, kind: Kind, name: str, look: LookAt, seconds: float) -> tuple[Document, Look]:
    """Follows a resource to its end, showing how far it is, and returns what it became.

    Raises TimeoutPassedError with the last state where the time is over first.
    """
    last = Look(State.WORKING, "Pending", "")
    with _shown(f"{kind.name.lower()}/{name}") as show:
        try:
            for document in cluster.follow(kind, name, seconds):
                last = look(document)
                show(last)
                if last.state is not State.WORKING:
                    return document, last
        except TimeoutPassedError as error:
            raise TimeoutPassedError(
                f"{kind.name.lower()}/{name} is not there yet after {seconds:g} s: {last.line()}"
            ) from error
    raise AssertionError("a watch has no end of its own")


@contextmanager
def _shown(title: str) -> Iterator[Shows]:
    """Standard error, so that a result on standard output stays one document."""
    if sys.stderr.isatty():
        with _bar(title) as show:
            yield show
        return
    said = ""

    def line(look: Look) -> None:
        nonlocal said
        share = f" {look.fraction:.0%}" if look.fraction is not None else ""
        text = f"{title} {look.state}{share}: {look.line()}"
        if text != said:
            click.echo(text, err=True)
        said = text

    yield line


@contextmanager
def _bar(title: str) -> Iterator[Shows]:
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}", markup=False),
    )
    with Progress(*columns, console=console(error=True)) as progress:
        task = progress.add_task(title, total=None, said="")

        def move(look: Look) -> None:
            ended = look.state is not State.WORKING
            total = 1.0 if look.fraction is not None or ended else None
            done = 1.0 if ended else look.fraction or 0.0
            progress.update(task, total=total, completed=done, said=look.line())

        yield move
