"""The rule sql: one number that a query over the rows answers."""

from __future__ import annotations

from contextlib import closing

from sqlglot import exp

from modelyard_api.v1alpha1.validation import Rule
from modelyard_loader.transforms.engine import SOURCE, Engine
from modelyard_loader.transforms.queries import judged_query
from modelyard_loader.transforms.relation import Relation, table_ref
from modelyard_loader.transforms.rows import Rows
from modelyard_loader.validation.counting import Count, Place, arrow_schema

_NUMBERS = ("BIGINT", "HUGEINT", "INTEGER", "DOUBLE", "FLOAT", "BOOLEAN", "UBIGINT", "DECIMAL")


def query_answer(rule: Rule, place: Place) -> Count:
    """The number, which is nothing where the query answers null; true is 1 and false 0."""
    text = rule.query or ""
    with closing(Engine(Rows(arrow_schema(place.columns), list))) as engine:
        relation = Relation(
            name=SOURCE,
            target="answer",
            key=place.key,
            columns=place.columns,
            path=place.path,
            types_of=lambda select: engine.types_of(select, f"{place.path}.query"),
            marked=False,
        )
        query = judged_query(text, relation).over(table_ref(SOURCE))
        types = relation.types_of(query)
    if len(types) != 1:
        raise place.refuse("query", text, f"answers {len(types)} columns", "write a query that answers one")
    sql_type = next(iter(types.values()))
    if not sql_type.startswith(_NUMBERS):
        raise place.refuse(
            "query", text, f"answers {sql_type}, not a number", "count, or cast it to bigint or double"
        )
    # What cannot leave the engine as it is, such as HUGEINT, leaves it as float64.
    kind = "DOUBLE" if sql_type.startswith(("HUGEINT", "DECIMAL", "FLOAT", "UBIGINT")) else None
    if kind is not None:
        query = _cast(query, kind)
    read = sorted({column.name for column in query.find_all(exp.Column)})
    return Count(tuple(read) or place.key, query=query)


def _cast(query: exp.Select, kind: str) -> exp.Select:
    first = query.expressions[0]
    value = first.this if isinstance(first, exp.Alias) else first
    query.set("expressions", [exp.cast(value.copy(), kind).as_("answer")])
    return query
