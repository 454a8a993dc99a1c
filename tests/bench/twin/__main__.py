"""`python -m tests.bench.twin`: one row, asked of the model and of its compiled program in turn; what has none, and why."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bringup.paths import REPOSITORY
from modelyard_api.catalog.model import Kind
from modelyard_api.contract.bundle import Certificate
from modelyard_runtime.twin import Program, certified, load
from tests.bench.figures import Figure, shown, summarise, write_between, write_document
from tests.bench.twin.cases import Case, classes, real

_BUILD = REPOSITORY / "build" / "bench"
_MODEL, _PROGRAM = "the library", "compiled"
_FIGURE = "one row"
_SLICE_SECONDS = 0.02
"""Time of one contender before it is the other's turn, so that both meet the same noise."""


def main() -> None:
    """Measures, prints the tables, writes the document, and with `--docs` the page."""
    parser = argparse.ArgumentParser(prog="bench twin", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--real-only", action="store_true", help="leave out the classes of the catalog")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        text = _table("model", ((case.name, case) for case in real()), arguments.rounds, figures)
        if not arguments.real_only:
            of_estimators = frozenset({Kind.REGRESSOR, Kind.CLASSIFIER})
            for title, kinds in (("transformer", {Kind.TRANSFORMER}), ("estimator", of_estimators)):
                text += "\n" + _table(title, classes(frozenset(kinds)), arguments.rounds, figures)
    sys.stdout.write(text)
    write_document(summarise(figures), _BUILD / "twin.json")
    if arguments.docs:
        write_between(arguments.docs, "twin", text)


def _table(title: str, cases: Iterable[tuple[str, Case | None]], rounds: int, figures: list[Figure]) -> str:
    lines = [
        f"| {title} | compiled | the library, µs | program, µs | times | greatest difference |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    count = used = 0
    for name, case in cases:
        if case is None:
            continue
        print(f"{title}: {name}", file=sys.stderr)  # noqa: T201  progress, apart from the table
        found, certificate = certified(case.model, case.rows)
        program = None if found is None else load(found.dump())
        own = _measured(case, program, rounds)
        figures += own
        cells = {summary.contender: summary for summary in summarise(own)}
        said = "yes" if certificate.used else certificate.reason
        lines.append(
            f"| {name} | {said} | {_cells(cells[_MODEL].median, cells.get(_PROGRAM), certificate)} |"
        )
        count, used = count + 1, used + certificate.used
    return "\n".join(lines) + f"\n\n{used} of {count} compiled.\n"


def _cells(model: float, program: object, certificate: Certificate) -> str:
    if program is None:
        return f"{shown(round(model))} | | | "
    median: float = getattr(program, "median")  # noqa: B009
    return (
        f"{shown(round(model))} | {shown(median)} | {shown(round(model / median))} | {certificate.max_delta}"
    )


def _measured(case: Case, program: Program | None, rounds: int) -> list[Figure]:
    rows = [case.rows[at : at + 1] for at in range(len(case.rows))]
    asked: dict[str, Callable[[np.ndarray], object]] = {_MODEL: case.model.predict}
    if program is not None:
        asked[_PROGRAM] = program.predict
    found = []
    for _ in range(rounds):
        for contender, ask in asked.items():
            found.append(Figure(case.name, contender, _FIGURE, "µs", _once(ask, rows) * 1e6))
    return found


def _once(ask: Callable[[np.ndarray], object], rows: list[np.ndarray]) -> float:
    """CPU seconds of one row, different ones in turn. Nothing here waits, so on an idle machine they are those of a clock."""
    start, count = time.process_time(), 0
    while time.process_time() < start + _SLICE_SECONDS:
        for row in rows[:: max(1, len(rows) // 50)]:
            ask(row)
            count += 1
    return (time.process_time() - start) / count


if __name__ == "__main__":
    main()
