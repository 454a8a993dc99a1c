"""The rows that are loaded: 12 columns like those of a table of houses, any part of them made by itself.

`python -m tests.bench.data.rows DIRECTORY --rows N` writes Parquet files of at most a million rows, and with `--csv` the
same rows as CSV. Digits are as many as in the California data set, so that CSV is as long as real CSV.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

FILE_ROWS = 1_000_000
KEY = "id"
COLUMNS = {
    KEY: "bigint",
    "MedInc": "double precision",
    "AveRooms": "double precision",
    "AveBedrms": "double precision",
    "Population": "double precision",
    "AveOccup": "double precision",
    "Latitude": "double precision",
    "Longitude": "double precision",
    "MedHouseVal": "double precision",
    "district": "text",
    "title": "text",
    "coastal": "boolean",
}
"""Name and type of each column in Postgres."""

_DISTRICTS = 58
_MISSING = 0.01


def made(first: int, count: int) -> pa.Table:
    """Rows `first` to `first + count - 1`; the same ones whenever they are asked for in files of one size."""
    random = np.random.default_rng([11, first])
    income = np.round(random.gamma(3.0, 1.3, count), 4)
    rooms = random.gamma(6.0, 0.9, count)
    numbers = random.integers(0, 10_000_000, count)
    districts = np.array([f"district {number:02d}" for number in range(_DISTRICTS)])
    values = {
        KEY: np.arange(first, first + count, dtype=np.int64),
        "MedInc": pa.array(income, mask=random.random(count) < _MISSING),
        "AveRooms": rooms,
        "AveBedrms": rooms * random.uniform(0.15, 0.25, count),
        "Population": np.round(random.gamma(2.0, 700.0, count)),
        "AveOccup": random.gamma(9.0, 0.33, count),
        "Latitude": np.round(random.uniform(32.5, 42.0, count), 2),
        "Longitude": np.round(random.uniform(-124.3, -114.3, count), 2),
        "MedHouseVal": np.round(np.minimum(0.5 * income + random.normal(0.0, 0.5, count), 5.00001), 3),
        "district": pa.array(districts[random.integers(0, _DISTRICTS, count)]),
        "title": pa.array([f"House number {number}, lot {number % 97}" for number in numbers.tolist()]),
        "coastal": random.random(count) < 0.3,
    }
    return pa.table({name: values[name] for name in COLUMNS})


def write(directory: Path, rows: int, *, with_csv: bool) -> None:
    """Writes the rows as `NNNN.parquet` files, and as `rows.csv` if asked for."""
    directory.mkdir(parents=True, exist_ok=True)
    schema = made(1, 1).schema
    plain = csv.CSVWriter(directory / "rows.csv", schema) if with_csv else None
    for number, first in enumerate(range(1, rows + 1, FILE_ROWS)):
        table = made(first, min(FILE_ROWS, rows + 1 - first)).cast(schema)
        pq.write_table(table, directory / f"{number:04d}.parquet", compression="zstd")
        if plain:
            plain.write_table(table)
    if plain:
        plain.close()


def main() -> None:
    """Writes what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--csv", action="store_true")
    arguments = parser.parse_args()
    write(arguments.directory, arguments.rows, with_csv=arguments.csv)


if __name__ == "__main__":
    main()
