"""The table of a Dataset and what hangs on it, by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.steps import Owner
from modelyard_loader.working_copy.ledger import last_owner
from modelyard_loader.working_copy.names import as_of_name, history_name, kept_name, table_name
from modelyard_runtime.errors import InvalidSpecError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatasetTable:
    """A Dataset's table: ``columns`` in its order, the load that a row came with not among them."""

    schema: str
    dataset: str
    uid: str
    key: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, schema: str, owner: Owner, key: Sequence[str], columns: Sequence[Column]) -> DatasetTable:
        """The table of a resource."""
        return cls(schema, owner.name, owner.uid, tuple(key), tuple(each.name for each in columns))

    @property
    def name(self) -> str:
        """Its name in the schema. Raises InvalidSpecError for one that the audit needs."""
        return table_name(self.dataset)

    @property
    def identifier(self) -> sql.Identifier:
        """The table."""
        return sql.Identifier(self.schema, self.name)

    @property
    def history(self) -> sql.Identifier:
        """The view with every operation on it."""
        return sql.Identifier(self.schema, history_name(self.name))

    @property
    def as_of(self) -> sql.Identifier:
        """The functions that give it as it was."""
        return sql.Identifier(self.schema, as_of_name(self.name))


def lock(connection: psycopg.Connection, schema: str, dataset: str) -> None:
    """Keeps every other loader of this Dataset out until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock_name(schema, dataset)])


def lock_name(schema: str, dataset: str) -> str:
    """Name of the lock that a loader holds from its first file to its commit."""
    return f"{schema} {dataset}"


def exists(connection: psycopg.Connection, schema: str, name: str) -> bool:
    """Whether the schema has a table, a view or an index of this name."""
    return _is_found(connection, "to_regclass", sql.Identifier(schema, name))


def make_way(connection: psycopg.Connection, schema: str, owner: Owner) -> None:
    """Renames the table of a deleted Dataset of the same name, and what hangs on it; its rows stay, under its uid.

    Raises InvalidSpecError where the table is none of ours.
    """
    name = table_name(owner.name)
    if not exists(connection, schema, name):
        return
    before = last_owner(connection, schema, owner.name)
    if before is None:
        raise InvalidSpecError(
            f"schema {schema} has a table {name} that Modelyard did not make",
            field="metadata.name",
            value=owner.name,
            remedy="rename the table or the Dataset",
        )
    kept = kept_name(name, before)
    _log.info("table %s of an earlier Dataset is kept as %s", name, kept)
    _rename(connection, "TABLE", sql.Identifier(schema, name), kept)
    if exists(connection, schema, history_name(name)):
        _rename(connection, "VIEW", sql.Identifier(schema, history_name(name)), history_name(kept))
    for argument in ("bigint", "timestamptz"):
        function = sql.SQL("{}({})").format(sql.Identifier(schema, as_of_name(name)), sql.SQL(argument))
        if _is_found(connection, "to_regprocedure", function):
            _rename(connection, "FUNCTION", function, as_of_name(kept))


def _is_found(connection: psycopg.Connection, lookup: str, name: sql.Composable) -> bool:
    question = sql.SQL("SELECT {}(%s) IS NOT NULL").format(sql.SQL(lookup))
    return connection.execute(question, [name.as_string(connection)]).fetchone() == (True,)


def _rename(connection: psycopg.Connection, kind: str, what: sql.Composable, name: str) -> None:
    statement = sql.SQL("ALTER {} {} RENAME TO {}")
    connection.execute(statement.format(sql.SQL(kind), what, sql.Identifier(name)))
