"""The table of a Dataset: its rows and the number of the load that each came with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import LiteralString

import pgpq
import psycopg
import pyarrow as pa
from psycopg import errors, sql

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.working_copy.names import SEQUENCE
from modelyard_runtime.columns import canonical_type
from modelyard_runtime.errors import DataError

SQL_TYPES = {
    ColumnType.INTEGER: "bigint",
    ColumnType.NUMBER: "double precision",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TEXT: "text",
}
_BATCH_ROWS = 16_384


def make_table(
    connection: psycopg.Connection, table: sql.Identifier, schema: pa.Schema, key: Sequence[str]
) -> None:
    """Makes an empty table whose rows have no names yet: an index is cheaper to build than to keep up to date."""
    numbered = schema.append(pa.field(SEQUENCE, pa.int64()))
    statement = sql.SQL("CREATE TABLE {table} ({columns})")
    connection.execute(statement.format(table=table, columns=_columns(numbered, (*key, SEQUENCE))))


def make_temporary_table(connection: psycopg.Connection, table: sql.Identifier, schema: pa.Schema) -> None:
    """Makes an empty table for the time of the transaction."""
    statement = sql.SQL("CREATE TEMPORARY TABLE {table} ({columns}) ON COMMIT DROP")
    connection.execute(statement.format(table=table, columns=_columns(schema, ())))


def _columns(schema: pa.Schema, required: Sequence[str]) -> sql.Composable:
    columns = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(each.name),
            sql.SQL(SQL_TYPES[canonical_type(each)]),
            sql.SQL(" NOT NULL" if each.name in required else ""),
        )
        for each in schema
    ]
    return sql.SQL(", ").join(columns)


def name_rows(connection: psycopg.Connection, table: sql.Identifier, key: Sequence[str]) -> None:
    """Makes the key the primary key. Raises DataError for rows of one name: it tells the least and how many there are."""
    names = sql.SQL(", ").join(map(sql.Identifier, key))
    try:
        with connection.transaction():
            connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(table, names))
    except errors.UniqueViolation as error:
        raise _repeated(connection, table, key) from error


def copy_rows(
    connection: psycopg.Connection,
    table: sql.Identifier,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    sequence: int | None = None,
    is_new: bool = False,
) -> int:
    """Appends rows by binary COPY, straight from Arrow; returns how many.

    ``sequence`` is the load that they come with, None for a table without that column. ``is_new`` says that the
    table was made in this transaction: its rows are then written as they will stay.
    """
    if sequence is None:
        return _copy(connection, table, schema, batches, "")
    if is_new:
        # A number that all rows have in common is not worth sending with each.
        default = sql.SQL("ALTER TABLE {} ALTER COLUMN {} ").format(table, sql.Identifier(SEQUENCE))
        connection.execute(default + sql.SQL("SET DEFAULT {}").format(sequence))
        rows = _copy(connection, table, schema, batches, ", FREEZE")
        connection.execute(default + sql.SQL("DROP DEFAULT"))
        return rows
    numbered = schema.append(pa.field(SEQUENCE, pa.int64()))
    return _copy(connection, table, numbered, (_numbered(batch, numbered, sequence) for batch in batches), "")


def _copy(
    connection: psycopg.Connection,
    table: sql.Identifier,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    options: LiteralString,
) -> int:
    encoder = pgpq.ArrowToPostgresBinaryEncoder(schema)
    statement = sql.SQL("COPY {table} ({columns}) FROM STDIN WITH (FORMAT BINARY{options})").format(
        table=table,
        columns=sql.SQL(", ").join(map(sql.Identifier, schema.names)),
        options=sql.SQL(options),
    )
    rows = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(encoder.write_header())
        for batch in batches:
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                copy.write(encoder.write_batch(batch.slice(start, _BATCH_ROWS)))
            rows += batch.num_rows
        copy.write(encoder.finish())
    return rows


def _numbered(batch: pa.RecordBatch, schema: pa.Schema, sequence: int) -> pa.RecordBatch:
    numbers = pa.repeat(pa.scalar(sequence, pa.int64()), batch.num_rows)
    return pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)


def _repeated(connection: psycopg.Connection, table: sql.Identifier, key: Sequence[str]) -> DataError:
    names = sql.SQL(", ").join(map(sql.Identifier, key))
    groups = sql.SQL(
        "SELECT {names}, count(*) OVER () AS names, sum(count(*)) OVER () AS rows"
        " FROM {table} GROUP BY {names} HAVING count(*) > 1 ORDER BY {names} LIMIT 1"
    ).format(names=names, table=table)
    found = connection.execute(groups).fetchone()
    *values, count, rows = found or (*("?" for _ in key), 0, 0)
    return DataError(
        f"names more than one row; {rows} rows share {count} {'name' if count == 1 else 'names'}",
        field=f"primaryKey {', '.join(key)}",
        value=", ".join(str(value) for value in values),
        remedy="choose columns whose values together occur once, or a name that the source does not have;"
        " or set spec.load.onReject.quarantine to load the first row of each name",
    )
