"""balance: classes of the training part made equally large by copies, or by dropping rows.

Which rows are copied once more than others, or dropped, is drawn by hash of seed and key. Rows that are held out, and
rows without a class, stay as they are, once. A copy bears its row's key and a number, and the split goes by that key:
so no copy of a row that is held out is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_tables import COPY_NUMBER, Balance, BalanceMethod
from modelyard_loader.transforms.hashing import HASHES, key_hash
from modelyard_loader.transforms.relation import (
    Helpers,
    Made,
    Part,
    Relation,
    call,
    column_ref,
    missing,
    named,
    scalar,
    table_ref,
)
from modelyard_loader.transforms.rows import HELD_OUT

_HASH, _BUCKET, _PLACE = "hash of row", "bucket of hash", "place in bucket"
_MANY, _GOAL, _LAST, _UP_TO = "rows of class", "rows wanted", "last place", "rows up to here"
_BUCKETS = 4096


def balance_classes(transform: Balance, relation: Relation) -> Made:
    """Rows with equally large classes in the training part."""
    relation.check_marked("balance")
    [column] = relation.find_values([transform.column], "column")
    if transform.method is BalanceMethod.OVER:
        relation.check_new(COPY_NUMBER, "method")
        return _over(_Draw(column, transform.seed, relation, exp.Max))
    return _under(_Draw(column, transform.seed, relation, exp.Min))


def _over(draw: _Draw) -> Made:
    relation = draw.relation
    goal, many = scalar(draw.goals, _GOAL), column_ref(_MANY, draw.sizes)
    rest = exp.Mod(this=goal, expression=many)
    whole = exp.IntDiv(this=goal.copy(), expression=many.copy())
    times = exp.Add(this=whole, expression=exp.cast(draw.is_among_first(), exp.DType.BIGINT))
    copies = exp.Case().when(draw.takes_part(), times).else_(exp.Literal.number(1))
    numbers = call("unnest", call("range", exp.cast(copies, exp.DType.BIGINT)))
    key = [*relation.key, COPY_NUMBER]
    values = [name for name in relation.names if name not in relation.key]
    selected = [
        *(draw.column_of_row(name) for name in relation.key),
        named(numbers, COPY_NUMBER),
        *(draw.column_of_row(name) for name in values),
    ]
    by_name = {**relation.by_name, COPY_NUMBER: Column(name=COPY_NUMBER, type=ColumnType.INTEGER)}
    return Made(
        draw.rows(*selected),
        tuple(by_name[name] for name in [*key, *values]),
        draw.helpers(last=rest),
        key=tuple(key),
    )


def _under(draw: _Draw) -> Made:
    stays = exp.or_(draw.takes_part().not_(), draw.is_among_first())
    selected = [draw.column_of_row(name) for name in draw.relation.names]
    last = scalar(draw.goals, _GOAL)
    return Made(draw.rows(*selected).where(stays), draw.relation.columns, draw.helpers(last=last))


@dataclass(frozen=True)
class _Draw:
    """An order of the rows of each class, by hash and key, and where the first of them end.

    Only class, key and hash are sorted; the rows themselves stream by and are compared with the last of the first.
    """

    column: Column
    seed: int
    relation: Relation
    goal: type[exp.Max | exp.Min]
    """Which class gives the size."""

    @property
    def training(self) -> str:
        """Class, key and hash of the rows that take part."""
        return self.relation.helper("training part")

    @property
    def sizes(self) -> str:
        """Rows of each class."""
        return self.relation.helper("sizes")

    @property
    def goals(self) -> str:
        """Rows that each class shall have."""
        return self.relation.helper("goals")

    @property
    def lasts(self) -> str:
        """The last of the first rows of each class."""
        return self.relation.helper("lasts")

    @property
    def hashed(self) -> str:
        """The rows, with their hash where they take part."""
        return self.relation.helper("hashed")

    def column_of_row(self, name: str) -> exp.Column:
        """A column of the rows."""
        return column_ref(name, self.hashed)

    def takes_part(self) -> exp.Expr:
        """Whether a row is not held out and has a class."""
        return exp.paren(self.column_of_row(_HASH).is_(exp.null()).not_())

    def is_among_first(self) -> exp.Expr:
        """Whether a row is not behind the last of the first of its class; false if there are none."""
        here, there = self.column_of_row(_HASH), column_ref(_HASH, self.lasts)
        own, last = (
            call("row", *(column_ref(name, table) for name in self.relation.key))
            for table in (self.hashed, self.lasts)
        )
        tie = exp.and_(exp.EQ(this=here, expression=there), exp.LTE(this=own, expression=last))
        before = exp.or_(exp.LT(this=here.copy(), expression=there.copy()), tie)
        return exp.Coalesce(this=exp.paren(before), expressions=[exp.false()])

    def rows(self, *selected: exp.Expr) -> exp.Select:
        """SELECT over the rows, each beside the size and the last of its class."""
        carried = [column_ref(column.name, self.hashed) for column in self.relation.carried]
        select = exp.select(*selected, *carried).from_(table_ref(self.hashed))
        for other in (self.sizes, self.lasts):
            theirs = column_ref(self.column.name, other)
            same = exp.EQ(this=self.column_of_row(self.column.name), expression=theirs)
            select = select.join(table_ref(other), on=same, join_type="left")
        return select

    def helpers(self, last: exp.Expr) -> Helpers:
        """Parts of the query; ``last`` is the place of the last of the first, as an expression over the sizes."""
        label = column_ref(self.column.name)
        key = [column_ref(name) for name in self.relation.key]
        takes_part = exp.and_(column_ref(HELD_OUT).not_(), missing(self.column).not_())
        hashes = exp.Case().when(takes_part, key_hash(self.relation, self.seed))
        bucket = exp.IntDiv(this=column_ref(_HASH), expression=_hashes(HASHES // _BUCKETS))
        drawn = (
            exp.select(label, *key, column_ref(_HASH), named(bucket, _BUCKET))
            .from_(table_ref(self.hashed))
            .where(column_ref(_HASH).is_(exp.null()).not_())
        )
        sizes = exp.select(label.copy(), named(exp.Count(this=exp.Star()), _MANY))
        goals = exp.select(named(self.goal(this=column_ref(_MANY)), _GOAL)).from_(table_ref(self.sizes))
        return (
            Part(self.hashed, self.relation.select(named(hashes, _HASH))),
            Part(self.training, drawn, kept=True),
            Part(self.sizes, sizes.from_(table_ref(self.training)).group_by(label.copy())),
            Part(self.goals, goals),
            Part(self.relation.helper("buckets"), self._buckets(last)),
            Part(self.lasts, self._lasts()),
        )

    def _buckets(self, last: exp.Expr) -> exp.Select:
        """For each class the bucket of hashes that the last of the first falls into, and its place there."""
        label = self.column.name
        counted = (
            exp.select(column_ref(label), column_ref(_BUCKET), named(exp.Count(this=exp.Star()), _PLACE))
            .from_(table_ref(self.training))
            .group_by(column_ref(label), column_ref(_BUCKET))
        )
        up_to = exp.Window(
            this=exp.Sum(this=column_ref(_PLACE)),
            partition_by=[column_ref(label)],
            order=exp.Order(expressions=[exp.Ordered(this=column_ref(_BUCKET))]),
        )
        summed = exp.select(exp.Star(), named(up_to, _UP_TO)).from_(counted.subquery("counted"))
        before = exp.paren(exp.Sub(this=column_ref(_UP_TO), expression=column_ref(_PLACE)))
        wanted = exp.paren(last)
        return (
            exp.select(
                column_ref(label, "summed"),
                column_ref(_BUCKET),
                named(exp.Sub(this=wanted, expression=before), _LAST),
            )
            .from_(summed.subquery("summed"))
            .join(table_ref(self.sizes), on=_same([label], "summed", self.sizes))
            .where(
                exp.LT(this=before.copy(), expression=wanted.copy()),
                exp.GTE(this=column_ref(_UP_TO), expression=wanted.copy()),
            )
        )

    def _lasts(self) -> exp.Select:
        """The last of the first of each class; only rows of its bucket are sorted."""
        label, buckets = self.column.name, self.relation.helper("buckets")
        names = [label, *self.relation.key, _HASH]
        order = exp.Order(
            expressions=[
                exp.Ordered(this=column_ref(name, self.training)) for name in (_HASH, *self.relation.key)
            ]
        )
        place = exp.Window(this=exp.RowNumber(), partition_by=[column_ref(label, self.training)], order=order)
        placed = (
            exp.select(
                *(column_ref(name, self.training) for name in names),
                named(place, _PLACE),
                column_ref(_LAST),
            )
            .from_(table_ref(self.training))
            .join(table_ref(buckets), on=_same([label, _BUCKET], self.training, buckets))
        )
        return (
            exp.select(*(column_ref(name) for name in names))
            .from_(placed.subquery("placed"))
            .where(exp.EQ(this=column_ref(_PLACE), expression=column_ref(_LAST)))
        )


def _same(names: Sequence[str], one: str, other: str) -> exp.Expr:
    return exp.and_(
        *(exp.EQ(this=column_ref(name, one), expression=column_ref(name, other)) for name in names)
    )


def _hashes(number: int) -> exp.Cast:
    return exp.cast(exp.Literal.string(str(number)), exp.DType.UINT128)
