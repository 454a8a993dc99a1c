"""The sample's variants of loaded rows, beside a script of one's own that makes the same from and to Parquet.

The script runs twice: from and to S3, as the loader does it, and from one local file to others.
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.data.loader import BenchDataset
from tests.bench.data.names import DUCKDB, DUCKDB_S3, MODELYARD, rows_in_words
from tests.bench.data.programs import Ran, run
from tests.bench.data.stage import Stage, interpreter
from tests.bench.figures import Figure
from tests.support.loading import california_variants
from tests.support.s3 import BUCKET

RELATIVE = {
    DUCKDB_S3: "time relative to the DuckDB script, S3",
    DUCKDB: "time relative to the DuckDB script",
}
_SCRIPT = Path(__file__).parent / "chain" / "script.py"


@dataclass(frozen=True)
class _Built:
    ran: Ran
    rows: list[int]
    """Rows of v2 and v3."""


def case(rows: int) -> str:
    """Name of the case."""
    return f"variants v2 and v3 of {rows_in_words(rows)}"


def one_round(stage: Stage, loaded: BenchDataset, rows: tuple[Path, str], number: int) -> list[Figure]:
    """Every contender once, in turn; a recipe of its own each time, so that none finds what it made before.

    ``rows`` are a file, and the object of the store with the same bytes.
    """
    limit = str(5 - (number + 1) / 1000)
    file, key = rows
    contenders = {
        MODELYARD: partial(_by_loader, loaded, limit),
        DUCKDB_S3: partial(_by_script, stage, key, limit, stage.s3.url, BUCKET, f"script/{number}"),
        DUCKDB: partial(_by_script, stage, file, limit),
    }
    names = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
    built = {name: contenders[name]() for name in names}
    ours = built[MODELYARD]
    for name, peer in built.items():
        if ours.rows != peer.rows:
            raise RuntimeError(f"{name} made {peer.rows} rows, the loader {ours.rows}")
    title = case(loaded.rows)
    figures = [figure for who in contenders for figure in _figures(title, who, built[who].ran)]
    relations = [
        Figure(title, MODELYARD, relative, "", ours.ran.seconds / built[peer].ran.seconds)
        for peer, relative in RELATIVE.items()
    ]
    return [*figures, *relations]


def _figures(case: str, contender: str, ran: Ran) -> list[Figure]:
    figures = [
        ("time, interpreter and imports left out", "s", ran.seconds),
        ("wall of the program", "s", ran.wall_seconds),
        ("CPU of the program", "s", ran.processor_seconds),
        ("peak memory", "MiB", ran.peak_mebibytes),
    ]
    return [Figure(case, contender, figure, unit, value) for figure, unit, value in figures]


def _by_script(stage: Stage, source: Path | str, limit: str, *place: str) -> _Built:
    argv = [interpreter("chain"), _SCRIPT, source, stage.directory, limit, *place]
    ran = run(argv, stage.log, env={**stage.environment, **stage.s3_environment})
    return _Built(ran, json.loads(ran.answer)["rows"])


def _by_loader(loaded: BenchDataset, limit: str) -> _Built:
    """An edit of the variants: the rows are those of the load that is committed."""
    ran, outcome = loaded.with_variants(california_variants(limit)).step(1)
    return _Built(ran, [each.rows for each in outcome.variants[1:]])
