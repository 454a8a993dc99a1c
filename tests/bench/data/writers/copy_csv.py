"""Arrow written as CSV in memory, chunk by chunk, into COPY of psycopg."""

import json
import sys
import time

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql
from pyarrow import csv

_CHUNK_ROWS = 65_536

if __name__ == "__main__":
    url, table, file = sys.argv[1:]
    rows = pq.read_table(file)
    plain = csv.WriteOptions(include_header=False)
    statement = sql.SQL("COPY {} FROM STDIN WITH (FORMAT CSV)").format(sql.Identifier(table))
    started = time.perf_counter()
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows.to_batches(max_chunksize=_CHUNK_ROWS):
            buffer = pa.BufferOutputStream()
            csv.write_csv(batch, buffer, plain)
            copy.write(buffer.getvalue())
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}))
