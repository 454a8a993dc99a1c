"""Puts back what a Dataset's table and its part of the audit lack, by comparing them with what was replayed."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
import pyarrow as pa
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from modelyard_loader.record.audit import TABLES, AuditRecord
from modelyard_loader.working_copy.history import drop_history
from modelyard_loader.working_copy.names import SEQUENCE
from modelyard_loader.working_copy.replay import RECORDED, ROWS
from modelyard_loader.working_copy.rows import make_table, name_rows
from modelyard_loader.working_copy.tables import DatasetTable, exists
from modelyard_runtime.errors import DataError

_SHAPE = """
SELECT array_agg((attname::text, format_type(atttypid, atttypmod)) ORDER BY attname)::text
FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
_COMPARED = sql.SQL("""
SELECT
  count(*) FILTER (WHERE present.{sequence} IS NULL),
  count(*) FILTER (WHERE recorded.{sequence} IS NULL),
  count(*) FILTER (WHERE present.{sequence} IS NOT NULL AND recorded.{sequence} IS NOT NULL)
FROM {table} AS present FULL JOIN {rows} AS recorded USING ({key})
WHERE ({present}) IS DISTINCT FROM ({recorded})
""")
_REMOVE = sql.SQL("""
DELETE FROM {table} AS present WHERE NOT EXISTS (
  SELECT FROM {rows} AS recorded WHERE {same} AND ({present}) IS NOT DISTINCT FROM ({recorded}))
""")
_ADD = sql.SQL("""
INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} AS recorded WHERE NOT EXISTS (
  SELECT FROM {table} AS present WHERE {same})
""")
_LACKING = sql.SQL("""
INSERT INTO {table} SELECT * FROM {recorded} EXCEPT ALL SELECT * FROM {table} WHERE dataset_uid = {uid}
""")
_RECORDED = sql.SQL("""
INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s)
EXCEPT ALL SELECT * FROM {table} WHERE dataset_uid = {uid}
""")
_FOREIGN = sql.SQL("""
SELECT count(*) FROM (SELECT * FROM {table} WHERE dataset_uid = {uid} EXCEPT ALL SELECT * FROM {recorded}) AS more
""")


def repaired_rows(
    connection: psycopg.Connection, table: DatasetTable, schema: pa.Schema, *, is_ours: bool
) -> list[str]:
    """Makes the table hold exactly the rows that were replayed; says what it lacked or had besides.

    ``is_ours`` tells that the ledger knew the table. Raises DataError where it has other columns and is not ours, or
    cannot be made anew because something was built on it.
    """
    if not exists(connection, table.schema, table.name):
        _make(connection, table, schema)
        return [f"there was no table {table.name}"]
    if _shape(connection, table.identifier) != _shape(connection, ROWS):
        _remove(connection, table, is_ours=is_ours)
        _make(connection, table, schema)
        return [f"the table {table.name} had other columns"]
    names = _names(table)
    missing, surplus, other = connection.execute(_COMPARED.format(**names)).fetchone() or (0, 0, 0)
    if surplus or other:
        connection.execute(_REMOVE.format(**names))
    if missing or other:
        connection.execute(_ADD.format(**names))
    counts = ((missing, "lacked"), (surplus, "had besides"), (other, "had with other values"))
    return [f"{table.name} {verb} {counted_noun(count, 'row')}" for count, verb in counts if count]


def repaired_audit(connection: psycopg.Connection, table: DatasetTable) -> tuple[list[str], list[str]]:
    """Appends what is missing in ``data_changes`` and ``data_rejects``; also says what should not be there."""
    lacking, foreign = [], []
    for name, recorded in RECORDED.items():
        names = {
            "table": sql.Identifier(table.schema, name),
            "recorded": recorded,
            "uid": sql.Literal(table.uid),
        }
        added = connection.execute(_LACKING.format(**names)).rowcount
        if added:
            lacking.append(f"{name} lacked {counted_noun(added, 'row')}")
        more = connection.execute(_FOREIGN.format(**names)).fetchone() or (0,)
        if more[0]:
            foreign.append(
                f"{name} holds {counted_noun(more[0], 'row')} of {table.dataset} that no load has written"
            )
    return lacking, foreign


def repaired_audit_record(
    connection: psycopg.Connection, table: DatasetTable, record: AuditRecord
) -> list[str]:
    """Appends what ``data_rules`` and ``data_sweeps`` lack of the record on S3.

    Rows that S3 does not have stay: a release that kept none there, or a dry run, may have written them.
    """
    lacking = []
    for name in TABLES:
        identifier = sql.Identifier(table.schema, name)
        statement = _RECORDED.format(table=identifier, uid=sql.Literal(table.uid))
        added = sum(connection.execute(statement, [Jsonb(rows)]).rowcount for rows in record.read(name))
        if added:
            lacking.append(f"{name} lacked {counted_noun(added, 'row')}")
    return lacking


def _make(connection: psycopg.Connection, table: DatasetTable, schema: pa.Schema) -> None:
    make_table(connection, table.identifier, schema, table.key)
    copied = sql.SQL("INSERT INTO {} SELECT * FROM {}")
    connection.execute(copied.format(table.identifier, ROWS))
    name_rows(connection, table.identifier, table.key)


def _remove(connection: psycopg.Connection, table: DatasetTable, *, is_ours: bool) -> None:
    if not is_ours:
        raise DataError(
            "has other columns than the record of the Dataset of this name: Modelyard did not make it",
            field=f"{table.schema}.{table.name}",
            remedy="rename the table",
        )
    drop_history(connection, table)
    try:
        connection.execute(sql.SQL("DROP TABLE {}").format(table.identifier))
    except errors.DependentObjectsStillExist as error:
        raise DataError(
            "has other columns than the record, and cannot be made anew while something is built on it"
            f" ({error.diag.message_detail or error})",
            field=f"{table.schema}.{table.name}",
            remedy="drop what is built on the table, then rebuild again",
        ) from error


def _shape(connection: psycopg.Connection, relation: sql.Identifier) -> object:
    return connection.execute(_SHAPE, [relation.as_string(connection)]).fetchone()


def _names(table: DatasetTable) -> dict[str, sql.Composable]:
    columns = [*table.columns, SEQUENCE]
    return {
        "table": table.identifier,
        "rows": ROWS,
        "sequence": sql.Identifier(SEQUENCE),
        "key": _listed(table.key),
        "columns": _listed(columns),
        "present": _of("present", columns),
        "recorded": _of("recorded", columns),
        "same": sql.SQL(" AND ").join(
            sql.SQL("recorded.{0} = present.{0}").format(sql.Identifier(each)) for each in table.key
        ),
    }


def _listed(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _of(relation: str, names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(relation, name) for name in names)


def counted_noun(count: int, noun: str) -> str:
    """For example ``1 row`` or ``2 rows``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
