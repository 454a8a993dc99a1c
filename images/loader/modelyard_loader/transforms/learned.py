"""What is learned from the training part, as parts of a query.

Every result is the same for any number of threads and any order of arrival: counts, orders and whole sums are. A sum
of floats is not, so numbers are added as multiples of a power of two, 90 binary digits below the largest, in 128 bits.
Medians and borders come from a sort, which spills, instead of from aggregates that keep all values in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_loader.transforms.relation import (
    Helpers,
    Part,
    Relation,
    call,
    column_ref,
    finite,
    missing,
    named,
    scalar,
    table_ref,
)

_DIGITS = 90
_GREATEST_SHIFT = 1000


@dataclass(frozen=True)
class Learned:
    """What was learned of some columns: parts of the query, and for each column the value as an expression."""

    helpers: Helpers
    values: Mapping[str, exp.Expr]


def means(relation: Relation, columns: Sequence[Column]) -> Learned:
    """Mean of each column's finite values."""
    training = _kept(relation, columns)
    bounds, results = relation.helper("bounds"), relation.helper("means")
    tops = [named(exp.Max(this=exp.Abs(this=_finite_value(column))), column.name) for column in columns]
    averages = []
    for column in columns:
        bound = scalar(bounds, column.name)
        total = _number(exp.Sum(this=_units(_finite_value(column), bound)), bound)
        many = exp.Count(this=_finite_value(column))
        averages.append(named(exp.Div(this=total, expression=many), column.name))
    source = table_ref(training.name)
    return Learned(
        (
            training,
            Part(bounds, exp.select(*tops).from_(source)),
            Part(results, exp.select(*averages).from_(source.copy())),
        ),
        {column.name: scalar(results, column.name) for column in columns},
    )


def medians(relation: Relation, columns: Sequence[Column]) -> Learned:
    """Median of each column."""
    training = _kept(relation, columns)
    helpers: Helpers = (training,)
    values: dict[str, exp.Expr] = {}
    for number, column in enumerate(columns):
        count, result = relation.helper(f"count {number}"), relation.helper(f"median {number}")
        present = _present(training, column)
        counted = exp.select(named(exp.Count(this=exp.Star()), "value")).from_(present.subquery("present"))
        helpers += (Part(count, counted), Part(result, _middle(present, scalar(count, "value"))))
        values[column.name] = scalar(result, "value")
    return Learned(helpers, values)


def most_frequent(relation: Relation, columns: Sequence[Column]) -> Learned:
    """The value of each column that most rows have, the least of several."""
    training = _kept(relation, columns)
    helpers: Helpers = (training,)
    values: dict[str, exp.Expr] = {}
    for number, column in enumerate(columns):
        result = relation.helper(f"most frequent {number}")
        found = (
            exp.select(column_ref("value"))
            .from_(_present(training, column).subquery("present"))
            .group_by(column_ref("value"))
            .order_by(exp.Ordered(this=exp.Count(this=exp.Star()), desc=True), column_ref("value"))
            .limit(1)
        )
        helpers += (Part(result, found),)
        values[column.name] = scalar(result, "value")
    return Learned(helpers, values)


def _kept(relation: Relation, columns: Sequence[Column]) -> Part:
    return relation.training(*(column_ref(column.name) for column in columns))


def _present(training: Part, column: Column) -> exp.Select:
    """Values that are not missing, under the name ``value``."""
    value = named(column_ref(column.name), "value")
    return exp.select(value).from_(table_ref(training.name)).where(missing(column).not_())


def _finite_value(column: Column) -> exp.Expr:
    return exp.paren(finite(column_ref(column.name)))


def _middle(present: exp.Select, many: exp.Subquery) -> exp.Select:
    """The middle of sorted values, or half way between the two in the middle."""
    two, one = exp.Literal.number(2), exp.Literal.number(1)
    shown = exp.Sub(this=two, expression=exp.Mod(this=many, expression=two.copy()))
    half = exp.IntDiv(this=exp.paren(exp.Sub(this=many.copy(), expression=one)), expression=two.copy())
    skipped = call("greatest", half, exp.Literal.number(0))
    middle = present.order_by(column_ref("value")).limit(shown).offset(skipped).subquery("middle")
    low, high = (
        exp.Div(this=exp.cast(extreme(this=column_ref("value")), exp.DType.DOUBLE), expression=two.copy())
        for extreme in (exp.Min, exp.Max)
    )
    return exp.select(named(exp.Add(this=low, expression=high), "value")).from_(middle)


def borders(relation: Relation, column: Column, intervals: int) -> tuple[Helpers, str, list[str]]:
    """Values below which 1/n, 2/n … of the training part lie, each a value that occurs (nearest rank).

    Returns the parts of the query, the name of the last, and the names of its columns in ascending order.
    """
    training = _kept(relation, [column])
    ranked, result = relation.helper("ranked"), relation.helper("borders")
    value = column_ref("value")
    order = exp.Window(this=exp.RowNumber(), order=exp.Order(expressions=[exp.Ordered(this=value.copy())]))
    whole = exp.Window(this=exp.Count(this=exp.Star()))
    ranks = exp.select(value, named(order, "rank"), named(whole, "count")).from_(
        _present(training, column).subquery("present")
    )
    names = [f"border {number}" for number in range(1, intervals)]
    found = [
        named(
            exp.Filter(
                this=exp.Max(this=value.copy()),
                expression=exp.Where(
                    this=exp.EQ(this=column_ref("rank"), expression=_rank(number, intervals))
                ),
            ),
            name,
        )
        for number, name in enumerate(names, start=1)
    ]
    answer = exp.select(*found).from_(table_ref(ranked))
    return (training, Part(ranked, ranks), Part(result, answer)), result, names


def exact_sum(value: exp.Expr, bound: exp.Expr, whole_bound: exp.Expr | None = None) -> exp.Case:
    """Sum of floats that does not depend on their order, or null where it is not finite.

    ``bound`` is the greatest magnitude among them as each row sees it, ``whole_bound`` as the sum of all sees it.
    """
    return finite(_number(exp.Sum(this=_units(value, bound)), whole_bound or bound))


def _units(value: exp.Expr, bound: exp.Expr) -> exp.Cast:
    scaled = exp.Mul(this=value, expression=call("pow", exp.Literal.number("2.0"), _shift(bound)))
    return exp.cast(scaled, exp.DType.INT128)


def _number(units: exp.Expr, bound: exp.Expr) -> exp.Expr:
    shift = exp.Neg(this=exp.paren(_shift(bound)))
    return exp.paren(
        exp.Mul(
            this=exp.cast(units, exp.DType.DOUBLE),
            expression=call("pow", exp.Literal.number("2.0"), shift),
        )
    )


def _shift(bound: exp.Expr) -> exp.Expr:
    """Binary digits by which values are shifted so that the greatest has ``_DIGITS`` of them."""
    size = exp.Ceil(this=call("log2", call("greatest", bound.copy(), _tiny())))
    digits = exp.Sub(this=exp.Literal.number(_DIGITS), expression=size)
    return call("least", digits, exp.Literal.number(_GREATEST_SHIFT))


def _tiny() -> exp.Expr:
    return exp.cast(exp.Literal.string("1e-300"), exp.DType.DOUBLE)


def _rank(number: int, intervals: int) -> exp.Expr:
    """Nearest rank: the least whole number that is at least ``number / intervals`` of the count."""
    product = exp.Mul(this=column_ref("count"), expression=exp.Literal.number(number))
    above = exp.Add(this=product, expression=exp.Literal.number(intervals - 1))
    return exp.IntDiv(this=exp.paren(above), expression=exp.Literal.number(intervals))
