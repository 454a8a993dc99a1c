"""What a Dataset's table was like before: a view of every operation, and functions that give the rows as they were.

An inserted row costs nothing more than itself: the view derives its insertion from the load that the row came with.
Only rows that were replaced or removed are kept a second time, in ``data_changes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from modelyard_loader.working_copy.names import CHANGES, LEDGER, SEQUENCE, as_of_name
from modelyard_loader.working_copy.tables import DatasetTable

_VIEW = sql.SQL("""
CREATE OR REPLACE VIEW {history} AS
WITH changes AS (
  SELECT
    change.operation AS operation_type,
    change.changed_at AS operation_date,
    change.sequence::bigint AS {sequence},
    change.old_sequence AS load_batch_id,
    {old}
  FROM {changes} AS change
  CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, {old_row}) AS old
  WHERE change.dataset_uid = {uid}
), versions AS (
  SELECT present.{sequence} AS load_batch_id, {present} FROM {table} AS present
  UNION ALL
  SELECT changes.load_batch_id, {columns} FROM changes
)
SELECT
  CASE WHEN replaced.{sequence} IS NULL THEN 'INSERT' ELSE 'UPDATE' END AS operation_type,
  load.completed_at AS operation_date,
  versions.load_batch_id,
  {versions}
FROM versions
LEFT JOIN {ledger} AS load ON load.dataset_uid = {uid} AND load.sequence = versions.load_batch_id
LEFT JOIN changes AS replaced ON replaced.{sequence} = versions.load_batch_id AND {same_key}
UNION ALL
SELECT changes.operation_type, changes.operation_date, changes.{sequence}, {columns}
FROM changes WHERE changes.operation_type = 'DELETE'
""")
"""Inner names are those that are reserved, since a source's column may have any other.

All joins are outer ones without conditions of their own: no guess about tables that were never analysed, as after the
first load, can then make the planner compare every row with every change.
"""

_AS_OF_LOAD = sql.SQL("""
CREATE OR REPLACE FUNCTION {as_of}(load bigint) RETURNS SETOF {table}
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT present.* FROM {table} AS present WHERE present.{sequence} <= $1
  UNION ALL
  SELECT old.* FROM {changes} AS change
  CROSS JOIN LATERAL jsonb_populate_record(
    NULL::{table}, {old_row} || jsonb_build_object({sequence_name}, change.old_sequence)) AS old
  WHERE change.dataset_uid = {uid} AND change.old_sequence <= $1 AND change.sequence > $1;
END
""")

_AS_OF_TIME = sql.SQL("""
CREATE OR REPLACE FUNCTION {as_of}(moment timestamptz) RETURNS SETOF {table}
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT was.* FROM {as_of}((
    SELECT coalesce(max(load.sequence), 0)::bigint FROM {ledger} AS load
    WHERE load.dataset_uid = {uid} AND load.completed_at <= $1)) AS was;
END
""")

_CHANGE = sql.SQL("""
INSERT INTO {changes} (dataset, dataset_uid, sequence, operation, changed_at, key, old_row, old_sequence)
SELECT {dataset}, {uid}, {number}, {operation}, {changed_at},
  jsonb_build_object({key}), to_jsonb(present) - {sequence_name}, present.{sequence}
FROM {table} AS present JOIN {incoming} AS incoming USING ({key_columns})
""")


@dataclass(frozen=True)
class Operation:
    """What a load did to rows that were there."""

    sequence: int
    moment: datetime
    """The load's ``completed_at``, so that a rebuild gives the same entries."""
    kind: str = "UPDATE"
    """UPDATE or DELETE."""


def make_history(
    connection: psycopg.Connection, table: DatasetTable, since: Mapping[str, int] | None = None
) -> None:
    """Makes ``<table>_history`` and ``<table>_as_of``, or makes them again after columns were added at the end.

    ``since`` are columns that are new, or of another type, since a load: values that were replaced up to then may be
    none of the present type, and are left out.
    """
    names = _names(table) | {"old_row": _old_row(since or {})}
    connection.execute(_VIEW.format(**names))
    for function in (_AS_OF_LOAD, _AS_OF_TIME):
        connection.execute(function.format(**names))


def drop_history(connection: psycopg.Connection, table: DatasetTable) -> None:
    """Removes the view and the functions, which hold on to the table and the types of its columns."""
    connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(table.history))
    for argument in ("timestamptz", "bigint"):
        statement = sql.SQL("DROP FUNCTION IF EXISTS {}({})")
        connection.execute(
            statement.format(sql.Identifier(table.schema, as_of_name(table.name)), sql.SQL(argument))
        )


def record_updates(
    connection: psycopg.Connection,
    table: DatasetTable,
    sequence: int,
    changed_at: datetime,
    incoming: sql.Identifier,
) -> int:
    """Appends to ``data_changes`` every row of the table whose key stands in ``incoming``; returns how many.

    To be called before the rows are replaced. ``changed_at`` is the load's ``completed_at``.
    """
    operation = Operation(sequence, changed_at)
    return write_changes(connection, table, operation, incoming, table.identifier)


def write_changes(
    connection: psycopg.Connection,
    table: DatasetTable,
    operation: Operation,
    incoming: sql.Identifier,
    present: sql.Identifier,
    changes: sql.Identifier | None = None,
) -> int:
    """As ``record_updates``, for any operation, with the rows taken from ``present`` and written to ``changes``."""
    names = _names(table) | {
        "table": present,
        "changes": changes or sql.Identifier(table.schema, CHANGES),
        "dataset": sql.Literal(table.dataset),
        "number": sql.Literal(operation.sequence),
        "operation": sql.Literal(operation.kind),
        "changed_at": sql.Literal(operation.moment),
        "incoming": incoming,
        "key": _listed(
            sql.SQL("{}, present.{}").format(sql.Literal(each), sql.Identifier(each)) for each in table.key
        ),
        "key_columns": _listed(map(sql.Identifier, table.key)),
    }
    return connection.execute(_CHANGE.format(**names)).rowcount


def _names(table: DatasetTable) -> dict[str, sql.Composable]:
    columns = [sql.Identifier(each) for each in table.columns]
    same = sql.SQL("replaced.{0} = versions.{0}")
    return {
        "table": table.identifier,
        "history": table.history,
        "as_of": table.as_of,
        "changes": sql.Identifier(table.schema, CHANGES),
        "ledger": sql.Identifier(table.schema, LEDGER),
        "uid": sql.Literal(table.uid),
        "sequence": sql.Identifier(SEQUENCE),
        "sequence_name": sql.Literal(SEQUENCE),
        "old": _listed(sql.SQL("old.{}").format(each) for each in columns),
        "present": _listed(sql.SQL("present.{}").format(each) for each in columns),
        "columns": _listed(sql.SQL("changes.{}").format(each) for each in columns),
        "versions": _listed(sql.SQL("versions.{}").format(each) for each in columns),
        "same_key": sql.SQL(" AND ").join(same.format(sql.Identifier(each)) for each in table.key),
    }


def _old_row(since: Mapping[str, int]) -> sql.Composable:
    """The old row of a change, without values that were those of another column of the same name."""
    row: sql.Composable = sql.SQL("change.old_row")
    for sequence in sorted(set(since.values())):
        names = [sql.Literal(name) for name in sorted(since) if since[name] == sequence]
        without = sql.SQL("({} - CASE WHEN change.sequence > {} THEN '{{}}' ELSE ARRAY[{}] END::text[])")
        row = without.format(row, sql.Literal(sequence), _listed(names))
    return row


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
