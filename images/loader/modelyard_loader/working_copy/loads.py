"""A load: rows, ledger entry and sequence in one transaction, so that a killed loader repeats and loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pyarrow as pa
from psycopg import sql

from modelyard_api.contract.manifest import Part
from modelyard_api.contract.steps import Owner
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.ledger import (
    GENESIS,
    LedgerEntry,
    append,
    ensure_ledger,
    entries,
    last_owner,
)
from modelyard_loader.working_copy.rows import copy_rows, make_table, table_name
from modelyard_runtime.errors import InvalidSpecError

_UID_LENGTH = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Rows that are already on S3 and shall be in the working copy."""

    rows: pa.Table
    key: tuple[str, ...]
    part: Part
    source_digest: str
    started_at: datetime


def last_load(postgres: Postgres, owner: Owner) -> LedgerEntry | None:
    """The last load of a Dataset, or None before the first."""

    def look(connection: psycopg.Connection) -> LedgerEntry | None:
        ensure_ledger(connection, postgres.schema)
        known = entries(connection, postgres.schema, owner.uid)
        return known[-1] if known else None

    table_name(owner.name)
    return postgres.transact(look)


def load_all(postgres: Postgres, owner: Owner, batch: Batch, clock: Callable[[], datetime]) -> LedgerEntry:
    """Loads the whole source as load 1, or returns the entry of the one that did so before."""

    def work(connection: psycopg.Connection) -> LedgerEntry:
        schema = postgres.schema
        ensure_ledger(connection, schema)
        lock = f"{schema} {owner.name}"
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])
        known = entries(connection, schema, owner.uid)
        if known:
            return known[-1]
        name = table_name(owner.name)
        _make_way(connection, schema, owner, name)
        table = sql.Identifier(schema, name)
        make_table(connection, table, batch.rows.schema, batch.key)
        copy_rows(connection, table, batch.rows, sequence=1)
        entry = _entry(owner, batch, clock()).sealed(GENESIS)
        append(connection, schema, entry)
        return entry

    return postgres.transact(work)


def _entry(owner: Owner, batch: Batch, now: datetime) -> LedgerEntry:
    rows = batch.rows.num_rows
    return LedgerEntry(
        dataset=owner.name,
        dataset_uid=owner.uid,
        sequence=1,
        batch_name=f"{owner.name}-000001",
        percentage="100",
        total_rows=rows,
        offered=rows,
        accepted=rows,
        rejected=0,
        source_digest=batch.source_digest,
        generation=owner.generation,
        image=owner.image,
        started_at=batch.started_at,
        completed_at=now,
        metadata={
            "batch": batch.part.to_wire(),
            "key": list(batch.key),
            "columns": list(batch.rows.column_names),
        },
    )


def _make_way(connection: psycopg.Connection, schema: str, owner: Owner, name: str) -> None:
    """Renames the table of a deleted Dataset of the same name; its rows stay, under its uid."""
    found = connection.execute("SELECT to_regclass(%s)", [f'"{schema}"."{name}"']).fetchone()
    if found is None or found[0] is None:
        return
    before = last_owner(connection, schema, owner.name)
    if before is None:
        raise InvalidSpecError(
            f"schema {schema} has a table {name} that Modelyard did not make",
            field="metadata.name",
            value=owner.name,
            remedy="rename the table or the Dataset",
        )
    kept = f"{name}_{before[:_UID_LENGTH].replace('-', '_')}"
    _log.info("table %s of an earlier Dataset is kept as %s", name, kept)
    connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(schema, name), sql.Identifier(kept))
    )
