"""The same two variants as a script of one's own would make them: Parquet to Parquet, with DuckDB's defaults."""

import json
import sys
import time
from pathlib import Path

import duckdb

_V2 = """
COPY (
  SELECT * FROM read_parquet('{source}')
  WHERE MedHouseVal <= {limit} AND Longitude < -119.0 AND {present}
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""
_V3 = """
COPY (
  SELECT *,
    AveRooms * AveOccup AS rooms_per_household,
    AveBedrms / AveRooms AS bedrooms_ratio,
    Population / AveOccup AS population_density,
    CASE
      WHEN MedInc <= 0 THEN NULL
      WHEN MedInc <= 2.5 THEN 0 WHEN MedInc <= 4.5 THEN 1 WHEN MedInc <= 6.5 THEN 2 WHEN MedInc > 6.5 THEN 3
    END AS income_category_encoded
  FROM read_parquet('{source}')
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""


def main() -> None:
    """Makes the variants, and says how long it took and how many rows they have."""
    source, directory, limit = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    v2, v3 = directory / "v2.parquet", directory / "v3.parquet"
    connection = duckdb.connect()
    started = time.perf_counter()
    names = connection.read_parquet(source).columns
    present = " IS NOT NULL AND ".join(names) + " IS NOT NULL"
    connection.execute(_V2.format(source=source, limit=limit, present=present, target=v2))
    connection.execute(_V3.format(source=v2, target=v3))
    seconds = time.perf_counter() - started
    counts = [len(connection.read_parquet(str(file))) for file in (v2, v3)]
    sys.stdout.write(json.dumps({"seconds": seconds, "rows": counts}))


if __name__ == "__main__":
    main()
