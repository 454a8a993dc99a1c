"""The record of loads: each entry of the ledger as an object, so that Postgres can be made again from S3 alone.

An object is named by its load's number and hash and written right after the commit that it tells of. What a killed
loader left unwritten is written by the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from modelyard_api.base import StatusModel
from modelyard_api.contract.manifest import Column, Part
from modelyard_api.digests import canonical_json
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import Order
from modelyard_loader.working_copy.ledger import LedgerEntry, check_chain
from modelyard_runtime.digest import AccumulatorState
from modelyard_runtime.errors import DataError
from modelyard_runtime.s3 import ObjectStore

_NAME = re.compile(r"/([0-9]{6,})-([0-9a-f]{64})\.json$")
_PREFIX = "sha256:"
_ENTRY: TypeAdapter[LedgerEntry] = TypeAdapter(LedgerEntry)
_REMEDY = "restore the object from a backup of the bucket"


class PlacedPart(StatusModel):
    """A file and the load that its rows came with."""

    sequence: int
    part: Part


class Snapshot(StatusModel):
    """How far a look at the source is loaded."""

    cycle: int
    """Number of the look at the source, from 1."""
    order: Order
    rows: int
    """Rows of the source that can be loaded."""
    loaded: int
    """Of these, rows that are."""
    offered: int
    """Rows that the source gave, those set aside included."""
    through: str | None = None
    """Where the next step goes on."""
    staging: str | None = None
    """Address of the rows in load order, while there are more steps to come."""
    consumed: dict[str, str] = {}
    """What the source remembers of what was read."""


class LoadContent(StatusModel):
    """The metadata of a ledger entry: where the rows of the load are. Texts and whole numbers only."""

    parts: list[Part]
    """Rows that came with this load, replacing those of the same key: disjoint, in load order."""
    key: list[str]
    columns: list[Column]
    """Empty in entries of the first release, which named no types: the columns are those of the parts."""
    numbered: bool = False
    """Whether the key is the number of the row, which the source does not have."""
    cycle: int = 1
    updated: int = 0
    """Rows of ``parts`` that replaced others."""
    rejects: Part | None = None
    """Rows set aside, as a file of the columns ``reason``, ``row_number`` and ``content``."""
    current: list[PlacedPart] | None = None
    """Where this load replaced rows: files with all rows after it, since those before it were written anew."""
    snapshot: Snapshot | None = None
    missing: list[int] = []
    """Nulls and NaNs of each column in all rows after this load; empty where they were not counted."""
    sums: AccumulatorState | None = None
    """Sums behind the content digest of all rows after this load."""
    reshaped: bool = False
    """Whether this load brought no rows but gave those before it other columns; ``current`` is then set."""

    @classmethod
    def of(cls, entry: LedgerEntry) -> LoadContent:
        """What an entry says, in the form of any release. Raises DataError for another form."""
        metadata: dict[str, Any] = entry.metadata
        if "batch" in metadata:
            metadata = {"parts": [metadata["batch"]], "key": metadata["key"], "columns": []}
        try:
            return cls.model_validate(metadata)
        except ValidationError as error:
            raise DataError(
                "the metadata are none that this release can read",
                field=f"load {entry.sequence} of {entry.dataset}",
                remedy="use the release that made the load, or a newer one",
            ) from error


def column_names(entry: LedgerEntry) -> tuple[str, ...]:
    """Columns of the table after a load, in order; entries of every release name them."""
    columns: list[Any] = entry.metadata["columns"]
    return tuple(each if isinstance(each, str) else str(each["name"]) for each in columns)


def parts_after(entries: Sequence[LedgerEntry], sequence: int) -> list[PlacedPart]:
    """Files that together hold the rows as they were after a load; ``entries`` are all up to it, from 1."""
    placed: list[PlacedPart] = []
    for entry in entries:
        if entry.sequence > sequence:
            break
        content = LoadContent.of(entry)
        if content.current is not None:
            placed = list(content.current)
        else:
            placed.extend(PlacedPart(sequence=entry.sequence, part=part) for part in content.parts)
    return placed


def columns_since(shapes: Iterable[tuple[int, Sequence[Column]]]) -> dict[str, int]:
    """Columns that are new, or of another type, since a load after the first, and that load.

    ``shapes`` are the columns after each load; empty ones, of entries of the first release, do not count.
    """
    since: dict[str, int] = {}
    before: dict[str, ColumnType] | None = None
    for sequence, columns in shapes:
        if not columns:
            continue
        types = {each.name: each.type for each in columns}
        since = {name: at for name, at in since.items() if name in types}
        if before is not None:
            since |= {name: sequence for name, type_ in types.items() if before.get(name) is not type_}
        before = types
    return since


def shapes_of(entries: Iterable[LedgerEntry]) -> Iterator[tuple[int, Sequence[Column]]]:
    """The columns after each load, for ``columns_since``."""
    for entry in entries:
        yield entry.sequence, LoadContent.of(entry).columns


def recorded_uids(store: ObjectStore, dataset: str) -> list[str]:
    """Datasets of this name of which loads are recorded, deleted ones included."""
    root = record_prefix(store.endpoint.prefix, dataset, "")
    return sorted({key.removeprefix(root).split("/", 1)[0] for key in store.keys(root.rstrip("/"))})


def record_prefix(project_prefix: str, dataset: str, uid: str) -> str:
    """Where the record of a Dataset's loads is in the bucket."""
    return f"{project_prefix}/datasets/{dataset}/loads/{uid}"


