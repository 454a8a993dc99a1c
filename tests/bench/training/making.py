"""Rows as a version that the trainer reads and as files that a script reads: the same rows on the same sides.

A program of its own, since a program that the benchmark starts begins with the benchmark's own memory: `python -m
tests.bench.training.making houses|rows DIRECTORY` with the place of the store in the environment. It answers with the
published version; the directory's files are `houses.parquet`, `train.parquet`, `test.parquet` and `plan.json`, or
`rows.parquet`.
"""

import itertools
import json
import os
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from bringup.paths import REPOSITORY
from modelyard_api.contract.steps import S3Endpoint
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.credentials import Login
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.split import held_out
from tests.bench.data.rows import made
from tests.bench.training.names import FOLDS, SEED
from tests.support.training import publish

KEY = "id"
HOUSES_TARGET = ROWS_TARGET = "MedHouseVal"
GRID = {
    "n_estimators": (100, 150, 200, 250, 300),
    "num_leaves": (15, 30, 45, 60),
    "min_child_samples": (10, 20, 30),
}
"""Sixty combinations."""
_HOUSES = (
    REPOSITORY / "images" / "loader" / "modelyard_loader" / "sources" / "data" / "california_housing.csv.gz"
)
_NUMBERS = ("AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude", ROWS_TARGET)
"""Columns that are numbers in every row."""
STORE, USER, PASSWORD = "BENCH_STORE", "BENCH_STORE_USER", "BENCH_STORE_PASSWORD"


def combinations() -> list[dict[str, int]]:
    """Each once."""
    return [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]


def houses(directory: Path) -> pa.Table:
    """California's houses, and for a script both sides of the split and the plan."""
    table = pyarrow.csv.read_csv(_HOUSES)
    table = table.add_column(0, KEY, pa.array(range(1, table.num_rows + 1)))
    split = Split()
    is_test = pa.array(held_out(table, [KEY], split))
    pq.write_table(table, directory / "houses.parquet")
    plain = table.drop_columns([KEY])
    pq.write_table(plain.filter(pc.invert(is_test)), directory / "train.parquet")
    pq.write_table(plain.filter(is_test), directory / "test.parquet")
    plan = {"folds": FOLDS, "split_seed": split.seed, "seed": SEED, "grid": combinations()}
    (directory / "plan.json").write_text(json.dumps(plan))
    return table


def rows(directory: Path, count: int) -> pa.Table:
    """Made rows of numbers alone, and the same as a file."""
    table = made(1, count).select([KEY, *_NUMBERS])
    pq.write_table(table, directory / "rows.parquet", compression="zstd")
    return table


def main() -> None:
    """Makes and publishes what is asked for, and says which version it is."""
    what, directory, *count = sys.argv[1:]
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    table = houses(place) if what == "houses" else rows(place, int(count[0]))
    endpoint = S3Endpoint.model_validate_json(os.environ[STORE])
    store = ObjectStore(endpoint, Login(os.environ[USER], os.environ[PASSWORD]))
    version = publish(store, table, key=[KEY], dataset=what)
    sys.stdout.write(version.model_dump_json(by_alias=True))


if __name__ == "__main__":
    main()
