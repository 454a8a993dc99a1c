"""join: columns of another variant, which has at most one row for each row here."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_tables import Join
from modelyard_loader.suggestions import use_one_of
from modelyard_loader.transforms.guards import refusal, unless
from modelyard_loader.transforms.relation import Made, Part, Relation, Side, column_ref, named, table_ref
from modelyard_runtime.errors import InvalidSpecError


def join_variant(transform: Join, relation: Relation) -> Made:
    """All rows, or those with a match, and the other variant's columns last."""
    side = relation.sides[transform.variant]
    on = _columns_on(transform, relation, side)
    added = _columns_added(transform, relation, side, on)
    single = relation.helper("single")
    here = [column_ref(name, relation.name) for name in relation.names]
    there = [column_ref(name, single) for name in added]
    carried = [column_ref(column.name, relation.name) for column in relation.carried]
    equal = exp.and_(
        *(exp.EQ(this=column_ref(name, relation.name), expression=column_ref(name, single)) for name in on)
    )
    select = (
        exp.select(*here, *there, *carried)
        .from_(table_ref(relation.name))
        .join(table_ref(single), on=equal, join_type=transform.kind.value.lower())
    )
    by_name = {column.name: column for column in side.columns}
    columns = (*relation.columns, *(by_name[name] for name in added))
    return Made(select, columns, (Part(single, _single(side, on, added, relation)),))


def _columns_on(transform: Join, relation: Relation, side: Side) -> list[str]:
    theirs = {column.name: column for column in side.columns}
    for column in relation.find_all(transform.on, "on"):
        other = theirs.get(column.name)
        if other is None:
            raise InvalidSpecError(
                f"is not a column of variant {transform.variant}",
                field=f"{relation.path}.on",
                value=column.name,
                remedy=use_one_of(column.name, list(theirs)),
            )
        if other.type is not column.type:
            raise InvalidSpecError(
                f"is of type {column.type} here and {other.type} in variant {transform.variant}",
                field=f"{relation.path}.on",
                value=column.name,
                remedy="cast one of them before",
            )
        if column.type is ColumnType.NUMBER:
            raise InvalidSpecError(
                "is a column of floating-point numbers, which are hardly ever equal",
                field=f"{relation.path}.on",
                value=column.name,
                remedy="join on whole numbers, booleans or texts",
            )
    return list(transform.on)


def _columns_added(transform: Join, relation: Relation, side: Side, on: list[str]) -> list[str]:
    theirs = [column.name for column in side.columns]
    added = transform.columns or [name for name in theirs if name not in (*on, *side.key)]
    for name in added:
        if name not in theirs:
            raise InvalidSpecError(
                f"is not a column of variant {transform.variant}",
                field=f"{relation.path}.columns",
                value=name,
                remedy=use_one_of(name, theirs),
            )
        if added.count(name) > 1:
            raise InvalidSpecError(
                "is listed more than once",
                field=f"{relation.path}.columns",
                value=name,
                remedy="list each column once",
            )
        relation.check_new(name, "columns")
    if not added:
        raise InvalidSpecError(
            f"variant {transform.variant} has no column to add",
            field=f"{relation.path}.columns",
            remedy="name columns of it",
        )
    return added


def _single(side: Side, on: list[str], added: list[str], relation: Relation) -> exp.Select:
    """The other variant's rows, or a refusal if two of them have the same values in the columns of the join."""
    groups = [column_ref(name) for name in on]
    shown: exp.Expr = exp.cast(groups[0].copy(), exp.DType.TEXT)
    for group in groups[1:]:
        shown = exp.DPipe(
            this=exp.DPipe(this=shown, expression=exp.Literal.string(", ")), expression=group.copy()
        )
    several = refusal(
        f"the other variant has more than one row for the same {', '.join(on)}",
        field=relation.path,
        value=shown,
        remedy="join on its key, or aggregate or dedupe it before",
    )
    values = [named(exp.AnyValue(this=column_ref(name)), name) for name in added]
    present = [column_ref(name).is_(exp.null()).not_() for name in on]
    many = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    return (
        exp.select(*groups, *values)
        .from_(table_ref(side.name))
        .where(*present)
        .group_by(*(group.copy() for group in groups))
        .having(unless(many, several))
    )
