"""ADBC: a table of Arrow handed to the driver as it is."""

import json
import sys
import time

import pyarrow.parquet as pq
from adbc_driver_postgresql import dbapi

if __name__ == "__main__":
    url, table, file = sys.argv[1:]
    rows = pq.read_table(file)
    started = time.perf_counter()
    with dbapi.connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode="append")
        connection.commit()
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}))
