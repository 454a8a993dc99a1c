"""aggregate: one row for each group. Whatever the order of rows and the number of threads, the values are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_tables import (
    Aggregate,
    AggregateColumn,
    AggregateFunction,
    AggregatePart,
)
from modelyard_loader.transforms.guards import refusal, unless
from modelyard_loader.transforms.learned import exact_sum
from modelyard_loader.transforms.relation import (
    NUMERIC,
    SQL_TYPES,
    Helpers,
    Made,
    Part,
    Relation,
    call,
    check_new,
    column_ref,
    finite,
    missing,
    named,
    table_ref,
)
from modelyard_loader.transforms.rows import HELD_OUT

_COUNTS = (AggregateFunction.COUNT, AggregateFunction.COUNT_MISSING, AggregateFunction.COUNT_DISTINCT)
_OF_NUMBERS = (
    AggregateFunction.SUM,
    AggregateFunction.MEAN,
    AggregateFunction.STANDARD_DEVIATION,
    AggregateFunction.MEDIAN,
)


@dataclass(frozen=True)
class _Group:
    """Names of the query's parts, and the columns that make a group."""

    columns: tuple[str, ...]
    source: str
    bounds: str
    means: str
    key: tuple[str, ...]
    """Key of the rows before."""

    def same_as(self, other: str) -> exp.Expr:
        """Condition of a join with another part."""
        return exp.and_(
            *(
                exp.EQ(this=column_ref(name, self.source), expression=column_ref(name, other))
                for name in self.columns
            )
        )

    def value(self, column: Column) -> exp.Expr:
        """A column's value; null where it is not finite."""
        reference = column_ref(column.name, self.source)
        if column.type is not ColumnType.NUMBER:
            return reference
        return exp.paren(exp.Case().when(call("isfinite", reference), reference.copy()))

    def bound(self, column: Column) -> exp.Column:
        """The greatest magnitude of a column in the row's group."""
        return column_ref(_bound(column), self.bounds)

    def mean(self, column: Column) -> exp.Column:
        """The mean of a column in the row's group."""
        return column_ref(_mean(column), self.means)


_Compute = Callable[[_Group, Column], exp.Expr]


def aggregate_rows(transform: Aggregate, relation: Relation) -> Made:
    """The groups, their columns first."""
    if transform.part is AggregatePart.TRAINING:
        relation.check_marked("part Training")
    keys = relation.find_all(transform.group_by, "groupBy")
    group = _Group(
        columns=tuple(column.name for column in keys),
        source=relation.helper("grouped"),
        bounds=relation.helper("bounds"),
        means=relation.helper("means"),
        key=relation.key,
    )
    columns = _columns(transform, relation, keys)
    used = {*group.columns, *relation.key, *(each.column for each in transform.columns)}
    names = [column_ref(name) for name in relation.names if name in used]
    rows = relation.rows(*names).where(*(_present(column, relation) for column in keys))
    if transform.part is AggregatePart.TRAINING:
        rows = rows.where(column_ref(HELD_OUT).not_())
    inputs = [relation.by_name[each.column] if each.column else None for each in transform.columns]
    spread = _asked(transform.columns, relation, {AggregateFunction.STANDARD_DEVIATION})
    summed = _asked(
        transform.columns,
        relation,
        {AggregateFunction.SUM, AggregateFunction.MEAN, AggregateFunction.STANDARD_DEVIATION},
    )
    helpers: Helpers = (Part(group.source, rows), Part(group.bounds, _bounds(group, summed)))
    if spread:
        helpers += (Part(group.means, _means(group, spread)),)
    values = [
        named(_computed(each, group, column, new.type), each.into)
        for each, column, new in zip(transform.columns, inputs, columns[len(keys) :], strict=True)
    ]
    groups = [column_ref(name, group.source) for name in group.columns]
    select = exp.select(*groups, *values).from_(table_ref(group.source))
    if summed:
        select = select.join(table_ref(group.bounds), on=group.same_as(group.bounds))
    if spread:
        select = select.join(table_ref(group.means), on=group.same_as(group.means))
    select = select.group_by(*(name.copy() for name in groups))
    return Made(select, columns, helpers, key=group.columns, origin=group.columns, marked=False)


def _present(column: Column, relation: Relation) -> exp.Case:
    nothing = refusal(
        f"a row has no value in column {column.name}, which names its group",
        field=relation.path,
        remedy="drop or fill missing values before",
    )
    return unless(missing(column), nothing)


def _columns(transform: Aggregate, relation: Relation, keys: Sequence[Column]) -> tuple[Column, ...]:
    made = list(keys)
    for each in transform.columns:
        check_new(each.into, [column.name for column in made], f"{relation.path}.columns")
        column = relation.find(each.column, "columns") if each.column else None
        if column is not None and each.function in _OF_NUMBERS:
            relation.check_type(column, NUMERIC, "columns", f"{each.function} needs a numeric column")
        made.append(Column(name=each.into, type=_type(each.function, column)))
    return tuple(made)


