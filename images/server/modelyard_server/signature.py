"""The model's inputs: what a request must bring, checked column by column, and the matrix that it becomes.

The matrix has the form that ``modelyard_runtime.matrix`` describes, in which training made it: float64 with NaN for a
missing number, or Python objects where some column is a text, with NaN for a missing text too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.errors import RequestError

_NAMES_SHOWN = 5
_VALUE_SHOWN = 60
_COLUMNS_TOLD = 100
_WANTED = {
    ColumnType.INTEGER: "a whole number",
    ColumnType.NUMBER: "a number",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.TEXT: "a text",
}
_KINDS: Mapping[ColumnType, frozenset[type]] = {
    ColumnType.INTEGER: frozenset({int, float}),
    ColumnType.NUMBER: frozenset({int, float}),
    ColumnType.BOOLEAN: frozenset({bool}),
    ColumnType.TEXT: frozenset({str}),
}
_NONE = type(None)
_NUMBERS = frozenset({int, float})
_EXACT = 1 << 53
_COUNTED = frozenset({ColumnType.INTEGER, ColumnType.NUMBER})


class Rows:
    """Rows of a request in the order of the signature, not yet checked; as they came, by row or by column."""

    __slots__ = ("_columns", "count", "rows")

    def __init__(
        self,
        columns: Sequence[Sequence[Any]] | None,
        count: int,
        rows: Sequence[Sequence[Any]] | None = None,
    ) -> None:
        self.count = count
        self.rows = rows
        self._columns = columns

    @property
    def columns(self) -> Sequence[Sequence[Any]]:
        """The values of each column."""
        if self._columns is None:
            self._columns = list(zip(*(self.rows or ()), strict=True))
        return self._columns


@dataclass(frozen=True)
class Signature:
    """Columns that the model was fitted on, in order."""

    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def types(self) -> Mapping[str, ColumnType]:
        """Type by name."""
        return {column.name: column.type for column in self.columns}

    @cached_property
    def kinds(self) -> frozenset[ColumnType]:
        """Types that there are."""
        return frozenset(self.types.values())

    @cached_property
    def numeric(self) -> bool:
        """Whether every column becomes a number."""
        return all(column.type is not ColumnType.TEXT for column in self.columns)

    def demanding(self, required: frozenset[str]) -> Signature:
        """The same with more columns in which nothing may be missing."""
        return Signature(
            tuple(
                column.model_copy(update={"nullable": False}) if column.name in required else column
                for column in self.columns
            )
        )


class Reader:
    """Reads rows of a signature, at most so many at a time. Every method raises RequestError naming the column and the row."""

    def __init__(self, signature: Signature, max_rows: int | None = None) -> None:
        self.signature = signature
        self._max_rows = max_rows
        self._columns = signature.columns
        self._names = signature.names
        self._known = frozenset(signature.names)
        self._width = {len(signature.names)}
        self._numeric = signature.numeric
        self._counted = all(column.type in _COUNTED for column in signature.columns)
        self._whole = tuple(
            place for place, column in enumerate(signature.columns) if column.type is ColumnType.INTEGER
        )
        self._kinds = tuple(_KINDS[column.type] for column in signature.columns)
        self._pick = _picker(signature.names)

    def from_records(self, records: Sequence[Any]) -> Rows:
        """Rows as objects, each with a value for every column and nothing else."""
        self._demand_rows(len(records))
        try:
            rows = [self._pick(record) for record in records]
        except (KeyError, TypeError):
            self._explain(records)
            raise
        if set(map(len, records)) != self._width:
            self._explain(records)
        return Rows(None, len(rows), rows)

    def from_lists(self, rows: Sequence[Any], names: Sequence[str] | None = None) -> Rows:
        """Rows as lists of values, in the order of ``names`` or else of the signature."""
        self._demand_rows(len(rows))
        if names is not None:
            self._check_names(names, "columns")
        width = len(self._names)
        for index, row in enumerate(rows):
            if not isinstance(row, list):
                raise RequestError(f"row {index} is not a list of values")
            if len(row) != width:
                raise RequestError(
                    f"row {index} has {len(row)} values, {width} are expected: {self._listed()}"
                )
        if names is None or tuple(names) == self._names:
            return Rows(None, len(rows), rows)
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        place = {name: index for index, name in enumerate(names)}
        return Rows([columns[place[name]] for name in self._names], len(rows))

    def from_columns(self, given: Mapping[str, Any]) -> Rows:
        """A list of values for every column."""
        if given.keys() != self._known:
            self._check_names(given, "columns")
        columns = [given[name] for name in self._names]
        for name, values in zip(self._names, columns, strict=True):
            if not isinstance(values, list | tuple):
                raise RequestError(f'column "{name}" is not a list of values')
            if len(values) != len(columns[0]):
                raise RequestError(
                    f'column "{name}" has {len(values)} values, column "{self._names[0]}" has {len(columns[0])}'
                )
        self._demand_rows(len(columns[0]))
        return Rows(columns, len(columns[0]))

    def matrix(self, rows: Rows) -> np.ndarray:
        """Checked values of shape (rows, columns)."""
        at_once = self._at_once(rows)
        if at_once is not None:
            return at_once
        matrix = np.empty((rows.count, len(self._columns)), dtype=np.float64 if self._numeric else object)
        wrong: list[RequestError] = []
        for index, (column, values) in enumerate(zip(self._columns, rows.columns, strict=True)):
            try:
                if column.type is ColumnType.TEXT:
                    matrix[:, index] = self._texts(column, values)
                else:
                    numbers = self._numbers(column, values)
                    matrix[:, index] = numbers if self._numeric else numbers.tolist()
            except RequestError as error:
                wrong.append(error)
        if wrong:
            raise _all_of(wrong)
        return matrix

    def _at_once(self, rows: Rows) -> np.ndarray | None:
        """The matrix, where all is plainly as it should be; else None, and the columns are looked at one by one."""
        if rows.rows is None:
            # A row in columns is as many lists as there are columns; laid out, it is one.
            given = [[values[0] for values in rows.columns]] if rows.count == 1 else None
        else:
            given = rows.rows  # type: ignore[assignment]
        if given is None:
            return None
        if self._counted:
            return self._counts_at_once(given)
        return self._texts_at_once(given[0]) if rows.count == 1 else None

    def _counts_at_once(self, rows: Sequence[Sequence[Any]]) -> np.ndarray | None:
        values = rows[0] if len(rows) == 1 else list(chain.from_iterable(rows))
        if not _NUMBERS.issuperset(map(type, values)):
            return None
        try:
            matrix = np.array(values, dtype=np.float64).reshape(len(rows), len(self._names))
        except OverflowError:
            return None
        if self._whole:
            whole = matrix[:, self._whole]
            if not (whole == np.floor(whole)).all():
                return None
        return matrix

    def _texts_at_once(self, row: Sequence[Any]) -> np.ndarray | None:
        matrix = np.empty((1, len(row)), dtype=object)
        for place, (value, kinds) in enumerate(zip(row, self._kinds, strict=True)):
            kind = type(value)
            if kind not in kinds or (kind is int and not -_EXACT < value < _EXACT):
                return None
            matrix[0, place] = value if kind is str else float(value)
        for place in self._whole:
            if not matrix[0, place].is_integer():
                return None
        return matrix

    def _numbers(self, column: Column, values: Sequence[Any]) -> np.ndarray:
        kinds = set(map(type, values))
        if not kinds <= _KINDS[column.type]:
            values = self._without_missing(column, values, kinds)
        try:
            numbers = np.array(values, dtype=np.float64)
        except OverflowError as error:
            raise RequestError(
                f'column "{column.name}" holds a number that is too large',
                columns={column.name: "a number is too large"},
            ) from error
        if column.type is ColumnType.INTEGER:
            odd = np.flatnonzero(numbers != np.floor(numbers))
            odd = odd[~np.isnan(numbers[odd])]
            if odd.size:
                raise _wrong(column, int(odd[0]), values[odd[0]])
        return numbers

    def _texts(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        kinds = set(map(type, values))
        return values if kinds <= _KINDS[column.type] else self._without_missing(column, values, kinds)

    @staticmethod
    def _without_missing(column: Column, values: Sequence[Any], kinds: set[type]) -> Sequence[Any]:
        """Values with NaN for None. Raises RequestError at the first that does not fit the column."""
        fitting = _KINDS[column.type] | ({_NONE} if column.nullable else frozenset())
        if not kinds <= fitting:
            index = next(i for i, value in enumerate(values) if type(value) not in fitting)
            raise _wrong(column, index, values[index])
        return [np.nan if value is None else value for value in values]

    def _explain(self, records: Sequence[Any]) -> None:
        """Raises RequestError at the first record that is not a row."""
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                raise RequestError(f"row {index} is not an object of column names and values")
            self._check_names(record, f"row {index}")

    def _check_names(self, given: Sequence[str] | Mapping[str, Any], where: str) -> None:
        names = list(given)
        known = set(names)
        missing = [name for name in self._names if name not in known]
        extra = [str(name) for name in names if name not in self._known]
        if missing or extra:
            raise RequestError(
                f"{where}: {_sentence('missing', missing)}{_sentence('not an input of this model:', extra)}"
                f"the model takes {self._listed()}",
                columns=dict.fromkeys(missing[:_COLUMNS_TOLD], f"{where}: missing")
                | dict.fromkeys(extra[:_COLUMNS_TOLD], f"{where}: not an input of this model"),
            )
        if len(names) != len(self._names):
            twice = next(name for name in names if names.count(name) > 1)
            raise RequestError(f'{where}: column "{twice}" is given twice')

    def _demand_rows(self, count: int) -> None:
        if count == 0:
            raise RequestError(f"there are no rows; give at least one with {self._listed()}")
        if self._max_rows is not None and count > self._max_rows:
            raise RequestError(
                f"there are {count} rows, at most {self._max_rows} are answered at a time; send fewer",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )

    def _listed(self) -> str:
        return _quoted(
            self._names, len(self._names) if len(self._names) <= 2 * _NAMES_SHOWN else _NAMES_SHOWN
        )


def _picker(names: tuple[str, ...]) -> Callable[[Any], Sequence[Any]]:
    """Takes the values of a record in the order of the names. It raises KeyError or TypeError for what is no row."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda record: [record[name] for name in names]


def _wrong(column: Column, row: int, value: object) -> RequestError:
    wanted = _WANTED[column.type]
    said = (
        f"nothing may be missing here, give {wanted}" if value is None else f"{_shown(value)} is not {wanted}"
    )
    return RequestError(
        f'column "{column.name}", row {row}: {said}', columns={column.name: f"row {row}: {said}"}
    )


def _all_of(wrong: Sequence[RequestError]) -> RequestError:
    """The first in words, and every column by its name."""
    first, *more = wrong
    if not more:
        return first
    columns: dict[str, str] = {}
    for error in wrong[:_COLUMNS_TOLD]:
        columns |= error.columns
    others = [name for error in more for name in error.columns]
    return RequestError(f"{first.message}; also wrong: {_quoted(others)}", columns=columns)


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _VALUE_SHOWN else text[: _VALUE_SHOWN - 1] + "…"


def _sentence(what: str, names: Sequence[str]) -> str:
    return f"{what} {_quoted(names)}; " if names else ""


def _quoted(names: Sequence[str], limit: int = _NAMES_SHOWN) -> str:
    shown = ", ".join(f'"{name[:_VALUE_SHOWN]}"' for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
