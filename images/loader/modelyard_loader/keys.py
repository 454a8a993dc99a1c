"""Gives rows their names: the primary key, from the source or as the row's number, and says which rows have none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import COLUMN_PATTERN, ColumnType
from modelyard_loader.suggestions import use_one_of
from modelyard_loader.working_copy.names import RESERVED_COLUMNS
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.errors import DataError, InvalidSpecError

_NAME_LIMIT = 63


@dataclass(frozen=True)
class Flaw:
    """What is wrong with some rows."""

    rows: np.ndarray
    """True for each row that has it."""
    reason: str


@dataclass(frozen=True)
class Naming:
    """How the rows of a source get their names."""

    key: tuple[str, ...]
    columns: tuple[Column, ...]
    """Columns of the named rows, the key's first."""
    numbered: bool
    """Whether the key is the row's number, which the source does not have."""
    required: frozenset[str] = frozenset()
    """Columns besides the key's that must have a value in every row."""

    @classmethod
    def of(
        cls, columns: Sequence[Column], primary_key: Sequence[str], required: Collection[str] = ()
    ) -> Naming:
        """The naming of a source with these columns.

        A key of one column that the source does not have is the row's number in the source, from 1. Raises
        InvalidSpecError for a key that cannot be made and DataError for columns that SQL cannot hold.
        """
        names = [column.name for column in columns]
        _check_names(names)
        missing = [name for name in primary_key if name not in names]
        if missing and len(primary_key) > 1:
            raise InvalidSpecError(
                "is not a column of the source",
                field="spec.primaryKey",
                value=missing[0],
                remedy=use_one_of(missing[0], names),
            )
        _check_names([*names, *missing])
        by_name = {column.name: column for column in columns}
        numbers = [Column(name=name, type=ColumnType.INTEGER) for name in missing]
        key = [*numbers, *(by_name[name] for name in primary_key if name in by_name)]
        rest = [column for column in columns if column.name not in primary_key]
        return cls(tuple(primary_key), (*key, *rest), bool(missing), frozenset(required) - set(primary_key))

    @property
    def schema(self) -> pa.Schema:
        """The named rows in Arrow."""
        return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in self.columns])

    def named(self, rows: pa.RecordBatch, numbers: np.ndarray) -> pa.RecordBatch:
        """Rows of the source, in canonical types, with their names. ``numbers`` are those of the rows."""
        arrays = [
            pa.array(numbers, pa.int64())
            if self.numbered and column.name in self.key
            else self._held(column, rows.column(column.name))
            for column in self.columns
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def flaws(self, named: pa.RecordBatch) -> Iterator[Flaw]:
        """What is wrong with named rows taken one by one; whether a name occurs twice only all of them can say."""
        for name in () if self.numbered else self.key:
            missing = pc.is_null(named.column(name), nan_is_null=True)
            yield from _flaw(missing, f"primaryKey {name} has no value")
        for name in sorted(self.required):
            if name in named.schema.names:
                yield from _flaw(pc.is_null(named.column(name)), f"column {name} has no value")
        for column in self.columns:
            if column.type is ColumnType.TEXT:
                found = pc.match_substring(named.column(column.name), "\0")
                yield from _flaw(
                    pc.fill_null(found, fill_value=False), f"column {column.name} holds a NUL character"
                )

    def twice(self, row: dict[str, object]) -> str:
        """The reason why a row is refused whose name an earlier one has."""
        values = ", ".join(
            repr(row[name]) if isinstance(row[name], str) else str(row[name]) for name in self.key
        )
        return f"primaryKey {', '.join(self.key)} = {values} names an earlier row too"

    def _held(self, column: Column, values: pa.Array) -> pa.Array:
        """Values as a key holds them: SQL takes both zeros for one, so there is only one."""
        if column.name in self.key and column.type is ColumnType.NUMBER:
            return pc.add(values, 0.0)
        return values


def _flaw(found: pa.Array, reason: str) -> Iterator[Flaw]:
    if pc.any(found).as_py():
        yield Flaw(found.to_numpy(zero_copy_only=False), reason)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not re.match(COLUMN_PATTERN, name) or len(name) > _NAME_LIMIT:
            raise DataError(
                "is not a name for a column: letters, digits and underscores, at most 63, no digit first",
                field="column",
                value=name,
                remedy="rename it in the source",
            )
        if name in RESERVED_COLUMNS:
            raise DataError("is reserved", field="column", value=name, remedy="rename it in the source")
    folded, count = Counter(name.casefold() for name in names).most_common(1)[0]
    if count > 1:
        twins = [name for name in names if name.casefold() == folded]
        raise DataError(
            f"the names {' and '.join(twins)} differ by case only, and SQL takes them for one",
            field="column",
            remedy="rename one of them",
        )
