"""A second look at a source that was loaded: what is new is appended, what has other values replaces the old."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from modelyard_api.contract.progress import Phase
from modelyard_api.v1alpha1.loading import HashOrder, Order, SourceOrder
from modelyard_loader.keys import Naming
from modelyard_loader.record.loads import LoadContent, PlacedPart, Snapshot
from modelyard_loader.sources.reading import OpenSource
from modelyard_loader.staging.accepted import NumberedRows, accepted, sound
from modelyard_loader.staging.arranged import RowFile, arranged
from modelyard_loader.staging.parts import PART_BYTES, PART_ROWS, Totals, Written, by_key
from modelyard_loader.staging.rejects import Rejects
from modelyard_loader.staging.rewriting import Names, Replaced, Rewritten, without
from modelyard_loader.staging.staged import chunks_of
from modelyard_loader.staging.steps import is_all
from modelyard_loader.staging.work import Before, Work
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import Batch, LoadTransaction
from modelyard_loader.working_copy.updates import Seen, compare, count_missed, replace
from modelyard_runtime.errors import DataError, StepError
from modelyard_runtime.hashing import row_hashes

_SHOWN = 3


def refresh(work: Work, transaction: LoadTransaction) -> LedgerEntry | None:
    """Loads what the source has that is not loaded; None where there is nothing.

    Raises DataError where rows or objects that are loaded are gone from the source, or cannot be found again in it.
    """
    before = work.before
    if before is None:
        raise StepError("a source that was never loaded cannot be refreshed")
    snapshot = before.content.snapshot
    work.surroundings.progress.begin(Phase.READING)
    consumed = snapshot.consumed if snapshot else {}
    first_row = snapshot.offered + 1 if snapshot else 1
    with work.open(before.source_columns, consumed, first_row) as source:
        _check_objects(source, before)
        if source.unchanged(consumed, before.source_digest):
            return None
        naming = work.naming(source.columns)
        if naming.columns != tuple(before.content.columns):
            raise _other_columns(naming, before)
        return _Look(work, transaction, before, source, naming).load()


class _Look:
    """The rows of one look."""

    def __init__(
        self, work: Work, transaction: LoadTransaction, before: Before, source: OpenSource, naming: Naming
    ) -> None:
        self._work = work
        self._transaction = transaction
        self._before = before
        self._source = source
        self._naming = naming
        self._table = transaction.table(naming)
        self._rejects: Rejects = work.rejects()
        self._given = 0
        """Rows that fit."""
        snapshot = before.content.snapshot
        self._through = snapshot.through if snapshot and not is_all(work.step.percent) else None
        """The greatest hash that is loaded, where not all of the source is asked for."""
        self._file = RowFile(work.directory() / "rows.arrow", naming)

    def load(self) -> LedgerEntry | None:
        """Compares the rows with those that are there, and loads."""
        seen = self._seen()
        gone = self._gone(seen)
        if gone:
            raise DataError(
                f"the source shrank: {gone} of {self._before.rows} loaded rows are no longer in it",
                field="source",
                remedy="put the rows back, or make a new Dataset of what is left",
            )
        if not seen.wanted.any() and not self._rejects.count:
            return None
        now = self._work.surroundings.clock()
        changed = int(seen.is_changed.sum())
        loads: list[int] = []
        if changed:
            loads = replace(self._transaction.connection, self._table, self._work.step.sequence, now)
        written = self._written(seen)
        totals = self._work.totals(written.totals)
        left = self._left(seen, loads, totals) if changed else None
        refused = self._work.write_rejects(self._rejects)
        self._transaction.set_aside(self._rejects.table())
        offered = self._given + self._rejects.count
        batch = Batch(
            offered=offered,
            accepted=written.rows,
            added=written.rows - changed,
            rejected=self._rejects.count,
            source_digest=self._source.digest,
            content=LoadContent(
                parts=list(written.parts),
                key=list(self._naming.key),
                columns=list(self._naming.columns),
                numbered=self._naming.numbered,
                cycle=self._before.content.cycle + 1,
                updated=changed,
                rejects=refused,
                current=self._current(left, written) if left else None,
                snapshot=self._snapshot(written.rows - changed, offered),
                missing=totals.missing if totals else [],
                sums=totals.sums.state() if totals else None,
            ),
        )
        return self._transaction.seal(batch, self._work.started, now)

    def _seen(self) -> Seen:
        """Reads the source to its end, keeping the rows on the local disk, and asks what they are to the table."""
        rows = arranged(
            accepted(self._source, self._naming, self._rejects),
            self._naming,
            Order(source=SourceOrder()) if self._naming.numbered else Order(hash=HashOrder()),
            self._rejects,
            self._work.directory(),
        )

        def kept() -> Iterator[pa.RecordBatch]:
            for each in rows:
                self._given += each.rows.num_rows
                self._work.surroundings.progress.add(each.rows.num_rows)
                asked = self._asked_for(each)
                self._file.add(asked)
                yield asked.rows

        with self._file:
            return compare(
                self._transaction.connection, self._table, self._naming.schema, kept(), self._before.rows
            )

    def _gone(self, seen: Seen) -> int:
        """Loaded rows that the source does not have any more, as far as it must be known."""
        missed = self._before.rows - seen.matched
        if self._source.whole or not missed:
            return missed
        if not self._source.changed:
            return 0
        schema = pa.schema([self._naming.schema.field(name) for name in self._naming.key])
        keys = (rows.select(schema.names) for rows in sound(self._source.others(), self._naming))
        return count_missed(self._transaction.connection, self._table, schema, keys)

    def _asked_for(self, rows: NumberedRows) -> NumberedRows:
        """The rows up to the share of the source that is asked for, which in the order of hashes is a value of them."""
        snapshot = self._before.content.snapshot
        if self._through is None or snapshot is None or snapshot.order.hash is None:
            return rows
        table = pa.Table.from_batches([rows.rows])
        hashes = row_hashes(table, self._naming.key, snapshot.order.hash.seed)
        return rows.where(hashes <= np.uint64(int(self._through, 16)))

    def _written(self, seen: Seen) -> Written:
        """Writes the files of what is new or changed, and appends what is new."""
        with self._work.parts(self._naming) as parts:
            for batch in self._rows(seen.wanted):
                parts.add(batch)
            fresh = self._work.loading(self._rows(seen.is_new), int(seen.is_new.sum()))
            portions = chunks_of(fresh, PART_ROWS, PART_BYTES)
            ordered = (batch for each in portions for batch in by_key(each, self._naming.key).to_batches())
            self._transaction.append(self._naming, ordered)
            return parts.finish()

    def _rows(self, wanted: np.ndarray) -> Iterator[pa.RecordBatch]:
        """Rows of the look, by their places."""
        place = 0
        for each in self._file.batches():
            mask = wanted[place : place + each.rows.num_rows]
            place += each.rows.num_rows
            if mask.any():
                yield each.rows.filter(pa.array(mask))

    def _left(self, seen: Seen, loads: Sequence[int], totals: Totals | None) -> Rewritten:
        """What the record holds besides the rows of this load."""
        changes = pa.Table.from_batches(list(self._rows(seen.is_changed)), self._naming.schema)
        replaced = Replaced(Names(changes, self._naming.key), frozenset(loads))
        found = without(
            self._work.surroundings.store, self._work.step.owner.name, self._before.parts, replaced, totals
        )
        if found.rows != changes.num_rows:
            raise StepError(
                f"{changes.num_rows} rows of the working copy have new values, but {found.rows} of the record"
            )
        return found

    def _current(self, left: Rewritten, written: Written) -> list[PlacedPart]:
        new = (PlacedPart(sequence=self._work.step.sequence, part=part) for part in written.parts)
        return [*left.parts, *new]

    def _snapshot(self, new: int, offered: int) -> Snapshot:
        before = self._before.content.snapshot
        loaded = self._before.rows + new
        return Snapshot(
            cycle=self._before.content.cycle + 1,
            order=before.order if before and self._through else self._work.step.order,
            rows=self._given if self._source.whole else loaded,
            loaded=loaded,
            offered=offered if self._source.whole or before is None else before.offered + offered,
            through=self._through,
            consumed=self._source.consumed,
        )


def _check_objects(source: OpenSource, before: Before) -> None:
    """Raises DataError where objects are gone, or were changed and their rows have no names of their own."""
    if source.vanished:
        raise DataError(
            f"the source shrank: {_listed(source.vanished)}, which was loaded, is gone",
            field="source",
            remedy="put the objects back; new values belong into them, or into new objects beside them",
        )
    if source.changed and before.content.numbered:
        raise DataError(
            f"{_listed(source.changed)}, which was loaded, has other content, and rows that are named by their"
            " number cannot be found again in it",
            field="source",
            remedy="put the object back as it was, and new rows into new objects; or make a new Dataset"
            " whose primaryKey names columns of the source",
        )


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _other_columns(naming: Naming, before: Before) -> DataError:
    wanted = ", ".join(f"{each.name} {each.type.value}" for each in naming.columns)
    there = ", ".join(f"{each.name} {each.type.value}" for each in before.content.columns)
    return DataError(
        f"are {wanted}, but the loaded rows have {there}",
        field="columns",
        remedy="make a new Dataset for other columns",
    )
