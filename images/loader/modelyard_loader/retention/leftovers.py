"""Files of rows on S3, and which of them a load names: what no load names, a loader that was killed has left.

A later try of the same load writes the same files and finds them there, so they are only looked at while no loader can be
at work; see ``working_copy.guard.removing``. Files of refused rows are also named by a snapshot that waits on S3 for its
first load, however long that takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from modelyard_api.contract.steps import Owner
from modelyard_loader.record.loads import LoadContent, LoadRecords, recorded_uids
from modelyard_loader.staging.staged import StagingArea
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.ledger import LedgerEntry, of_name
from modelyard_runtime.s3 import Entry, ObjectStore

_READERS = 8


@dataclass(frozen=True)
class Batches:
    """The files of a Dataset's rows, those of deleted Datasets of the same name included."""

    files: tuple[Entry, ...] = ()
    """Rows that were loaded, and rows that were refused unless a snapshot may still name some of these."""
    named: AbstractSet[str] = frozenset()
    """Keys of the files that a load names, be it in the ledger or in the record on S3."""


def batches(postgres: Postgres, store: ObjectStore, owner: Owner) -> Batches:
    """Looks at the files and at all loads.

    Raises DataError where an entry or a record cannot be read: what it names is unknown then, and nothing may be removed.
    """
    files = (*_files(store, owner, "batches"), *_refused(store, owner))
    if not files:
        return Batches()
    known = postgres.transact(lambda connection: of_name(connection, postgres.schema, owner.name))
    recorded = _recorded(store, owner.name, frozenset(each.hash for each in known if each.holds))
    return Batches(files, frozenset(store.key(uri) for entry in (*known, *recorded) for uri in _named(entry)))


def _files(store: ObjectStore, owner: Owner, folder: str) -> list[Entry]:
    return store.entries(f"{store.endpoint.prefix}/datasets/{owner.name}/{folder}")


def _refused(store: ObjectStore, owner: Owner) -> list[Entry]:
    """Files of refused rows; none while anything of a snapshot is there.

    A deleted Dataset's snapshot is loaded by nobody, whatever it names.
    """
    # Listed first: the document of a snapshot is written after the file that it names.
    files = _files(store, owner, "rejects")
    return [] if StagingArea(store, owner.name, owner.uid).holds_anything() else files


def _recorded(store: ObjectStore, dataset: str, known: AbstractSet[str]) -> Sequence[LedgerEntry]:
    """Loads on S3 that the ledger does not have as they were written."""
    wanted = [
        (records, sequence, digest)
        for uid in recorded_uids(store, dataset)
        for records in [LoadRecords(store, dataset, uid)]
        for sequence, digest in records.named()
        if digest not in known
    ]
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda each: each[0].read_one(each[1], each[2]), wanted))


def _named(entry: LedgerEntry) -> Iterator[str]:
    content = LoadContent.of(entry)
    yield from (part.uri for part in content.parts)
    yield from (placed.part.uri for placed in content.current or [])
    if content.rejects is not None:
        yield content.rejects.uri
