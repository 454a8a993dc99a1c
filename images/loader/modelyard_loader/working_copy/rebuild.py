"""Makes the working copy agree with the record on S3: what is missing or other in Postgres is put back from there.

Rows, changes and lost entries of the ledger can be put back by the project's role. An entry that was rewritten cannot,
on purpose: it is reported, and stays as the trace that it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from modelyard_api.contract.steps import Owner
from modelyard_loader.record.audit import AuditRecord
from modelyard_loader.record.loads import LoadRecords, column_names, columns_since, shapes_of
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.history import make_history
from modelyard_loader.working_copy.ledger import (
    GENESIS,
    LedgerEntry,
    append,
    entries,
    extent,
    head,
    last_owner,
    stored,
)
from modelyard_loader.working_copy.names import LEDGER, history_name, table_name
from modelyard_loader.working_copy.repair import (
    counted_noun,
    repaired_audit,
    repaired_audit_record,
    repaired_rows,
)
from modelyard_loader.working_copy.replay import Replay, schema_of
from modelyard_loader.working_copy.tables import DatasetTable, exists, lock, make_way
from modelyard_runtime.errors import DataError
from modelyard_runtime.progress import Progress
from modelyard_runtime.s3 import ObjectStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rebuilt:
    """The working copy is that of the record."""

    entry: LedgerEntry
    """The last load."""
    repaired: tuple[str, ...]
    """What was missing or other before, one clause each."""


@dataclass(frozen=True)
class _Standing:
    head: LedgerEntry | None
    """None where the ledger is empty, or lacks entries before its last."""
    entries: int
    has_table: bool


@dataclass(frozen=True)
class _Place:
    schema: str
    owner: Owner
    progress: Progress


@dataclass(frozen=True)
class Truth:
    """What the loads were, by record and ledger together."""

    chain: tuple[LedgerEntry, ...]
    lost: tuple[LedgerEntry, ...]
    """Entries that the ledger lacks."""
    rewritten: tuple[int, ...]
    """Numbers of entries that stand in the ledger and are not those that were written."""
    unrecorded: tuple[LedgerEntry, ...]
    """Entries that S3 lacks."""


def caught_up(
    postgres: Postgres, store: ObjectStore, owner: Owner, progress: Progress | None = None
) -> LedgerEntry | None:
    """The last load of a Dataset, None before the first; for the beginning of every step.

    Looks at names on S3 and at the end of the ledger. Where they agree, that is all; a load that a killed loader left
    unrecorded is recorded. Where Postgres is behind, as after a restored backup or a dropped schema, everything that it
    lacks is made again. Raises DataError naming the entry if the ledger was rewritten, InvalidSpecError for a name that
    the audit needs.
    """
    table_name(owner.name)
    # S3 first: a load that is committed in between is then in the ledger only, as if it had been left unrecorded.
    records = LoadRecords(store, owner.name, owner.uid)
    recorded = records.hashes()
    standing = postgres.transact(lambda connection: _look(connection, postgres.schema, owner))
    if not standing.entries and not recorded:
        return None
    if not _is_level(standing, recorded):
        return rebuilt(postgres, store, owner, progress).entry
    if standing.head is not None and len(recorded) < standing.head.sequence:
        chain = postgres.transact(lambda connection: entries(connection, postgres.schema, owner.uid))
        for entry in chain:
            if entry.sequence not in recorded:
                records.write(entry)
    return standing.head


def rebuilt(
    postgres: Postgres, store: ObjectStore, owner: Owner, progress: Progress | None = None
) -> Rebuilt:
    """Compares everything with the record and puts back what differs, in one transaction.

    Raises DataError where nothing was ever loaded, where files of the record are missing or changed, and, after the
    rows were put back, where the ledger or ``data_changes`` hold what was never written.
    """
    records = LoadRecords(store, owner.name, owner.uid)
    recorded = records.read(records.hashes())

    told = progress or Progress()

    def work(connection: psycopg.Connection) -> tuple[Truth, list[str], list[str]]:
        # As long as the rows take; a peer that is gone is noticed all the same.
        connection.execute("SET LOCAL statement_timeout = 0")
        lock(connection, postgres.schema, owner.name)
        kept = {entry.sequence: entry for entry in stored(connection, postgres.schema, owner.uid)}
        truth = truth_of(recorded, kept, owner.name)
        repaired, foreign = _restored(connection, store, _Place(postgres.schema, owner, told), truth)
        return truth, repaired, foreign

    truth, repaired, foreign = postgres.transact(work)
    for entry in truth.unrecorded:
        records.write(entry)
    if truth.unrecorded:
        repaired.append(f"the record on S3 lacked {counted_noun(len(truth.unrecorded), 'load')}")
    for clause in repaired:
        _log.warning("put back: %s", clause)
    _refuse(postgres.schema, store, records, truth, foreign)
    return Rebuilt(truth.chain[-1], tuple(repaired))


def truth_of(recorded: Mapping[int, LedgerEntry], kept: Mapping[int, LedgerEntry], dataset: str) -> Truth:
    """The longest chain that holds, the record being believed before the ledger.

    Raises DataError if there is none, or if it ends before the record does.
    """
    chain: list[LedgerEntry] = []
    while True:
        sequence = len(chain) + 1
        entry = recorded.get(sequence) or kept.get(sequence)
        previous = chain[-1].hash if chain else GENESIS
        if entry is None or entry.previous_hash != previous or not entry.holds:
            break
        chain.append(entry)
    if max(recorded, default=0) > len(chain):
        raise DataError(
            "is neither in the record on S3 nor, as it was written, in the ledger",
            field=f"load {len(chain) + 1} of {dataset}",
            remedy="restore the bucket or the table from a backup",
        )
    if not chain:
        raise DataError(
            "has no load to make it from",
            field=f"the working copy of {dataset}",
            remedy="restore the ledger from a backup" if kept else "wait for the first load",
        )
    return Truth(
        tuple(chain),
        lost=tuple(entry for entry in chain if entry.sequence not in kept),
        rewritten=tuple(
            sequence
            for sequence, entry in sorted(kept.items())
            if sequence > len(chain) or entry != chain[sequence - 1]
        ),
        unrecorded=tuple(entry for entry in chain if entry.sequence not in recorded),
    )


def _look(connection: psycopg.Connection, schema: str, owner: Owner) -> _Standing:
    count, last_number = extent(connection, schema, owner.uid)
    last = head(connection, schema, owner.uid) if count == last_number else None
    if last is None:
        return _Standing(None, count, has_table=False)
    table = _table(schema, owner, last)
    has_table = exists(connection, schema, table.name)
    if has_table and not exists(connection, schema, history_name(table.name)):
        # A table of a release that had no history.
        lock(connection, schema, owner.name)
        make_history(connection, table, columns_since(shapes_of(entries(connection, schema, owner.uid))))
    return _Standing(last, count, has_table)


def _is_level(standing: _Standing, recorded: Mapping[int, str]) -> bool:
    last = standing.head
    if last is None or not standing.has_table:
        return False
    return max(recorded, default=0) <= last.sequence and recorded.get(last.sequence, last.hash) == last.hash


def _restored(
    connection: psycopg.Connection, store: ObjectStore, place: _Place, truth: Truth
) -> tuple[list[str], list[str]]:
    """Clauses of what was put back, and of what should not be there."""
    schema, owner = place.schema, place.owner
    before = last_owner(connection, schema, owner.name)
    if before not in (owner.uid, None) and len(truth.lost) == len(truth.chain):
        make_way(connection, schema, owner)
    for entry in truth.lost:
        append(connection, schema, entry)
    lost = [f"{LEDGER} lacked {counted_noun(len(truth.lost), 'load')}"] if truth.lost else []
    table = _table(schema, owner, truth.chain[-1])
    Replay(connection, store, table, place.progress).run(truth.chain)
    columns = schema_of(store, truth.chain)
    rows = repaired_rows(connection, table, columns, is_ours=before is not None)
    lacking, foreign = repaired_audit(connection, table)
    told = repaired_audit_record(connection, table, AuditRecord(store, owner))
    make_history(connection, table, columns_since(shapes_of(truth.chain)))
    return [*lost, *rows, *lacking, *told], foreign


def _refuse(schema: str, store: ObjectStore, records: LoadRecords, truth: Truth, foreign: list[str]) -> None:
    if truth.rewritten:
        first = truth.rewritten[0]
        recorded = next((each for each in truth.chain if each.sequence == first), None)
        what = f", sequence {', '.join(map(str, truth.rewritten))}"
        remedy = (
            f"an administrator of Postgres must put it back as {store.uri(records.key(recorded))} says"
            if recorded
            else "an administrator of Postgres must remove it: no load was recorded under it"
        )
        raise DataError(
            "the entry is not the one that was written", field=f"{schema}.{LEDGER}{what}", remedy=remedy
        )
    if foreign:
        raise DataError(
            "; ".join(foreign),
            field=f"schema {schema}",
            remedy="an administrator of Postgres must remove what no load has written",
        )


def _table(schema: str, owner: Owner, entry: LedgerEntry) -> DatasetTable:
    return DatasetTable(schema, owner.name, owner.uid, tuple(entry.metadata["key"]), column_names(entry))
