"""pandas: DataFrame.to_sql with its defaults, in chunks as its documentation advises for many rows."""

import json
import sys
import time

import pandas as pd
import sqlalchemy

if __name__ == "__main__":
    url, table, file, rows = sys.argv[1:]
    frame = pd.read_parquet(file).head(int(rows))
    engine = sqlalchemy.create_engine(url)
    started = time.perf_counter()
    with engine.begin() as connection:
        frame.to_sql(table, connection, if_exists="append", index=False, chunksize=10_000)
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}))
