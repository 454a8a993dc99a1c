"""The same rows into Postgres, by everyone: what a load costs with its audit and its digest."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.data.loader import BenchDataset
from tests.bench.data.names import ADBC, ARROW_CSV, MODELYARD, PSQL, PSQL_LATE, TO_SQL, rows_in_words
from tests.bench.data.programs import Ran, run
from tests.bench.data.rows import KEY
from tests.bench.data.stage import Stage, interpreter, package_path
from tests.bench.figures import Figure
from tests.support.loading import mount_credentials

RELATIVE_TO_PSQL = "rate relative to psql \\copy"
RELATIVE_TO_PANDAS = "rate relative to pandas to_sql"
RATE = "rows a second"
_TO_SQL_ROWS = 100_000
_HERE = Path(__file__).parent
_TABLE = "contender"
_PSQL_PROGRAM = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")


@dataclass(frozen=True)
class Rows:
    """The rows in both forms."""

    parquet: Path
    plain: Path
    count: int


Contender = Callable[[Stage, Rows], tuple[Ran, float]]
"""Loads the rows into an empty table; returns the run and its rows a second."""


def case(rows: int) -> str:
    """Name of the case."""
    return f"{rows_in_words(rows)} into Postgres"


def one_round(stage: Stage, rows: Rows, number: int) -> list[Figure]:
    """Every contender once; who goes first changes from one round to the next."""
    names = list(CONTENDERS)
    turn = number % len(names)
    figures: list[Figure] = []
    for name in [*names[turn:], *names[:turn]]:
        stage.make_table(_TABLE)
        ran, rate = CONTENDERS[name](stage, rows)
        figures += [
            Figure(case(rows.count), name, RATE, "", rate),
            Figure(case(rows.count), name, "CPU of the client", "s", ran.processor_seconds),
        ]
    figures.sort(key=lambda figure: names.index(figure.contender))
    return [*figures, *_relative(figures, rows.count)]


def whole_step(stage: Stage, rows: Rows, number: int) -> list[Figure]:
    """A Dataset's first step, from CSV on S3 to rows, ledger, record and a published version."""
    source = stage.upload(rows.plain, f"lake/rows-{rows.count}.csv")
    ran, outcome = BenchDataset(stage, f"whole-{number}", source, rows.count).step()
    if outcome.rows != rows.count:
        raise RuntimeError(f"{outcome.rows} rows were loaded, not {rows.count}")
    figures = [
        ("wall, pod's program from start to end", "s", ran.wall_seconds),
        (RATE, "", rows.count / ran.wall_seconds),
        ("CPU of the loader", "s", ran.processor_seconds),
        ("peak memory of the loader", "MiB", ran.peak_mebibytes),
    ]
    name = f"{rows_in_words(rows.count)}, whole step from CSV on S3"
    return [Figure(name, MODELYARD, figure, unit, value) for figure, unit, value in figures]


def _relative(figures: Sequence[Figure], rows: int) -> list[Figure]:
    rates = {figure.contender: figure.value for figure in figures if figure.figure == RATE}
    pairs = itertools.product(
        (PSQL_LATE, ADBC, ARROW_CSV, MODELYARD), ((RELATIVE_TO_PSQL, PSQL), (RELATIVE_TO_PANDAS, TO_SQL))
    )
    return [Figure(case(rows), name, figure, "", rates[name] / rates[peer]) for name, (figure, peer) in pairs]


def _modelyard(stage: Stage, rows: Rows) -> tuple[Ran, float]:
    program = _HERE / "ours" / "transaction.py"
    place = [str(stage.postgres.port), stage.project.schema]
    argv = [
        interpreter("loader"),
        program,
        rows.parquet,
        *place,
        mount_credentials(stage.directory, stage.project, stage.s3),
    ]
    ran = run(argv, stage.log, env={**stage.environment, "PYTHONPATH": package_path()})
    stage.drop(json.loads(ran.answer)["table"])
    return ran, rows.count / ran.seconds


def _psql(stage: Stage, rows: Rows, *, after: Sequence[str] = ()) -> tuple[Ran, float]:
    copy = f"\\copy {_TABLE} FROM '{rows.plain}' WITH (FORMAT csv, HEADER)"
    commands = [f"--command={command}" for command in (copy, *after)]
    ran = run([*_PSQL_PROGRAM, *commands, stage.url], stage.log, env=stage.environment)
    return ran, rows.count / ran.wall_seconds


def _psql_late(stage: Stage, rows: Rows) -> tuple[Ran, float]:
    stage.make_table(_TABLE, keyed=False)
    return _psql(stage, rows, after=[f'ALTER TABLE {_TABLE} ADD PRIMARY KEY ("{KEY}")'])


def _writer(name: str, url: Callable[[Stage], str], *options: int) -> Contender:
    def load(stage: Stage, rows: Rows) -> tuple[Ran, float]:
        program = _HERE / "writers" / f"{name}.py"
        argv = [interpreter("writers"), program, url(stage), _TABLE, rows.parquet, *map(str, options)]
        ran = run(argv, stage.log, env=stage.environment)
        return ran, min([rows.count, *options]) / ran.seconds

    return load


CONTENDERS: dict[str, Contender] = {
    PSQL: _psql,
    PSQL_LATE: _psql_late,
    TO_SQL: _writer(
        "to_sql", lambda stage: stage.url.replace("postgresql:", "postgresql+psycopg:"), _TO_SQL_ROWS
    ),
    ADBC: _writer("adbc", lambda stage: stage.url),
    ARROW_CSV: _writer("copy_csv", lambda stage: stage.url),
    MODELYARD: _modelyard,
}
