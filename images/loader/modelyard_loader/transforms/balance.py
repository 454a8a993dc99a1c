"""balance: classes of the training part made equally large by copies, or by dropping rows.

Which rows are copied once more than others, or dropped, is drawn by hash of seed and key. Rows that are held out, and
rows without a class, stay as they are, once. A copy bears its row's key and a number, and the split goes by that key:
so no copy of a row that is held out is trained on.
"""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_tables import COPY_NUMBER, Balance, BalanceMethod
from modelyard_loader.transforms.hashing import key_hash
from modelyard_loader.transforms.ordering import row_number
from modelyard_loader.transforms.relation import (
    Helpers,
    Made,
    Relation,
    call,
    column_ref,
    missing,
    named,
    scalar,
    table_ref,
)
from modelyard_loader.transforms.rows import HELD_OUT

_DRAWN, _PLACE, _MANY, _GOAL = "takes part", "place in class", "rows of class", "rows wanted"


def balance_classes(transform: Balance, relation: Relation) -> Made:
    """Rows with equally large classes in the training part."""
    relation.check_marked("balance")
    [column] = relation.find_values([transform.column], "column")
    if transform.method is BalanceMethod.OVER:
        relation.check_new(COPY_NUMBER, "method")
        return _over(column, transform, relation)
    return _under(column, transform, relation)


def _over(column: Column, transform: Balance, relation: Relation) -> Made:
    helpers, ranked, goal = _ranked(column, transform, relation, exp.Max)
    place, many = column_ref(_PLACE), column_ref(_MANY)
    once_more = exp.LTE(this=place, expression=exp.paren(exp.Mod(this=goal, expression=many)))
    whole = exp.IntDiv(this=goal.copy(), expression=many.copy())
    times = exp.Add(this=whole, expression=exp.cast(once_more, exp.DType.BIGINT))
    copies = exp.Case().when(column_ref(_DRAWN), times).else_(exp.Literal.number(1))
    numbers = call("unnest", call("range", exp.cast(copies, exp.DType.BIGINT)))
    key = [*relation.key, COPY_NUMBER]
    values = [name for name in relation.names if name not in relation.key]
    selected = [
        *(column_ref(name) for name in relation.key),
        named(numbers, COPY_NUMBER),
        *(column_ref(name) for name in values),
    ]
    by_name = {**relation.by_name, COPY_NUMBER: Column(name=COPY_NUMBER, type=ColumnType.INTEGER)}
    return Made(
        exp.select(*selected, *relation.carried).from_(table_ref(ranked)),
        tuple(by_name[name] for name in [*key, *values]),
        helpers,
        key=tuple(key),
    )


def _under(column: Column, transform: Balance, relation: Relation) -> Made:
    helpers, ranked, goal = _ranked(column, transform, relation, exp.Min)
    stays = exp.or_(column_ref(_DRAWN).not_(), exp.LTE(this=column_ref(_PLACE), expression=goal))
    names = [*(column_ref(name) for name in relation.names), *relation.carried]
    return Made(exp.select(*names).from_(table_ref(ranked)).where(stays), relation.columns, helpers)


def _ranked(
    column: Column, transform: Balance, relation: Relation, goal: type[exp.Max | exp.Min]
) -> tuple[Helpers, str, exp.Subquery]:
    """Parts of the query; the name of the rows with their place in their class; the size that classes shall have."""
    drawn, ranked, sizes = (relation.helper(name) for name in ("drawn", "ranked", "sizes"))
    takes_part = exp.and_(column_ref(HELD_OUT).not_(), missing(column).not_())
    same = [_DRAWN, column.name]
    place = row_number([exp.Ordered(this=key_hash(relation, transform.seed))], relation.key, partition=same)
    many = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[column_ref(name) for name in same])
    classes = (
        exp.select(named(exp.Count(this=exp.Star()), _MANY))
        .from_(table_ref(drawn))
        .where(column_ref(_DRAWN))
        .group_by(column_ref(column.name))
    )
    goals = exp.select(named(goal(this=column_ref(_MANY)), _GOAL)).from_(classes.subquery("classes"))
    everything = [*(column_ref(name) for name in relation.names), *relation.carried, column_ref(_DRAWN)]
    helpers = (
        (drawn, relation.select(named(takes_part, _DRAWN))),
        (sizes, goals),
        (
            ranked,
            exp.select(*everything, named(place, _PLACE), named(many, _MANY)).from_(table_ref(drawn)),
        ),
    )
    return helpers, ranked, scalar(sizes, _GOAL)
