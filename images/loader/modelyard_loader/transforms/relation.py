"""What a transform sees and what it gives: the columns so far, and the SELECT that makes the next ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.suggestions import use_one_of
from modelyard_loader.transforms.rows import HELD_OUT
from modelyard_runtime.errors import InvalidSpecError

DIALECT = DuckDB
SQL_TYPES: Mapping[ColumnType, exp.DType] = {
    ColumnType.INTEGER: exp.DType.BIGINT,
    ColumnType.NUMBER: exp.DType.DOUBLE,
    ColumnType.BOOLEAN: exp.DType.BOOLEAN,
    ColumnType.TEXT: exp.DType.TEXT,
}
NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)


@dataclass(frozen=True)
class Side:
    """Another variant as a join sees it."""

    name: str
    """Name under which SQL finds its rows."""
    key: tuple[str, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Relation:
    """Rows before a transform. SQL takes names for one that differ by case only, so lookups here are exact."""

    name: str
    """Name under which SQL finds the rows."""
    target: str
    """Name of the step that is made of them."""
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    path: str
    """Where the transform stands in the spec, for messages."""
    types_of: Callable[[exp.Select], Mapping[str, str]]
    """Asks the engine which types the columns of a query have; raises InvalidSpecError if it has no meaning."""
    marked: bool = True
    """Whether it is known which rows are held out."""
    sides: Mapping[str, Side] = field(default_factory=dict)
    """Variants that may be joined."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, the key's first."""
        return tuple(column.name for column in self.columns)

    @property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def carried(self) -> list[exp.Column]:
        """Columns that users do not see."""
        return [column_ref(HELD_OUT)] if self.marked else []

    def find(self, name: str, where: str) -> Column:
        """A column. Raises InvalidSpecError that names the ones that look like it."""
        found = self.by_name.get(name)
        if found is None:
            raise InvalidSpecError(
                "is not a column here",
                field=f"{self.path}.{where}",
                value=name,
                remedy=use_one_of(name, self.names),
            )
        return found

    def find_all(self, names: Iterable[str], where: str) -> list[Column]:
        """Columns, each listed once. Raises InvalidSpecError."""
        seen: list[Column] = []
        for name in names:
            column = self.find(name, where)
            if column in seen:
                raise InvalidSpecError(
                    "is listed more than once",
                    field=f"{self.path}.{where}",
                    value=name,
                    remedy="list each column once",
                )
            seen.append(column)
        return seen

    def find_values(self, names: Iterable[str], where: str) -> list[Column]:
        """Columns that are not part of the key, each listed once. Raises InvalidSpecError."""
        found = self.find_all(names, where)
        for column in found:
            if column.name in self.key:
                raise InvalidSpecError(
                    "is part of the key, which every version keeps as it is",
                    field=f"{self.path}.{where}",
                    value=column.name,
                    remedy="derive a column of it and change that one",
                )
        return found

    def check_type(self, column: Column, allowed: Iterable[ColumnType], where: str, remedy: str) -> None:
        """Raises InvalidSpecError if a column is of another type."""
        if column.type not in allowed:
            raise InvalidSpecError(
                f"is a column of type {column.type}",
                field=f"{self.path}.{where}",
                value=column.name,
                remedy=remedy,
            )

    def check_new(self, name: str, where: str) -> None:
        """Raises InvalidSpecError if a column of this name exists."""
        check_new(name, self.names, f"{self.path}.{where}")

    def check_marked(self, what: str) -> None:
        """Raises InvalidSpecError if it is not known which rows are held out."""
        if not self.marked:
            raise InvalidSpecError(
                f"{what} looks at the training part, and rows after aggregate or sql belong to neither part",
                field=self.path,
                remedy="put it before them",
            )

    def sql_type(self, expression: exp.Expr) -> str:
        """SQL type of an expression over the rows. Raises InvalidSpecError if it has none."""
        return next(iter(self.types_of(exp.select(expression).from_(self.probe())).values()))

    def probe(self) -> exp.Subquery:
        """Columns of these types without rows, to ask the engine about."""
        columns = [
            named(exp.cast(exp.null(), SQL_TYPES[column.type]), column.name) for column in self.columns
        ]
        return exp.select(*columns).subquery("probe")

    def helper(self, name: str) -> str:
        """Name for a part of the step's query."""
        return f"{self.target} {name}"

    def rows(self, *expressions: exp.Expr) -> exp.Select:
        """SELECT of expressions over the rows."""
        return exp.select(*expressions).from_(table_ref(self.name))

    def select(self, *added: exp.Expr) -> exp.Select:
        """SELECT of all columns and further ones."""
        return self.rows(*(column_ref(name) for name in self.names), *added, *self.carried)

    def training(self, *expressions: exp.Expr) -> Part:
        """Expressions over the rows that are not held out, kept: these columns are all that is learned from."""
        select = self.rows(*expressions).where(column_ref(HELD_OUT).not_())
        return Part(self.helper("training part"), select, kept=True)

    def fewer_rows(self, *conditions: exp.Expr) -> Made:
        """The rows for which all conditions are true."""
        return Made(self.select().where(*conditions), self.columns)

    def with_column(self, name: str, kind: ColumnType, expression: exp.Expr, helpers: Helpers = ()) -> Made:
        """All rows with a new column at the end."""
        select = self.select(named(expression, name))
        return Made(select, (*self.columns, Column(name=name, type=kind)), helpers)

    def with_values(
        self, values: Mapping[str, exp.Expr], kind: ColumnType | None = None, helpers: Helpers = ()
    ) -> Made:
        """All rows with other values in some columns, of another type if one is given."""
        selected = [named(values[name], name) if name in values else column_ref(name) for name in self.names]
        columns = tuple(
            column.model_copy(update={"type": kind}) if kind and column.name in values else column
            for column in self.columns
        )
        return Made(self.rows(*selected, *self.carried), columns, helpers)


