"""Gives the table of a Dataset other columns, rows that do not fit being removed with their trace in ``data_changes``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pyarrow as pa
from psycopg import errors, sql

from modelyard_api.contract.manifest import Column
from modelyard_loader.keys import Naming
from modelyard_loader.working_copy.history import Operation, drop_history, make_history, write_changes
from modelyard_loader.working_copy.rows import SQL_TYPES, copy_rows, make_temporary_table
from modelyard_loader.working_copy.tables import DatasetTable
from modelyard_runtime.columns import arrow_schema
from modelyard_runtime.errors import DataError

_VALUES = sql.Identifier("modelyard_values")
_GONE = sql.Identifier("modelyard_gone")


@dataclass(frozen=True)
class Alteration:
    """What a load changes of a table."""

    sequence: int
    moment: datetime
    gone: Sequence[pa.RecordBatch]
    """Keys of rows that are removed."""
    dropped: Sequence[str]
    added: Sequence[Column]
    """Columns that come, empty in all rows."""
    retyped: Sequence[Column]
    """Columns of another type, whose values ``make_new_values`` was given."""
    since: Mapping[str, int]
    """As ``make_history`` is told."""


def make_new_values(
    connection: psycopg.Connection, naming: Naming, retyped: Sequence[Column], rows: Iterable[pa.RecordBatch]
) -> None:
    """Takes all rows to their end, and keeps of them the columns of another type for ``alter``."""
    if not retyped:
        for _ in rows:
            pass
        return
    names = [*naming.key, *(column.name for column in retyped)]
    schema = arrow_schema(column for name in names for column in naming.columns if column.name == name)
    make_temporary_table(connection, _VALUES, schema)
    copy_rows(connection, _VALUES, schema, (batch.select(names) for batch in rows))
    connection.execute(sql.SQL("ANALYZE {}").format(_VALUES))


def alter(connection: psycopg.Connection, table: DatasetTable, alteration: Alteration) -> None:
    """Alters a table; ``table`` is as it will be. Raises DataError where something was built on what changes."""
    try:
        drop_history(connection, table)
        if alteration.gone:
            _remove(connection, table, alteration)
        for change in _changes(alteration):
            connection.execute(sql.SQL("ALTER TABLE {} {}").format(table.identifier, change))
    except errors.DependentObjectsStillExist as error:
        raise DataError(
            "the columns cannot be changed while something is built on them, or on the history of the table"
            f" ({error.diag.message_detail or error})",
            field=f"{table.schema}.{table.name}",
            remedy="drop what is built on it, then ask for the load again",
        ) from error
    if alteration.retyped:
        values = (sql.SQL("{0} = v.{0}").format(sql.Identifier(each.name)) for each in alteration.retyped)
        same = (sql.SQL("t.{0} = v.{0}").format(sql.Identifier(name)) for name in table.key)
        statement = sql.SQL("UPDATE {} t SET {} FROM {} v WHERE {}")
        connection.execute(
            statement.format(
                table.identifier, sql.SQL(", ").join(values), _VALUES, sql.SQL(" AND ").join(same)
            )
        )
    make_history(connection, table, alteration.since)


def _changes(alteration: Alteration) -> list[sql.Composable]:
    """Values of another type stand in a new column of the same name."""
    gone = [*alteration.dropped, *(each.name for each in alteration.retyped)]
    drops = [sql.SQL("DROP COLUMN {}").format(sql.Identifier(name)) for name in gone]
    adds = [
        sql.SQL("ADD COLUMN {} {}").format(sql.Identifier(each.name), sql.SQL(SQL_TYPES[each.type]))
        for each in (*alteration.retyped, *alteration.added)
    ]
    return [sql.SQL(", ").join(each) for each in (drops, adds) if each]


def _remove(connection: psycopg.Connection, table: DatasetTable, alteration: Alteration) -> None:
    schema = alteration.gone[0].schema
    make_temporary_table(connection, _GONE, schema)
    copy_rows(connection, _GONE, schema, alteration.gone)
    operation = Operation(alteration.sequence, alteration.moment, "DELETE")
    write_changes(connection, table, operation, _GONE, table.identifier)
    same = (sql.SQL("t.{0} = g.{0}").format(sql.Identifier(name)) for name in table.key)
    statement = sql.SQL("DELETE FROM {} t USING {} g WHERE {}")
    connection.execute(statement.format(table.identifier, _GONE, sql.SQL(" AND ").join(same)))


def count_missing(connection: psycopg.Connection, table: DatasetTable, names: Sequence[str]) -> list[int]:
    """Rows without a value, for each column."""
    counts = (sql.SQL("count(*) FILTER (WHERE {} IS NULL)").format(sql.Identifier(name)) for name in names)
    statement = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(counts), table.identifier)
    return list(connection.execute(statement).fetchone() or ())
