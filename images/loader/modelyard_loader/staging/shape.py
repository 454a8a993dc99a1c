"""Rows that were read with some columns, in the columns that are asked for since."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.keys import Naming
from modelyard_loader.sources.conversion import Conversion, RawBatch
from modelyard_loader.sources.drift import Wanted
from modelyard_loader.sources.reading import Reject
from modelyard_loader.sources.values import Target
from modelyard_loader.staging.rejects import Rejects, content

_WHERE = "the loaded rows"


@dataclass(frozen=True)
class Shaped:
    """Rows in their new columns."""

    rows: pa.RecordBatch
    kept: np.ndarray
    """True for each of the rows that were given that is one of these; the others were refused."""


@dataclass(frozen=True)
class Shape:
    """From the columns that rows have to those of a naming; new ones are empty, and a value is changed by no cast."""

    before: tuple[Column, ...]
    naming: Naming

    @property
    def dropped(self) -> tuple[str, ...]:
        """Columns that go."""
        names = {column.name for column in self.naming.columns}
        return tuple(column.name for column in self.before if column.name not in names)

    @property
    def added(self) -> tuple[Column, ...]:
        """Columns that come."""
        return tuple(column for column in self.naming.columns if column.name not in self._types)

    @property
    def retyped(self) -> tuple[Column, ...]:
        """Columns that get another type, as they will be."""
        types = self._types
        return tuple(
            column for column in self.naming.columns if types.get(column.name, column.type) is not column.type
        )

    def apply(self, rows: pa.RecordBatch, rejects: Rejects) -> Shaped:
        """The rows whose values the new types can hold. Which columns must have a value is not looked at."""
        refused: list[Reject] = []
        wanted = [Wanted(each.name, Target(each.type, rounded=True)) for each in self.naming.columns]
        conversion = Conversion(wanted, _WHERE, refused.append, inferred=True)
        columns = [
            rows.column(each.name) if each.name in self._types else pa.nulls(rows.num_rows)
            for each in self.naming.columns
        ]
        raw = pa.RecordBatch.from_arrays(columns, names=[each.name for each in self.naming.columns])
        fit = conversion.apply(RawBatch(raw, np.arange(rows.num_rows, dtype=np.int64)))
        rejects.add([Reject(None, each.reason, each.row) for each in refused])
        kept = np.zeros(rows.num_rows, dtype=bool)
        kept[fit.numbers] = True
        return Shaped(fit.rows, kept)

    def missing(self, rows: pa.RecordBatch) -> dict[str, int]:
        """For each column that must have a value: the shaped rows without."""
        return {name: rows.column(name).null_count for name in sorted(self.naming.required)}

    def apply_all(self, rows: pa.RecordBatch, rejects: Rejects) -> pa.RecordBatch:
        """The rows that fit in every way; also those without a value that they must have are refused."""
        shaped = self.apply(rows, rejects).rows
        good = np.ones(shaped.num_rows, dtype=bool)
        for flaw in self.naming.flaws(shaped):
            bad = shaped.filter(pa.array(flaw.rows & good))
            rejects.add([Reject(None, flaw.reason, content(row)) for row in bad.to_pylist()])
            good &= ~flaw.rows
        return shaped.filter(pa.array(good))

    @cached_property
    def _types(self) -> dict[str, ColumnType]:
        return {column.name: column.type for column in self.before}