class LoadRecords:
    """The record of one Dataset."""

    def __init__(self, store: ObjectStore, dataset: str, uid: str) -> None:
        self._store = store
        self._prefix = record_prefix(store.endpoint.prefix, dataset, uid)

    def write(self, entry: LedgerEntry) -> None:
        """Records a load that is committed; one that is recorded already is left alone."""
        self._store.create(self.key(entry), canonical_json(entry.to_document()))

    def key(self, entry: LedgerEntry) -> str:
        """Key of a load's object in the bucket."""
        return self._key(entry.sequence, entry.hash)

    def hashes(self) -> dict[int, str]:
        """Hash of each load that is recorded, from the names alone. Raises DataError for two of one number."""
        found: dict[int, str] = {}
        for sequence, digest in self.named():
            if sequence in found:
                raise DataError(
                    f"load {sequence} is recorded twice, with different content",
                    field=self._store.uri(self._prefix),
                    remedy="two databases were loaded into one place: remove the records of the one that is wrong",
                )
            found[sequence] = digest
        return found

    def named(self) -> Iterator[tuple[int, str]]:
        """Number and hash of everything that is recorded, from the names alone."""
        for key in self._store.keys(self._prefix):
            named = _NAME.search(key)
            if named is not None:
                yield int(named.group(1)), _PREFIX + named.group(2)

    def read(self, hashes: dict[int, str]) -> dict[int, LedgerEntry]:
        """The recorded loads of these numbers. Raises DataError naming an object that was changed."""
        return {sequence: self.read_one(sequence, hashes[sequence]) for sequence in sorted(hashes)}

    def chain(self) -> list[LedgerEntry]:
        """All recorded loads, from 1. Raises DataError if one was changed or is missing."""
        found = list(self.read(self.hashes()).values())
        check_chain(found, self._store.uri(self._prefix), remedy=_REMEDY)
        return found

    def read_one(self, sequence: int, digest: str) -> LedgerEntry:
        """The recorded load of this number and hash. Raises DataError naming an object that was changed."""
        key = self._key(sequence, digest)
        try:
            entry = _ENTRY.validate_python(json.loads(self._store.read(key)))
        except (ValidationError, ValueError) as error:
            raise DataError("is no record of a load", field=self._store.uri(key), remedy=_REMEDY) from error
        if (entry.sequence, entry.hash) != (sequence, digest) or not entry.holds:
            raise DataError(
                "the record is not the one that was written", field=self._store.uri(key), remedy=_REMEDY
            )
        return entry

    def _key(self, sequence: int, digest: str) -> str:
        return f"{self._prefix}/{sequence:06d}-{digest.removeprefix(_PREFIX)}.json"
