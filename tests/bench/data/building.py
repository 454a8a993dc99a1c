"""The sample's variants of loaded rows, beside a script of one's own that makes the same from and to Parquet."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.bench.data.loader import BenchDataset
from tests.bench.data.names import DUCKDB, MODELYARD, rows_in_words
from tests.bench.data.programs import Ran, run
from tests.bench.data.stage import Stage, interpreter
from tests.bench.figures import Figure
from tests.support.loading import california_variants

RELATIVE = "time relative to the DuckDB script"
_SCRIPT = Path(__file__).parent / "chain" / "script.py"


@dataclass(frozen=True)
class _Built:
    ran: Ran
    rows: list[int]
    """Rows of v2 and v3."""


def case(rows: int) -> str:
    """Name of the case."""
    return f"variants v2 and v3 of {rows_in_words(rows)}"


def one_round(stage: Stage, loaded: BenchDataset, parquet: Path, number: int) -> list[Figure]:
    """Both contenders once, in turn; a recipe of its own each time, so that neither finds what it made before."""
    limit = str(5 - (number + 1) / 1000)
    order = [DUCKDB, MODELYARD] if number % 2 else [MODELYARD, DUCKDB]
    built = {
        name: _by_script(stage, parquet, limit) if name == DUCKDB else _by_loader(loaded, limit)
        for name in order
    }
    ours, peer = built[MODELYARD], built[DUCKDB]
    if ours.rows != peer.rows:
        raise RuntimeError(f"the script made {peer.rows} rows, the loader {ours.rows}")
    name = case(loaded.rows)
    figures = [figure for who in (DUCKDB, MODELYARD) for figure in _figures(name, who, built[who].ran)]
    return [*figures, Figure(name, MODELYARD, RELATIVE, "", ours.ran.seconds / peer.ran.seconds)]


def _figures(case: str, contender: str, ran: Ran) -> list[Figure]:
    figures = [
        ("time, interpreter and imports left out", "s", ran.seconds),
        ("wall of the program", "s", ran.wall_seconds),
        ("CPU of the program", "s", ran.processor_seconds),
        ("peak memory", "MiB", ran.peak_mebibytes),
    ]
    return [Figure(case, contender, figure, unit, value) for figure, unit, value in figures]


def _by_script(stage: Stage, parquet: Path, limit: str) -> _Built:
    ran = run([interpreter("chain"), _SCRIPT, parquet, stage.directory, limit], stage.log)
    return _Built(ran, json.loads(ran.answer)["rows"])


def _by_loader(loaded: BenchDataset, limit: str) -> _Built:
    """An edit of the variants: the rows are those of the load that is committed."""
    ran, outcome = loaded.with_variants(california_variants(limit)).step(1)
    return _Built(ran, [each.rows for each in outcome.variants[1:]])
