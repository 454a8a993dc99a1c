"""The same two variants as a script of one's own would make them: Parquet to Parquet, with DuckDB's defaults.

``script.py FILE DIRECTORY LIMIT`` reads and writes files. ``script.py KEY DIRECTORY LIMIT ENDPOINT BUCKET PREFIX`` fetches
the file from S3 before that and sends what it made there, with the credentials of the environment.
"""

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


def make(source: Path, v2: Path, v3: Path, limit: str) -> None:
    """Makes both files."""
    connection = duckdb.connect()
    names = connection.read_parquet(str(source)).columns
    present = " IS NOT NULL AND ".join(names) + " IS NOT NULL"
    connection.execute(_V2.format(source=source, limit=limit, present=present, target=v2))
    connection.execute(_V3.format(source=v2, target=v3))


def make_with_s3(key: str, v2: Path, v3: Path, limit: str, place: list[str]) -> float:
    """Fetches the file, makes both, sends them; returns the seconds that it took."""
    # Not above: DVC runs this script on files, in an environment of its own.
    import obstore  # noqa: PLC0415
    from obstore.store import S3Store  # noqa: PLC0415

    endpoint, bucket, prefix = place
    started = time.perf_counter()
    store = S3Store(
        bucket, endpoint=endpoint, region="us-east-1", virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )  # fmt: skip
    fetched = v2.with_name("fetched.parquet")
    fetched.write_bytes(obstore.get(store, key).bytes())
    make(fetched, v2, v3, limit)
    for file in (v2, v3):
        obstore.put(store, f"{prefix}/{file.name}", file)
    return time.perf_counter() - started


def main() -> None:
    """Makes the variants, and says how long it took and how many rows they have."""
    source, directory, limit, *place = sys.argv[1:]
    v2, v3 = Path(directory) / "v2.parquet", Path(directory) / "v3.parquet"
    if place:
        seconds = make_with_s3(source, v2, v3, limit, place)
    else:
        started = time.perf_counter()
        make(Path(source), v2, v3, limit)
        seconds = time.perf_counter() - started
    counts = [len(duckdb.read_parquet(str(file))) for file in (v2, v3)]
    sys.stdout.write(json.dumps({"seconds": seconds, "rows": counts}))


if __name__ == "__main__":
    main()
