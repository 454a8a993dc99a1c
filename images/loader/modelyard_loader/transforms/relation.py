"""What a transform sees and what it gives: the columns so far, and the SELECT that makes the next ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.suggestions import use_one_of
from modelyard_runtime.errors import InvalidSpecError

DIALECT = "duckdb"


@dataclass(frozen=True)
class Relation:
    """Rows before a transform. SQL takes names for one that differ by case only, so lookups here are exact."""

    name: str
    """Name under which SQL finds the rows."""
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    path: str
    """Where the transform stands in the spec, for messages."""
    sql_type: Callable[[exp.Expression], str]
    """Asks the engine which type an expression over the rows has; raises InvalidSpecError if it has none."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, the key's first."""
        return tuple(column.name for column in self.columns)

    @property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    def find(self, name: str, field: str) -> Column:
        """A column. Raises InvalidSpecError that names the ones that look like it."""
        found = self.by_name.get(name)
        if found is None:
            raise InvalidSpecError(
                "is not a column here",
                field=f"{self.path}.{field}",
                value=name,
                remedy=use_one_of(name, self.names),
            )
        return found

    def check_new(self, name: str, field: str) -> None:
        """Raises InvalidSpecError if a column of this name exists."""
        taken = next((each for each in self.names if each.casefold() == name.casefold()), None)
        if taken is not None:
            raise InvalidSpecError(
                f"there is a column {taken} already",
                field=f"{self.path}.{field}",
                value=name,
                remedy="choose another name for the new column",
            )

    def select(self, *added: exp.Expression) -> exp.Select:
        """SELECT of all columns and further ones."""
        return exp.select(*(column_ref(name) for name in self.names), *added).from_(table_ref(self.name))

    def fewer_rows(self, *conditions: exp.Expression) -> Made:
        """The rows for which all conditions are true."""
        return Made(self.select().where(*conditions), self.columns, fewer_rows=True)

    def with_column(self, name: str, kind: ColumnType, expression: exp.Expression) -> Made:
        """All rows with a new column at the end."""
        select = self.select(named(expression, name))
        return Made(select, (*self.columns, Column(name=name, type=kind)))


@dataclass(frozen=True)
class Made:
    """What a transform makes of a relation."""

    select: exp.Select
    columns: tuple[Column, ...]
    fewer_rows: bool = False
    """Whether rows may be gone: then what follows must not see them, not even in an order that an optimiser likes."""


def column_ref(name: str) -> exp.Column:
    """A quoted reference to a column."""
    return exp.column(exp.to_identifier(name, quoted=True))


def table_ref(name: str) -> exp.Table:
    """A quoted reference to a table or to an earlier step."""
    return exp.to_table(f'"{name}"', dialect=DIALECT)


def named(expression: exp.Expression, name: str) -> exp.Alias:
    """An expression under the name of a column."""
    return exp.Alias(this=expression, alias=exp.to_identifier(name, quoted=True))
