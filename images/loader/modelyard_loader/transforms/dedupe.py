"""dedupe: the first row in key order of those that have the same values.

Places are drawn among the compared columns and the key alone; what goes are the rows with a later place, mostly few.
"""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.transform_tables import Dedupe
from modelyard_loader.transforms.ordering import row_number
from modelyard_loader.transforms.relation import Made, Part, Relation, column_ref, known, named, table_ref

_PLACE = "place among equals"


def dedupe_rows(transform: Dedupe, relation: Relation) -> Made:
    """The rows that stay."""
    columns = relation.find_all(transform.columns, "columns")
    numbered, later = relation.helper("numbered"), relation.helper("later")
    place = row_number([], relation.key, partition=[known(column) for column in columns])
    key = [column_ref(name) for name in relation.key]
    places = relation.rows(*key, named(place, _PLACE))
    further = exp.GT(this=column_ref(_PLACE), expression=exp.Literal.number(1))
    dropped = exp.select(*(each.copy() for each in key)).from_(table_ref(numbered)).where(further)
    same = exp.and_(
        *(
            exp.EQ(this=column_ref(name, relation.name), expression=column_ref(name, later))
            for name in relation.key
        )
    )
    select = relation.select().join(table_ref(later), on=same, join_type="anti")
    return Made(select, relation.columns, (Part(numbered, places), Part(later, dropped)))
