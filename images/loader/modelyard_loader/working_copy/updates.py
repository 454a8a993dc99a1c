"""Rows that were seen again: which are new, which have other values, and the replacement of those.

All questions are put to the primary key's index, so what they cost follows from the rows that came, not from those that
are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from modelyard_loader.working_copy.history import record_updates
from modelyard_loader.working_copy.names import SEQUENCE
from modelyard_loader.working_copy.rows import copy_rows, make_temporary_table
from modelyard_loader.working_copy.tables import DatasetTable
from modelyard_runtime.errors import StepError

_INCOMING = sql.Identifier("modelyard_incoming")
_KNOWN = sql.Identifier("modelyard_known")
_CHANGED = sql.Identifier("modelyard_changed")
_OTHERS = sql.Identifier("modelyard_others")
PLACE = "0 place"
"""Column of the temporary tables: where a row stands among those that came. No column can have this name."""
_SMALL_SHARE = 10
"""Rows that came are few where the table has so many times more; then its index is asked, row by row."""


@dataclass(frozen=True)
class Seen:
    """What the rows that came are to the table; one entry a row, in the order in which they came."""

    is_new: np.ndarray
    is_changed: np.ndarray

    @property
    def matched(self) -> int:
        """Rows whose names the table has."""
        return len(self.is_new) - int(self.is_new.sum())

    @property
    def wanted(self) -> np.ndarray:
        """Rows that the load brings."""
        wanted: np.ndarray = np.logical_or(self.is_new, self.is_changed)
        return wanted


def compare(
    connection: psycopg.Connection,
    table: DatasetTable,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    known: int,
) -> Seen:
    """Copies rows, whose names are all different, into a temporary table and compares them with the ``known`` ones."""
    incoming = schema.append(pa.field(PLACE, pa.int64()))
    make_temporary_table(connection, _INCOMING, incoming)
    count = copy_rows(connection, _INCOMING, incoming, _placed(batches, incoming))
    connection.execute(sql.SQL("ANALYZE {}").format(_INCOMING))
    if known > count * _SMALL_SHARE:
        _allow_scans(connection, allowed=False)
    values = [sql.Identifier(name) for name in schema.names if name not in table.key]
    differs = sql.SQL("(ROW({}) IS DISTINCT FROM ROW({}))").format(
        sql.SQL(", ").join(sql.SQL("i.{}").format(each) for each in values),
        sql.SQL(", ").join(sql.SQL("t.{}").format(each) for each in values),
    )
    statement = sql.SQL(
        "CREATE TEMPORARY TABLE {known} ON COMMIT DROP AS"
        " SELECT i.{place} AS place, {differs} AS differs FROM {incoming} i JOIN {table} t ON {same}"
    ).format(
        known=_KNOWN,
        place=sql.Identifier(PLACE),
        differs=differs if values else sql.SQL("false"),
        incoming=_INCOMING,
        table=table.identifier,
        same=_same(table, "i", "t"),
    )
    connection.execute(statement)
    return _read_seen(connection, count)


def count_missed(
    connection: psycopg.Connection,
    table: DatasetTable,
    schema: pa.Schema,
    keys: Iterable[pa.RecordBatch],
) -> int:
    """Rows of the table that are named neither by ``keys``, of this schema, nor by what ``compare`` was given."""
    make_temporary_table(connection, _OTHERS, schema)
    copy_rows(connection, _OTHERS, schema, keys)
    connection.execute(sql.SQL("ANALYZE {}").format(_OTHERS))
    _allow_scans(connection, allowed=True)
    statement = sql.SQL(
        "SELECT count(*) FROM {table} t WHERE NOT EXISTS (SELECT FROM {incoming} i WHERE {came})"
        " AND NOT EXISTS (SELECT FROM {others} o WHERE {stayed})"
    ).format(
        table=table.identifier,
        incoming=_INCOMING,
        came=_same(table, "i", "t"),
        others=_OTHERS,
        stayed=_same(table, "o", "t"),
    )
    (count,) = connection.execute(statement).fetchone() or (0,)
    return int(count)


def replace(
    connection: psycopg.Connection, table: DatasetTable, sequence: int, changed_at: datetime
) -> list[int]:
    """Gives the changed rows their new values, the old ones going to the history; returns the loads they came with."""
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {changed} ON COMMIT DROP AS SELECT i.* FROM {incoming} i"
            " JOIN {known} k ON k.place = i.{place} WHERE k.differs"
        ).format(changed=_CHANGED, incoming=_INCOMING, known=_KNOWN, place=sql.Identifier(PLACE))
    )
    connection.execute(sql.SQL("ANALYZE {}").format(_CHANGED))
    found = connection.execute(
        sql.SQL("SELECT DISTINCT t.{sequence} FROM {changed} c JOIN {table} t ON {same} ORDER BY 1").format(
            sequence=sql.Identifier(SEQUENCE),
            changed=_CHANGED,
            table=table.identifier,
            same=_same(table, "c", "t"),
        )
    ).fetchall()
    recorded = record_updates(connection, table, sequence, changed_at, _CHANGED)
    values = [name for name in table.columns if name not in table.key]
    statement = sql.SQL("UPDATE {table} t SET {values}, {number} = %s FROM {changed} c WHERE {same}").format(
        table=table.identifier,
        values=sql.SQL(", ").join(sql.SQL("{0} = c.{0}").format(sql.Identifier(name)) for name in values),
        number=sql.Identifier(SEQUENCE),
        changed=_CHANGED,
        same=_same(table, "c", "t"),
    )
    replaced = connection.execute(statement, [sequence]).rowcount
    if recorded != replaced:
        raise StepError(f"{recorded} old rows were recorded, but {replaced} were replaced", field=table.name)
    return [int(row[0]) for row in found]


def _allow_scans(connection: psycopg.Connection, *, allowed: bool) -> None:
    """Whether the server may read a table as a whole to find a few rows of it."""
    for kind in ("seqscan", "hashjoin", "mergejoin"):
        setting = "on" if allowed else "off"
        connection.execute(sql.SQL("SET LOCAL enable_{} = {}").format(sql.SQL(kind), sql.SQL(setting)))


def _placed(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterable[pa.RecordBatch]:
    place = 0
    for batch in batches:
        places = pa.array(np.arange(place, place + batch.num_rows, dtype=np.int64))
        place += batch.num_rows
        yield pa.RecordBatch.from_arrays([*batch.columns, places], schema=schema)


def _same(table: DatasetTable, one: str, other: str) -> sql.Composable:
    pairs = (
        sql.SQL("{one}.{name} = {other}.{name}").format(
            one=sql.SQL(one), other=sql.SQL(other), name=sql.Identifier(name)
        )
        for name in table.key
    )
    return sql.SQL(" AND ").join(pairs)


_ANSWER = np.dtype(
    [("fields", ">i2"), ("size", ">i4"), ("place", ">i8"), ("other_size", ">i4"), ("differs", "u1")]
)
_HEADER = 19
_TRAILER = 2


def _read_seen(connection: psycopg.Connection, count: int) -> Seen:
    """Reads the comparison by binary COPY: rows of fixed width, so that an array holds them as they come."""
    is_new, is_changed = np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
    statement = sql.SQL("COPY (SELECT place, differs FROM {}) TO STDOUT WITH (FORMAT BINARY)").format(_KNOWN)
    rest, skipped = b"", False
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for content in copy:
            rest += bytes(content)
            if not skipped and len(rest) >= _HEADER:
                rest, skipped = rest[_HEADER:], True
            whole = len(rest) // _ANSWER.itemsize if len(rest) > 1 << 20 else 0
            rest = _mark(rest, whole, is_new, is_changed)
    _mark(rest, (len(rest) - _TRAILER) // _ANSWER.itemsize, is_new, is_changed)
    return Seen(is_new, is_changed)


def _mark(content: bytes, rows: int, is_new: np.ndarray, is_changed: np.ndarray) -> bytes:
    """Marks so many answers; gives what is left."""
    answers = np.frombuffer(content, dtype=_ANSWER, count=rows)
    is_new[answers["place"]] = False
    is_changed[answers["place"]] = answers["differs"] != 0
    return content[rows * _ANSWER.itemsize :]
