"""``modelyard validate``: files judged without a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from modelyard_cli.errors import Exit
from modelyard_cli.options import Format, examples, formatted
from modelyard_cli.output import Result, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from modelyard_cli.validation.documents import Document


@dataclass(frozen=True)
class Problem:
    """A fault and where it stands."""

    line: int
    message: str


@dataclass(frozen=True)
class Checked:
    """What became of one document of a file."""

    file: str
    line: int
    kind: str
    name: str
    result: str
    """valid, invalid or skipped."""
    problems: tuple[Problem, ...] = ()

    @property
    def title(self) -> str:
        """The resource in one word."""
        return f"{self.kind.lower() or 'document'}/{self.name}" if self.name else self.kind or "document"


@click.command(
    epilog=examples(
        "modelyard validate housing.yaml",
        "modelyard validate manifests/samples          # every file of a folder",
        "helm template chart | modelyard validate -    # standard input",
        "modelyard validate . -o json | jq '.[] | select(.result == \"invalid\")'",
    )
)
@formatted
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(allow_dash=True))
def validate(files: Sequence[str], output: Format) -> int:
    """Check files of resources offline.

    The schemas and rules are those of the API server, the catalog of classes and parameters is that of the
    operator; both say what they would say to `kubectl apply`. Other kinds are left alone. Exit code 1 if a file has
    a fault.
    """
    from modelyard_cli.validation.documents import read_files

    now = datetime.now(UTC)
    checked = [_check(document, now) for document in read_files(files)]
    names = [item.title for item in checked if item.result == "invalid"]
    show(Result([asdict(item) for item in checked], lambda: _drawn(checked), names), output)
    return Exit.NO if any(item.result == "invalid" for item in checked) else Exit.OK


def _check(document: Document, now: datetime) -> Checked:
    from modelyard_cli.validation.judge import judge

    unreadable = document.content == {} and bool(document.faults)
    verdict = judge(document.content, now) if document.is_resource and not unreadable else None
    problems = [Problem(line, text) for line, text in document.faults]
    if verdict is not None:
        sentences = [(fault.field, fault.sentence()) for fault in verdict.faults]
        problems += [Problem(document.line(_place(field, text)), text) for field, text in sentences]
    result = "invalid" if problems else "valid" if verdict is not None and verdict.known else "skipped"
    kind, name = (verdict.kind, verdict.name) if verdict is not None else ("", "")
    ordered = tuple(sorted(set(problems), key=lambda problem: (problem.line, problem.message)))
    return Checked(document.source, document.line(""), kind, name, result, ordered)


def _place(field: str, text: str) -> str:
    """Path of the field that a fault is about; the operator's sentences begin with it."""
    first = text.split(": ", 1)[0].split(" = ", 1)[0]
    return field or (first if first.startswith("spec.") else "")


def _drawn(checked: Sequence[Checked]) -> RenderableType:
    from rich.text import Text

    return Text("\n").join(Text.assemble(*line) for line in _lines(checked))


def _lines(checked: Sequence[Checked]) -> Iterator[list[tuple[str, str]]]:
    style = {"valid": "green", "invalid": "red bold", "skipped": "dim"}
    for item in checked:
        yield [(f"{item.file}:{item.line}: {item.title} ", ""), (item.result, style[item.result])]
        for problem in item.problems:
            yield [(f"  {item.file}:{problem.line}: ", "dim"), (problem.message, "")]
    counts = {result: sum(item.result == result for item in checked) for result in style}
    yield [
        (
            ", ".join(f"{count} {result}" for result, count in counts.items() if count) or "nothing to check",
            "",
        )
    ]
