"""Values that a query finds on its way to the rows, told beside them: that takes no second pass over the rows.

A function of ours stands around such a value in the query. It gives the value back as it is, and notes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import duckdb
from sqlglot import exp

from modelyard_api.contract.manifest import Learned
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.transforms.relation import SQL_TYPES, Note, call

Value = int | float | bool | str

_FUNCTIONS: Mapping[ColumnType, str] = {kind: f"modelyard_noted_{kind.lower()}" for kind in ColumnType}
_TYPES: Mapping[ColumnType, duckdb.sqltypes.DuckDBPyType] = {
    ColumnType.INTEGER: duckdb.sqltypes.BIGINT,
    ColumnType.NUMBER: duckdb.sqltypes.DOUBLE,
    ColumnType.BOOLEAN: duckdb.sqltypes.BOOLEAN,
    ColumnType.TEXT: duckdb.sqltypes.VARCHAR,
}
_TEXT_LENGTH = 1000


def noted(note: Note, values: Iterable[exp.Expr], kind: ColumnType) -> list[exp.Expr]:
    """The values, of this type, as they stand in a query that notes them."""
    return [
        call(_FUNCTIONS[kind], exp.Literal.string(name), exp.cast(value, SQL_TYPES[kind]))
        for name, value in zip(note.names, values, strict=True)
    ]


class Notes:
    """What the queries of one engine have noted."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._values: dict[str, Value] = {}
        for kind, function in _FUNCTIONS.items():
            # One that has effects is called when the query runs, and not while it is planned.
            connection.create_function(
                function,
                self._noting(),
                [duckdb.sqltypes.VARCHAR, _TYPES[kind]],
                _TYPES[kind],
                side_effects=True,
            )

    def learned(self, notes: Iterable[Note]) -> Iterator[Learned]:
        """What was found of these; what the rows did not depend on is left out."""
        for note in notes:
            found = [self._values[name] for name in note.names if name in self._values]
            if found:
                # Borders that fall together are one.
                yield Learned(
                    step=note.step, column=note.column, values=list(dict.fromkeys(map(_told, found)))
                )

    def _noting(self) -> Callable[[str, Value], Value]:
        def note(name: str, value: Value) -> Value:
            self._values[name] = value
            return value

        return note


def _told(value: Value) -> Value:
    """A value as JSON has it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value[:_TEXT_LENGTH] if isinstance(value, str) else value