def _type(function: AggregateFunction, column: Column | None) -> ColumnType:
    if column is None or function in _COUNTS:
        return ColumnType.INTEGER
    if function in _OF_NUMBERS and (function, column.type) != (AggregateFunction.SUM, ColumnType.INTEGER):
        return ColumnType.NUMBER
    return column.type


def _asked(
    columns: Sequence[AggregateColumn], relation: Relation, functions: set[AggregateFunction]
) -> list[Column]:
    """Columns of which one of the functions is asked."""
    names = dict.fromkeys(each.column for each in columns if each.column and each.function in functions)
    return [relation.by_name[name] for name in names]


def _bound(column: Column) -> str:
    return f"bound of {column.name}"


def _mean(column: Column) -> str:
    return f"mean of {column.name}"


def _bounds(group: _Group, columns: Sequence[Column]) -> exp.Select:
    tops = [
        named(exp.Max(this=exp.Abs(this=exp.cast(group.value(column), exp.DType.DOUBLE))), _bound(column))
        for column in columns
    ]
    names = [column_ref(name, group.source) for name in group.columns]
    return exp.select(*names, *tops).from_(table_ref(group.source)).group_by(*(each.copy() for each in names))


def _means(group: _Group, columns: Sequence[Column]) -> exp.Select:
    names = [column_ref(name, group.source) for name in group.columns]
    means = [named(_average(group, column), _mean(column)) for column in columns]
    return (
        exp.select(*names, *means)
        .from_(table_ref(group.source))
        .join(table_ref(group.bounds), on=group.same_as(group.bounds))
        .group_by(*(each.copy() for each in names))
    )


def _computed(each: AggregateColumn, group: _Group, column: Column | None, kind: ColumnType) -> exp.Expr:
    if column is None:
        return exp.Count(this=exp.Star())
    computed = exp.cast(_FUNCTIONS[each.function](group, column), SQL_TYPES[kind])
    return finite(computed) if kind is ColumnType.NUMBER else computed


def _sum(group: _Group, column: Column) -> exp.Expr:
    value, bound = group.value(column), group.bound(column)
    if column.type is ColumnType.INTEGER:
        return exp.Sum(this=value)
    return exact_sum(value, bound, exp.Max(this=bound.copy()))


def _average(group: _Group, column: Column) -> exp.Expr:
    total = exp.cast(_sum(group, column), exp.DType.DOUBLE)
    return exp.Div(this=total, expression=exp.Count(this=group.value(column)))


def _deviation(group: _Group, column: Column) -> exp.Expr:
    """Root of the mean square distance from the mean, which is at most twice the bound."""
    apart = exp.paren(exp.Sub(this=group.value(column), expression=group.mean(column)))
    square = exp.Mul(this=apart, expression=apart.copy())
    twice = exp.paren(exp.Mul(this=group.bound(column), expression=exp.Literal.number(2)))
    bound = exp.Mul(this=twice, expression=twice.copy())
    total = exact_sum(exp.paren(square), bound, exp.Max(this=bound.copy()))
    others = exp.Sub(this=exp.Count(this=group.value(column)), expression=exp.Literal.number(1))
    several = exp.GT(this=others, expression=exp.Literal.number(0))
    return exp.Case().when(
        several, exp.Sqrt(this=exp.Div(this=exp.paren(total), expression=exp.paren(others.copy())))
    )


def _first(extreme: str) -> _Compute:
    return lambda group, column: call(
        extreme,
        group.value(column),
        call("row", *(column_ref(name, group.source) for name in group.key)),
    )


_FUNCTIONS: Mapping[AggregateFunction, _Compute] = {
    AggregateFunction.COUNT_MISSING: lambda group, column: exp.Sub(
        this=exp.Count(this=exp.Star()), expression=exp.Count(this=group.value(column))
    ),
    AggregateFunction.COUNT_DISTINCT: lambda group, column: exp.Count(
        this=exp.Distinct(expressions=[group.value(column)])
    ),
    AggregateFunction.SUM: _sum,
    AggregateFunction.MEAN: _average,
    AggregateFunction.STANDARD_DEVIATION: _deviation,
    AggregateFunction.MIN: lambda group, column: exp.Min(this=group.value(column)),
    AggregateFunction.MAX: lambda group, column: exp.Max(this=group.value(column)),
    AggregateFunction.MEDIAN: lambda group, column: exp.Median(this=group.value(column)),
    AggregateFunction.FIRST: _first("arg_min"),
    AggregateFunction.LAST: _first("arg_max"),
}