@dataclass(frozen=True)
class Part:
    """A named part of a query."""

    name: str
    select: exp.Select
    kept: bool = False
    """Whether the engine keeps it in any case, spilling if it must; else it does where there are several readers."""


Helpers = tuple[Part, ...]


@dataclass(frozen=True)
class Note:
    """What a step learns of a column."""

    step: str
    """Where the transform stands in the spec."""
    column: str
    count: int = 1
    """How many values it is."""

    @property
    def names(self) -> list[str]:
        """Names under which the values are noted, in order."""
        return [f"{self.step} {self.column} {number}" for number in range(self.count)]


@dataclass(frozen=True)
class Made:
    """What a transform makes of a relation."""

    select: exp.Select
    columns: tuple[Column, ...]
    helpers: Helpers = ()
    """Named parts of the query that stand before the select."""
    key: tuple[str, ...] | None = None
    """The key, if it is another one than before."""
    origin: tuple[str, ...] | None = None
    """The columns that name the row that a row comes from, if they are other ones than before."""
    marked: bool = True
    """False if it is not known any more which rows are held out."""
    notes: tuple[Note, ...] = ()
    """What is learned."""


def check_new(name: str, names: Iterable[str], where: str) -> None:
    """Raises InvalidSpecError if a name is among others in any case."""
    taken = next((each for each in names if each.casefold() == name.casefold()), None)
    if taken is not None:
        raise InvalidSpecError(
            f"there is a column {taken} already",
            field=where,
            value=name,
            remedy="choose another name for the new column",
        )


def column_ref(name: str, table: str | None = None) -> exp.Column:
    """A quoted reference to a column."""
    return exp.column(
        exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True) if table else None
    )


def table_ref(name: str) -> exp.Table:
    """A quoted reference to a table or to an earlier step."""
    return exp.to_table(f'"{name}"', dialect=DIALECT)


def named(expression: exp.Expr, name: str) -> exp.Alias:
    """An expression under the name of a column."""
    return exp.Alias(this=expression, alias=exp.to_identifier(name, quoted=True))


def scalar(helper: str, column: str) -> exp.Subquery:
    """The one value of a column of a helper that has one row."""
    return exp.select(column_ref(column)).from_(table_ref(helper)).subquery()


def call(function: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of one of DuckDB's functions."""
    return exp.Anonymous(this=function, expressions=list(arguments))


def missing(column: Column) -> exp.Expr:
    """Whether a value is null or not a number."""
    null = column_ref(column.name).is_(exp.null())
    if column.type is not ColumnType.NUMBER:
        return null
    return exp.paren(exp.or_(null, call("isnan", column_ref(column.name))))


def known(column: Column) -> exp.Expr:
    """A value, or null where it is missing, so that all missing values are the same."""
    value = column_ref(column.name)
    if column.type is not ColumnType.NUMBER:
        return value
    return exp.paren(exp.Case().when(missing(column).not_(), value))


def finite(expression: exp.Expr) -> exp.Case:
    """A number, or null where it is not finite."""
    number = exp.cast(expression, exp.DType.DOUBLE)
    return exp.Case().when(call("isfinite", number), number.copy())
