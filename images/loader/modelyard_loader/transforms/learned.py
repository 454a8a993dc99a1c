"""What is learned from the training part, as parts of a query.

Every result is the same for any number of threads and any order of arrival: counts, orders and whole sums are. A sum
of floats is not, so numbers are added as multiples of a power of two, 90 binary digits below the largest, in 128 bits.
Medians and borders come from a sort, which spills, instead of from aggregates that keep all values in memory.
"""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_loader.transforms.relation import (
    Helpers,
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


def present(relation: Relation, column: Column) -> exp.Select:
    """Values of the training part that are not missing, under the name ``value``."""
    return relation.training(named(column_ref(column.name), "value")).where(missing(column).not_())


def mean(relation: Relation, column: Column, number: int) -> tuple[Helpers, str]:
    """Parts of the query, the last of which has the mean as its one ``value``, and the name of that one."""
    top, result = relation.helper(f"greatest {number}"), relation.helper(f"mean {number}")
    greatest = present(relation, column).where(call("isfinite", column_ref(column.name)))
    values = greatest.subquery("present")
    bound = exp.select(named(exp.Max(this=exp.Abs(this=column_ref("value"))), "bound")).from_(values)
    total = exp.Sum(this=_units(column_ref("value"), scalar(top, "bound")))
    average = exp.Div(
        this=_number(total, scalar(top, "bound")), expression=exp.Count(this=column_ref("value"))
    )
    answer = exp.select(named(average, "value")).from_(values.copy())
    return ((top, bound), (result, answer)), result


def median(relation: Relation, column: Column, number: int) -> tuple[Helpers, str]:
    """As ``mean``, for the median."""
    count, result = relation.helper(f"count {number}"), relation.helper(f"median {number}")
    values = present(relation, column)
    counted = exp.select(named(exp.Count(this=exp.Star()), "count")).from_(values.subquery("present"))
    many = scalar(count, "count")
    middle = (
        values.order_by(column_ref("value"))
        .limit(
            exp.Sub(
                this=exp.Literal.number(2), expression=exp.Mod(this=many, expression=exp.Literal.number(2))
            )
        )
        .offset(
            call(
                "greatest",
                exp.IntDiv(
                    this=exp.paren(exp.Sub(this=many.copy(), expression=exp.Literal.number(1))),
                    expression=exp.Literal.number(2),
                ),
                exp.Literal.number(0),
            )
        )
    )
    half = exp.Literal.number(2)
    low, high = exp.Min(this=column_ref("value")), exp.Max(this=column_ref("value"))
    answer = exp.Add(
        this=exp.Div(this=exp.cast(low, exp.DType.DOUBLE), expression=half),
        expression=exp.Div(this=exp.cast(high, exp.DType.DOUBLE), expression=half.copy()),
    )
    found = exp.select(named(answer, "value")).from_(middle.subquery("middle"))
    return ((count, counted), (result, found)), result


def most_frequent(relation: Relation, column: Column, number: int) -> tuple[Helpers, str]:
    """As ``mean``, for the value that most rows have."""
    result = relation.helper(f"most frequent {number}")
    values = present(relation, column).subquery("present")
    found = (
        exp.select(column_ref("value"))
        .from_(values)
        .group_by(column_ref("value"))
        .order_by(exp.Ordered(this=exp.Count(this=exp.Star()), desc=True), column_ref("value"))
        .limit(1)
    )
    return ((result, found),), result


def borders(relation: Relation, column: Column, intervals: int) -> tuple[Helpers, str, list[str]]:
    """Values below which 1/n, 2/n … of the training part lie, each a value that occurs (nearest rank).

    Returns the parts of the query, the name of the last, and the names of its columns in ascending order.
    """
    ranked, result = relation.helper("ranked"), relation.helper("borders")
    value = column_ref("value")
    order = exp.Window(this=exp.RowNumber(), order=exp.Order(expressions=[exp.Ordered(this=value.copy())]))
    whole = exp.Window(this=exp.Count(this=exp.Star()))
    ranks = exp.select(value, named(order, "rank"), named(whole, "count")).from_(
        present(relation, column).subquery("present")
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
    return ((ranked, ranks), (result, exp.select(*found).from_(table_ref(ranked)))), result, names


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
