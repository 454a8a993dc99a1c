"""The loads of a Dataset once more, from their files on S3, into temporary tables of one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg
import pyarrow as pa
from psycopg import sql

from modelyard_api.contract.manifest import Part
from modelyard_api.contract.progress import Phase
from modelyard_loader.record.loads import LoadContent
from modelyard_loader.working_copy.history import Operation, write_changes
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.names import CHANGES, REJECTS
from modelyard_loader.working_copy.rows import copy_rows, make_table, name_rows
from modelyard_loader.working_copy.tables import DatasetTable
from modelyard_runtime.columns import arrow_schema
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_part
from modelyard_runtime.progress import Progress
from modelyard_runtime.s3 import ObjectStore

_ROWS = "recorded_rows"
ROWS = sql.Identifier("pg_temp", _ROWS)
RECORDED = {
    CHANGES: sql.Identifier("pg_temp", "recorded_changes"),
    REJECTS: sql.Identifier("pg_temp", "recorded_rejects"),
}
_INCOMING = sql.Identifier("pg_temp", "incoming_rows")
_GONE = sql.Identifier("pg_temp", "gone_rows")


class Replay:
    """Makes the tables ``ROWS`` and ``RECORDED`` and fills them; at most one part is in memory at a time."""

    def __init__(
        self,
        connection: psycopg.Connection,
        store: ObjectStore,
        table: DatasetTable,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._store = store
        self._table = table
        self._schema = pa.schema([])
        """Columns after the loads that were carried out."""
        self._progress = progress
        self._is_named = False

    def run(self, entries: Sequence[LedgerEntry]) -> None:
        """Carries out all loads. Raises DataError for files that are missing, changed or not those of the ledger."""
        self._progress.begin(Phase.LOADING, sum(entry.accepted for entry in entries))
        self._progress.again()
        self._schema = schema_of(self._store, entries[:1])
        make_table(self._connection, ROWS, self._schema, self._table.key)
        for name, copy in RECORDED.items():
            like = sql.SQL("CREATE TABLE {} (LIKE {})")
            self._connection.execute(like.format(copy, sql.Identifier(self._table.schema, name)))
        for entry in entries:
            self._load(entry, LoadContent.of(entry))
        self._name()
        for made in (ROWS, *RECORDED.values()):
            self._connection.execute(sql.SQL("ANALYZE {}").format(made))
        found = self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(ROWS)).fetchone()
        if found != (entries[-1].total_rows,):
            raise DataError(
                f"the files of its loads hold {found[0] if found else 0} rows, the ledger says"
                f" {entries[-1].total_rows}",
                field=f"load {entries[-1].sequence} of {self._table.dataset}",
            )

    def _load(self, entry: LedgerEntry, content: LoadContent) -> None:
        if content.reshaped:
            self._reshape(entry, content)
        elif content.updated:
            self._name()
            make_table(self._connection, _INCOMING, self._schema, self._table.key)
            self._copy(_INCOMING, content.parts, entry.sequence)
            self._replace(entry)
            self._connection.execute(sql.SQL("DROP TABLE {}").format(_INCOMING))
        else:
            self._copy(ROWS, content.parts, entry.sequence)
        if content.rejects is not None:
            self._set_aside(entry, read_part(self._store, content.rejects))

    def _copy(self, target: sql.Identifier, parts: Iterable[Part], sequence: int) -> None:
        for part in parts:
            rows = read_part(self._store, part)
            if not rows.schema.equals(self._schema):
                raise DataError("the columns are not those of the ledger", field=part.uri)
            copy_rows(self._connection, target, self._schema, rows.to_batches(), sequence=sequence)
            self._progress.add(rows.num_rows)

    def _replace(self, entry: LedgerEntry) -> None:
        write_changes(
            self._connection,
            self._table,
            Operation(entry.sequence, entry.completed_at),
            _INCOMING,
            ROWS,
            RECORDED[CHANGES],
        )
        same = sql.SQL(" AND ").join(
            sql.SQL("old.{0} = new.{0}").format(sql.Identifier(each)) for each in self._table.key
        )
        for statement in (
            "DELETE FROM {rows} AS old USING {incoming} AS new WHERE {same}",
            "INSERT INTO {rows} SELECT * FROM {incoming}",
        ):
            self._connection.execute(sql.SQL(statement).format(rows=ROWS, incoming=_INCOMING, same=same))

    def _reshape(self, entry: LedgerEntry, content: LoadContent) -> None:
        """Puts all rows in their new columns in the place of the old ones; those that are gone were removed."""
        self._schema = arrow_schema(content.columns)
        make_table(self._connection, _INCOMING, self._schema, self._table.key)
        for placed in content.current or []:
            self._copy(_INCOMING, [placed.part], placed.sequence)
        if entry.rejected:
            names = {
                "gone": _GONE,
                "key": sql.SQL(", ").join(map(sql.Identifier, self._table.key)),
                "rows": ROWS,
                "incoming": _INCOMING,
            }
            gone = "CREATE TABLE {gone} AS SELECT {key} FROM {rows} EXCEPT SELECT {key} FROM {incoming}"
            self._connection.execute(sql.SQL(gone).format(**names))
            operation = Operation(entry.sequence, entry.completed_at, "DELETE")
            write_changes(self._connection, self._table, operation, _GONE, ROWS, RECORDED[CHANGES])
            self._connection.execute(sql.SQL("DROP TABLE {}").format(_GONE))
        for statement in ("DROP TABLE {rows}", "ALTER TABLE {incoming} RENAME TO {name}"):
            names = {"rows": ROWS, "incoming": _INCOMING, "name": sql.Identifier(_ROWS)}
            self._connection.execute(sql.SQL(statement).format(**names))
        self._is_named = False

    def _set_aside(self, entry: LedgerEntry, rejects: pa.Table) -> None:
        same: list[tuple[str, pa.Scalar]] = [
            ("dataset", pa.scalar(entry.dataset)),
            ("dataset_uid", pa.scalar(entry.dataset_uid)),
            ("sequence", pa.scalar(entry.sequence, pa.int32())),
        ]
        columns = {name: pa.repeat(value, rejects.num_rows) for name, value in same}
        columns |= {name: rejects.column(name) for name in rejects.column_names}
        placed = pa.table(columns)
        copy_rows(self._connection, RECORDED[REJECTS], placed.schema, placed.to_batches())

    def _name(self) -> None:
        if not self._is_named:
            name_rows(self._connection, ROWS, self._table.key)
            self._is_named = True


def schema_of(store: ObjectStore, entries: Sequence[LedgerEntry]) -> pa.Schema:
    """Columns of the table after the last load, the load that a row came with left out."""
    columns = LoadContent.of(entries[-1]).columns
    if columns:
        return arrow_schema(columns)
    schema: pa.Schema = read_part(store, LoadContent.of(entries[0]).parts[0]).schema
    return schema
