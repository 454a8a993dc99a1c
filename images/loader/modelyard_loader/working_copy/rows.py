"""The table of a Dataset: its rows and the number of the load that each came with."""

from __future__ import annotations

from collections.abc import Sequence

import pgpq
import psycopg
import pyarrow as pa
from psycopg import sql

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.working_copy.names import SEQUENCE
from modelyard_runtime.columns import canonical_type

_SQL_TYPES = {
    ColumnType.INTEGER: "bigint",
    ColumnType.NUMBER: "double precision",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TEXT: "text",
}
_BATCH_ROWS = 65_536


def make_table(
    connection: psycopg.Connection, table: sql.Identifier, schema: pa.Schema, key: Sequence[str]
) -> None:
    """Makes an empty table whose primary key is the key."""
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(each.name), sql.SQL(_SQL_TYPES[canonical_type(each)]))
        for each in schema
    ]
    columns.append(sql.SQL("{} bigint NOT NULL").format(sql.Identifier(SEQUENCE)))
    statement = sql.SQL("CREATE TABLE {table} ({columns}, PRIMARY KEY ({key}))").format(
        table=table, columns=sql.SQL(", ").join(columns), key=sql.SQL(", ").join(map(sql.Identifier, key))
    )
    connection.execute(statement)


def copy_rows(connection: psycopg.Connection, table: sql.Identifier, rows: pa.Table, sequence: int) -> None:
    """Appends rows by binary COPY, straight from Arrow."""
    numbered = rows.append_column(SEQUENCE, pa.repeat(pa.scalar(sequence, pa.int64()), rows.num_rows))
    encoder = pgpq.ArrowToPostgresBinaryEncoder(numbered.schema)
    statement = sql.SQL("COPY {table} ({columns}) FROM STDIN WITH (FORMAT BINARY)").format(
        table=table, columns=sql.SQL(", ").join(map(sql.Identifier, numbered.column_names))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(encoder.write_header())
        for batch in numbered.to_batches(max_chunksize=_BATCH_ROWS):
            copy.write(encoder.write_batch(batch))
        copy.write(encoder.finish())
