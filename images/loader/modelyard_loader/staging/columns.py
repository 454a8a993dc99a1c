"""Columns that the spec asks for and the loaded rows do not have: a load of its own gives them other columns.

It reads no source. All files of the record are written anew in the new columns, and the table is altered in the transaction
of its entry; files and versions of the loads before it stay as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.progress import Phase
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec
from modelyard_loader.record.files import write_batch
from modelyard_loader.record.loads import LoadContent, PlacedPart, columns_since, shapes_of
from modelyard_loader.staging.parts import Totals
from modelyard_loader.staging.rejects import Rejects
from modelyard_loader.staging.shape import Shape
from modelyard_loader.staging.work import Before, Work
from modelyard_loader.working_copy.altering import Alteration, alter, make_new_values
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import Batch, LoadTransaction
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_runtime.manifests import read_part

_FIELD = "spec.columns"


def other_columns(asked: Sequence[ColumnSpec], content: LoadContent) -> tuple[Column, ...] | None:
    """Columns that the loaded rows shall have, those that stay in their order; None where they have them.

    Raises InvalidSpecError where the spec asks for another key.
    """
    if not asked or not content.columns:
        return None
    types = {each.name: each.type for each in asked}
    _check_key(types, content)
    stay = {*types, *(content.key if content.numbered else ())}
    kept = [
        Column(name=each.name, type=types.get(each.name, each.type))
        for each in content.columns
        if each.name in stay
    ]
    names = {each.name for each in content.columns}
    new = [Column(name=each.name, type=each.type) for each in asked if each.name not in names]
    before = [(each.name, each.type) for each in content.columns]
    return None if [(each.name, each.type) for each in (*kept, *new)] == before else (*kept, *new)


def must_have_values(asked: Sequence[ColumnSpec], content: LoadContent) -> list[str]:
    """Columns that must have a value in every row, and of which it is not known that they have."""
    places = {each.name: place for place, each in enumerate(content.columns)}
    required = [each.name for each in asked if not each.nullable and each.name in places]
    return [name for name in required if not content.missing or content.missing[places[name]]]


def check_values(counts: Iterable[tuple[str, int]]) -> None:
    """Raises DataError where loaded rows have no value in a column that must have one."""
    found = [f"{count} in {name}" for name, count in counts if count]
    if found:
        raise DataError(
            f"loaded rows have no value where nullable is false: {', '.join(found)}",
            field=_FIELD,
            remedy="leave nullable out, or give the rows a value in the source first",
        )


def _check_key(types: dict[str, ColumnType], content: LoadContent) -> None:
    there = {each.name: each.type for each in content.columns}
    for name in content.key:
        if content.numbered and name in types:
            problem, remedy = f"names {name}, which is the number of the row", "leave it out"
        elif not content.numbered and name not in types:
            problem = f"leaves out {name}, which spec.primaryKey names"
            remedy = f"add {name} with type {there[name]}"
        elif not content.numbered and types[name] is not there[name]:
            problem = (
                f"makes {name} {types[name]}, which is part of the key and {there[name]} in the loaded rows"
            )
            remedy = "leave the type as it is, or make a new Dataset"
        else:
            continue
        raise InvalidSpecError(problem, field=_FIELD, value=name, remedy=remedy)


class Reshaping:
    """The load that gives the rows other columns."""

    def __init__(
        self, work: Work, before: Before, columns: Sequence[Column], known: Sequence[LedgerEntry]
    ) -> None:
        """``known`` are all loads before. Raises InvalidSpecError where the variants do not fit the columns."""
        self._work = work
        self._before = before
        self._known = known
        numbers = before.content.key if before.content.numbered else []
        naming = work.naming(column for column in columns if column.name not in numbers)
        self._shape = Shape(tuple(before.content.columns), naming)

    def load(self, transaction: LoadTransaction) -> LedgerEntry:
        """Writes the files and alters the table. Raises DataError for values that the new types cannot hold."""
        work, shape = self._work, self._shape
        work.surroundings.progress.begin(Phase.LOADING, self._before.rows)
        new = _Rewriting(work, self._before, shape)
        make_new_values(transaction.connection, shape.naming, shape.retyped, new.batches())
        new.check()
        now = work.surroundings.clock()
        alteration = Alteration(
            sequence=work.step.sequence,
            moment=now,
            gone=new.gone,
            dropped=shape.dropped,
            added=shape.added,
            retyped=shape.retyped,
            since=columns_since([*shapes_of(self._known), (work.step.sequence, shape.naming.columns)]),
        )
        alter(transaction.connection, transaction.table(shape.naming), alteration)
        refused = work.write_rejects(new.rejects)
        transaction.set_aside(new.rejects.table())
        before, totals = self._before.content, new.totals
        content = LoadContent(
            parts=[],
            key=list(shape.naming.key),
            columns=list(shape.naming.columns),
            numbered=before.numbered,
            cycle=before.cycle,
            rejects=refused,
            current=new.parts,
            snapshot=before.snapshot,
            missing=totals.missing,
            sums=totals.sums.state(),
            reshaped=True,
        )
        count = new.rejects.count
        batch = Batch(count, 0, -count, count, self._before.source_digest, content)
        return transaction.seal(batch, work.started, now)


class _Rewriting:
    """The files of all rows, written anew one after the other."""

    def __init__(self, work: Work, before: Before, shape: Shape) -> None:
        self._work = work
        self._before = before
        self._shape = shape
        self._missing: Counter[str] = Counter()
        self.rejects: Rejects = work.rejects()
        self.totals = Totals.of(shape.naming)
        self.parts: list[PlacedPart] = []
        self.gone: list[pa.RecordBatch] = []
        """Keys of the rows that are in none of the files any more."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in their new columns, once their file is written."""
        store, dataset = self._work.surroundings.store, self._work.step.owner.name
        for placed in self._before.parts:
            rows = read_part(store, placed.part)
            fit = pa.Table.from_batches(
                [self._shaped(batch) for batch in rows.to_batches()], self._shape.naming.schema
            )
            self._work.surroundings.progress.add(rows.num_rows)
            if self.rejects.too_many or not fit.num_rows:
                continue
            self.totals.add(fit)
            self.parts.append(PlacedPart(sequence=placed.sequence, part=write_batch(store, dataset, fit)))
            yield from fit.to_batches()

    def check(self) -> None:
        """Raises DataError where rows miss a value that they must have, or too many do not fit."""
        check_values(self._missing.items())
        if self.rejects.too_many:
            raise DataError(
                f"{self.rejects.count} loaded rows have a value that the new type cannot hold"
                f" ({self.rejects.first_reason})",
                field=_FIELD,
                remedy="choose a type that holds all values, correct them in the source first,"
                " or set spec.load.onReject.quarantine with room for them",
            )

    def _shaped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        shaped = self._shape.apply(batch, self.rejects)
        self._missing.update(self._shape.missing(shaped.rows))
        if not (shaped.kept.all() or self.rejects.too_many):
            keys = batch.select(list(self._shape.naming.key))
            self.gone.append(keys.filter(pa.array(~shaped.kept)))
        return shaped.rows
