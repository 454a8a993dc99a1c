"""`python -m tests.bench.data`: rows into Postgres, steps, variants and Datasets at rest, beside named peers."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bringup.paths import REPOSITORY
from modelyard_api.v1alpha1.sources import FileFormat
from tests.bench.data import building, idle, loading, rows, stepping
from tests.bench.data.goals import judgement
from tests.bench.data.loader import BenchDataset
from tests.bench.data.names import EVERYONE
from tests.bench.data.programs import run
from tests.bench.data.stage import Stage, staged
from tests.bench.figures import Figure, summarise, table, write_between, write_document
from tests.support.loading import california_variants

_BUILD = REPOSITORY / "build" / "bench"
_STEPS_A_ROUND = 2
_PARTS = ("load", "whole", "build", "steps", "idle")


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    rows: int
    many: int
    only: Sequence[str]


def main() -> None:
    """Measures, prints the table, writes the document, and with `--docs` the page."""
    parser = argparse.ArgumentParser(prog="bench data", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=rows.FILE_ROWS, help="a million at most")
    parser.add_argument("--many", type=int, default=10_000_000, help="rows of the large Dataset of the steps")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="what is measured")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    arguments = parser.parse_args()
    if arguments.rows > rows.FILE_ROWS:
        parser.error(f"--rows: at most {rows.FILE_ROWS}")
    extent = Extent(arguments.rounds, arguments.rows, arguments.many, arguments.only)
    summaries = summarise(measure(extent))
    present = {summary.contender for summary in summaries}
    text = table(summaries, [name for name in EVERYONE if name in present])
    sys.stdout.write(f"{text}\n{judgement(summaries, extent.rows, extent.many)}\n")
    write_document(summaries, _BUILD / "data.json")
    if arguments.docs:
        write_between(arguments.docs, "data", text)


def measure(extent: Extent) -> Iterator[Figure]:
    """All that is asked for, one thing after the other."""
    parts: dict[str, Callable[[Stage, Extent], Iterator[Figure]]] = {
        "load": _loads,
        "whole": _whole_steps,
        "build": _builds,
        "steps": _steps,
        "idle": _idle,
    }
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name:
        # The server's own account reads what psql is given, and nobody else writes here.
        directory = Path(name)
        for part, measured in parts.items():
            if part in extent.only:
                with staged(directory / part) as stage:
                    yield from measured(stage, extent)


def _loads(stage: Stage, extent: Extent) -> Iterator[Figure]:
    with _made(stage, extent.rows, plain=True) as made:
        every = loading.Rows(made / "0000.parquet", made / "rows.csv", extent.rows)
        for number in range(extent.rounds):
            _say(f"load, round {number + 1} of {extent.rounds}")
            yield from loading.one_round(stage, every, number)


def _whole_steps(stage: Stage, extent: Extent) -> Iterator[Figure]:
    with _made(stage, extent.rows, plain=True) as made:
        every = loading.Rows(made / "0000.parquet", made / "rows.csv", extent.rows)
        for number in range(extent.rounds):
            _say(f"whole step, round {number + 1} of {extent.rounds}")
            yield from loading.whole_step(stage, every, number)


def _builds(stage: Stage, extent: Extent) -> Iterator[Figure]:
    with _made(stage, extent.rows) as made:
        parquet = made / "0000.parquet"
        key = "lake/rows.parquet"
        loaded = BenchDataset(stage, "built", stage.upload(parquet, key), extent.rows)
        loaded.step()
        for number in range(extent.rounds):
            _say(f"build, round {number + 1} of {extent.rounds}")
            yield from building.one_round(stage, loaded, (parquet, key), number)


def _steps(stage: Stage, extent: Extent) -> Iterator[Figure]:
    count = extent.rounds * _STEPS_A_ROUND
    growing = []
    for loaded in (extent.rows, extent.many):
        _say(f"steps, the first one with {loaded:,} rows")
        total = stepping.source_rows(loaded, count)
        prefix = f"lake/{loaded}"
        with _made(stage, total) as made:
            for file in sorted(made.glob("*.parquet")):
                stage.upload(file, f"{prefix}/{file.name}")
        source = stage.source(f"{prefix}/*.parquet", FileFormat.PARQUET)
        dataset = BenchDataset(stage, f"rows-{loaded}", source, total, california_variants())
        growing.append(stepping.Growing(dataset, loaded))
        yield from growing[-1].first()
    few, many = growing
    _say(f"steps, {count} of {stepping.STEP_ROWS:,} rows on each")
    yield from stepping.steps(few, many, count)
    _say("steps, an edit of the variants of all rows")
    yield from stepping.edited(many, count)


def _idle(stage: Stage, extent: Extent) -> Iterator[Figure]:
    with _made(stage, extent.rows, plain=True) as made:
        _say("at rest, DVC")
        yield from idle.dvc(stage, made / "0000.parquet", extent.rounds)
    _say("at rest, the operator")
    yield from asyncio.run(idle.operator(_BUILD / "logs" / "data-operator"))


@contextmanager
def _made(stage: Stage, count: int, *, plain: bool = False) -> Iterator[Path]:
    """Files with rows, for the time of the block."""
    with tempfile.TemporaryDirectory(prefix="rows-", dir=stage.directory) as name:
        argv = [sys.executable, "-m", rows.__name__, name, "--rows", str(count)]
        run([*argv, "--csv"] if plain else argv, stage.log, cwd=REPOSITORY)
        yield Path(name)


def _say(what: str) -> None:
    print(what, file=sys.stderr)  # noqa: T201  progress, apart from the table


if __name__ == "__main__":
    main()
