"""The model's inputs: what a request must bring, checked column by column, and the matrix that it becomes.

The matrix has the form that ``modelyard_runtime.matrix`` describes, in which training made it: float64 with NaN for a
missing number, or Python objects where some column is a text, with NaN for a missing text too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.errors import RequestError

_NAMES_SHOWN = 5
_VALUE_SHOWN = 60
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


@dataclass(frozen=True)
class Rows:
    """Rows of a request as columns in the order of the signature, not yet checked."""

    columns: Sequence[Sequence[Any]]
    count: int


@dataclass(frozen=True)
class Signature:
    """Columns that the model was fitted on, in order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)

    @property
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
        self._numeric = signature.numeric

    def from_records(self, records: Sequence[Any]) -> Rows:
        """Rows as objects, each with a value for every column and nothing else."""
        self._demand_rows(len(records))
        if set(map(type, records)) != {dict}:
            index = next(i for i, record in enumerate(records) if not isinstance(record, dict))
            raise RequestError(f"row {index} is not an object of column names and values")
        try:
            columns = [[record[name] for record in records] for name in self._names]
        except KeyError:
            self._demand_names(records)
            raise
        if set(map(len, records)) != {len(self._names)}:
            self._demand_names(records)
        return Rows(columns, len(records))

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
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        if names is None or tuple(names) == self._names:
            return Rows(columns, len(rows))
        place = {name: index for index, name in enumerate(names)}
        return Rows([columns[place[name]] for name in self._names], len(rows))

    def from_columns(self, given: Mapping[str, Any]) -> Rows:
        """A list of values for every column."""
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
        if self._numeric:
            stacked = np.array(
                [self._numbers(*pair) for pair in zip(self._columns, rows.columns, strict=True)]
            )
            return np.ascontiguousarray(stacked.T)
        matrix = np.empty((rows.count, len(self._columns)), dtype=object)
        for index, (column, values) in enumerate(zip(self._columns, rows.columns, strict=True)):
            text = column.type is ColumnType.TEXT
            matrix[:, index] = self._texts(column, values) if text else self._numbers(column, values).tolist()
        return matrix

    def _numbers(self, column: Column, values: Sequence[Any]) -> np.ndarray:
        kinds = set(map(type, values))
        if not kinds <= _KINDS[column.type]:
            values = self._without_missing(column, values, kinds)
        try:
            numbers = np.array(values, dtype=np.float64)
        except OverflowError as error:
            raise RequestError(f'column "{column.name}" holds a number that is too large') from error
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

    def _demand_names(self, records: Sequence[Mapping[str, Any]]) -> None:
        for index, record in enumerate(records):
            self._check_names(record, f"row {index}")

    def _check_names(self, given: Sequence[str] | Mapping[str, Any], where: str) -> None:
        names = list(given)
        missing = [name for name in self._names if name not in set(names)]
        extra = [str(name) for name in names if name not in self._known]
        if missing or extra:
            raise RequestError(
                f"{where}: {_sentence('missing', missing)}{_sentence('not an input of this model:', extra)}"
                f"the model takes {self._listed()}"
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


def _wrong(column: Column, row: int, value: object) -> RequestError:
    wanted = _WANTED[column.type]
    if value is None:
        return RequestError(f'column "{column.name}", row {row}: nothing may be missing here, give {wanted}')
    return RequestError(f'column "{column.name}", row {row}: {_shown(value)} is not {wanted}')


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _VALUE_SHOWN else text[: _VALUE_SHOWN - 1] + "…"


def _sentence(what: str, names: Sequence[str]) -> str:
    return f"{what} {_quoted(names)}; " if names else ""


def _quoted(names: Sequence[str], limit: int = _NAMES_SHOWN) -> str:
    shown = ", ".join(f'"{name[:_VALUE_SHOWN]}"' for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
