"""sql: what one SELECT over the table ``rows`` answers, as far as it is made of what is on the list.

The answer must hold the key, each at most once and never null, which is checked of the rows. Sums of floats are made
in key order, since a sum in any order has another last digit each time.
"""

from __future__ import annotations

import re

from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import COLUMN_PATTERN, ColumnType
from modelyard_api.v1alpha1.transform_tables import Sql
from modelyard_loader.transforms.guards import refusal, unless
from modelyard_loader.transforms.queries import judged_query
from modelyard_loader.transforms.relation import (
    SQL_TYPES,
    Made,
    Part,
    Relation,
    check_new,
    column_ref,
    finite,
    named,
    table_ref,
)
from modelyard_loader.transforms.sql_types import canonical_kind
from modelyard_runtime.errors import InvalidSpecError

_PLACE = "place among equals"


def answer_query(transform: Sql, relation: Relation) -> Made:
    """The rows of the answer, the key first."""
    asked = judged_query(transform.query, relation)
    columns = _columns(asked.over(relation.probe()), transform, relation)
    answer, checked = relation.helper("answer"), relation.helper("checked")
    ordered = [columns[name] for name in relation.key]
    ordered += [column for name, column in columns.items() if name not in relation.key]
    values = [named(_typed(column), column.name) for column in ordered]
    place = exp.Window(this=exp.RowNumber(), partition_by=[column_ref(name) for name in relation.key])
    guarded = exp.select(exp.Star(), named(place, _PLACE)).from_(table_ref(answer))
    return Made(
        exp.select(*values).from_(table_ref(checked)).where(*_guards(relation)),
        tuple(ordered),
        (Part(answer, asked.over(table_ref(relation.name))), Part(checked, guarded)),
        marked=False,
    )


def _columns(query: exp.Select, transform: Sql, relation: Relation) -> dict[str, Column]:
    where = f"{relation.path}.query"
    columns: dict[str, Column] = {}
    for name, sql_type in relation.types_of(query).items():
        check_new(name, columns, where)
        if not re.fullmatch(COLUMN_PATTERN, name):
            raise InvalidSpecError(
                f"gives a column {name}",
                field=where,
                value=transform.query,
                remedy="name it with AS, in letters, digits and underscores",
            )
        kind = canonical_kind(sql_type)
        if kind is None:
            raise InvalidSpecError(
                f"gives {sql_type} for {name}, which no column can hold",
                field=where,
                value=transform.query,
                remedy="cast it to bigint, double, boolean or varchar",
            )
        columns[name] = Column(name=name, type=kind)
    for name in relation.key:
        if name not in columns or columns[name].type is not relation.by_name[name].type:
            raise InvalidSpecError(
                f"does not give the key column {name} of type {relation.by_name[name].type}",
                field=where,
                value=transform.query,
                remedy=f"select {', '.join(relation.key)} too, for a group for example min(...) of them",
            )
    return columns


def _typed(column: Column) -> exp.Expr:
    value = column_ref(column.name)
    if column.type is ColumnType.NUMBER:
        return finite(value)
    return exp.cast(value, SQL_TYPES[column.type])


def _guards(relation: Relation) -> list[exp.Expr]:
    where = f"{relation.path}.query"
    several = refusal(
        "the answer has a key more than once",
        field=where,
        value=column_ref(relation.key[0]),
        remedy="select the key columns as they are, or one of each group",
    )
    nothing = refusal(
        "the answer has a row without a key", field=where, remedy="select the key columns as they are"
    )
    null = exp.or_(*(column_ref(name).is_(exp.null()) for name in relation.key))
    second = exp.GT(this=column_ref(_PLACE), expression=exp.Literal.number(1))
    return [unless(null, nothing), unless(second, several)]
