"""dedupe: the first row in key order of those that have the same values."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.transform_tables import Dedupe
from modelyard_loader.transforms.ordering import row_number
from modelyard_loader.transforms.relation import Made, Relation, column_ref, named, table_ref

_PLACE = "place among equals"


def dedupe_rows(transform: Dedupe, relation: Relation) -> Made:
    """The rows that stay."""
    columns = relation.find_all(transform.columns, "columns")
    place = row_number([], relation.key, partition=[column.name for column in columns])
    numbered = relation.helper("numbered")
    names = [*(column_ref(name) for name in relation.names), *relation.carried]
    first = exp.EQ(this=column_ref(_PLACE), expression=exp.Literal.number(1))
    select = exp.select(*names).from_(table_ref(numbered)).where(first)
    return Made(select, relation.columns, ((numbered, relation.select(named(place, _PLACE))),))
