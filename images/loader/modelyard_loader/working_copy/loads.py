"""A load: rows, refused rows, ledger entry and sequence in one transaction, so that a killed loader repeats nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pyarrow as pa
from psycopg import sql

from modelyard_api.contract.steps import LoadStep, Owner
from modelyard_loader.keys import Naming
from modelyard_loader.record.loads import LoadContent
from modelyard_loader.staging.rejects import SCHEMA
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.history import make_history
from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry, append, entries, head
from modelyard_loader.working_copy.names import REJECTS
from modelyard_loader.working_copy.rows import copy_rows, make_table, name_rows
from modelyard_loader.working_copy.tables import DatasetTable, lock, make_way
from modelyard_runtime.errors import DataError


@dataclass(frozen=True)
class Batch:
    """What a load brought, once its files are on S3."""

    offered: int
    """Rows that the source gave for it."""
    accepted: int
    """Rows that are new or have new values."""
    added: int
    """Rows that are new."""
    rejected: int
    source_digest: str
    content: LoadContent


class LoadTransaction:
    """A load that is being written; nothing of it is there before the transaction ends."""

    def __init__(
        self, connection: psycopg.Connection, schema: str, step: LoadStep, known: LedgerEntry | None
    ) -> None:
        self.connection = connection
        self.known = known
        """The load before, None for the first."""
        self._schema = schema
        self._step = step

    def table(self, naming: Naming) -> DatasetTable:
        """The Dataset's table."""
        return DatasetTable.of(self._schema, self._step.owner, naming.key, naming.columns)

    def append(self, naming: Naming, batches: Iterable[pa.RecordBatch]) -> int:
        """Appends rows, to a new table if this is the first load; returns how many."""
        table, sequence = self.table(naming), self._step.sequence
        if self.known is not None:
            return copy_rows(self.connection, table.identifier, naming.schema, batches, sequence=sequence)
        make_way(self.connection, self._schema, self._step.owner)
        make_table(self.connection, table.identifier, naming.schema, naming.key)
        rows = copy_rows(
            self.connection, table.identifier, naming.schema, batches, sequence=sequence, is_new=True
        )
        name_rows(self.connection, table.identifier, naming.key)
        make_history(self.connection, table)
        return rows

    def set_aside(self, rejects: pa.Table) -> None:
        """Writes refused rows."""
        if not rejects.num_rows:
            return
        owner, count = self._step.owner, rejects.num_rows
        placed = [
            ("dataset", pa.repeat(owner.name, count)),
            ("dataset_uid", pa.repeat(owner.uid, count)),
            ("sequence", pa.repeat(pa.scalar(self._step.sequence, pa.int32()), count)),
            *((field.name, rejects.column(field.name).combine_chunks()) for field in SCHEMA),
        ]
        rows = pa.table(dict(placed))
        copy_rows(self.connection, sql.Identifier(self._schema, REJECTS), rows.schema, rows.to_batches())

    def seal(self, batch: Batch, started: datetime, now: datetime) -> LedgerEntry:
        """Writes the entry of this load, the last thing before the commit."""
        step, owner = self._step, self._step.owner
        before = self.known.total_rows if self.known else 0
        entry = LedgerEntry(
            dataset=owner.name,
            dataset_uid=owner.uid,
            sequence=step.sequence,
            batch_name=f"{owner.name}-{step.sequence:06d}",
            percentage=step.percent,
            total_rows=before + batch.added,
            offered=batch.offered,
            accepted=batch.accepted,
            rejected=batch.rejected,
            source_digest=batch.source_digest,
            generation=owner.generation,
            image=owner.image,
            started_at=started,
            completed_at=now,
            metadata=batch.content.to_wire(),
            requested_by=step.requested_by,
            trigger=step.trigger,
        ).sealed(self.known.hash if self.known else GENESIS)
        append(self.connection, self._schema, entry)
        return entry


def commit(
    postgres: Postgres, step: LoadStep, work: Callable[[LoadTransaction], LedgerEntry | None]
) -> LedgerEntry | None:
    """The entry of the step's load: of the one that is committed already, else what ``work`` writes.

    ``work`` gives None where there is nothing to load, and writes nothing then. It is called anew if the connection is
    lost. Raises DataError where loads before this one are missing.
    """

    def attempt(connection: psycopg.Connection) -> LedgerEntry | None:
        schema = postgres.schema
        lock(connection, schema, step.owner.name)
        known = head(connection, schema, step.owner.uid)
        at = known.sequence if known else 0
        if at >= step.sequence:
            return entries(connection, schema, step.owner.uid)[step.sequence - 1]
        check_next(at, step)
        # A load takes as long as its rows take; a peer that is gone is noticed all the same.
        connection.execute("SET LOCAL statement_timeout = 0")
        return work(LoadTransaction(connection, schema, step, known))

    return postgres.transact(attempt)


def check_next(at: int, step: LoadStep) -> None:
    """Raises DataError if the load does not follow the last one that is committed."""
    if at < step.sequence - 1:
        raise DataError(
            f"the ledger ends with load {at}, and the record on S3 has no more",
            field=f"load {step.sequence} of {step.owner.name}",
            remedy="restore schema or bucket from a backup; or delete the Dataset and make it again",
        )


def committed(postgres: Postgres, owner: Owner) -> list[LedgerEntry]:
    """All loads of a Dataset in order."""
    return postgres.transact(lambda connection: entries(connection, postgres.schema, owner.uid))
