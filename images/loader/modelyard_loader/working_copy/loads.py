"""A load: rows, ledger entry and sequence in one transaction, so that a killed loader repeats and loses nothing."""

from __future__ import annotations

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
    head,
)
from modelyard_loader.working_copy.names import table_name
from modelyard_loader.working_copy.rows import copy_rows, make_table
from modelyard_loader.working_copy.tables import make_way


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
        return head(connection, postgres.schema, owner.uid)

    table_name(owner.name)
    return postgres.transact(look)


def load_all(postgres: Postgres, owner: Owner, batch: Batch, clock: Callable[[], datetime]) -> LedgerEntry:
    """Loads the whole source as load 1, or returns the entry of the one that did so before."""

    def work(connection: psycopg.Connection) -> LedgerEntry:
        schema = postgres.schema
        lock = f"{schema} {owner.name}"
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])
        known = head(connection, schema, owner.uid)
        if known is not None:
            return known
        make_way(connection, schema, owner)
        table = sql.Identifier(schema, table_name(owner.name))
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
