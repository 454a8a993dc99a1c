"""sort: the place of each row in an order, as a column; a version is a set of rows and keeps no order itself."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_tables import Sort
from modelyard_loader.transforms.ordering import row_number
from modelyard_loader.transforms.relation import Made, Relation, known, missing


def sort_rows(transform: Sort, relation: Relation) -> Made:
    """All rows with their place last."""
    relation.check_new(transform.into, "into")
    columns = relation.find_all([each.column for each in transform.by], "by")
    by: list[exp.Expr] = []
    for column, wanted in zip(columns, transform.by, strict=True):
        by.append(exp.Ordered(this=missing(column)))
        by.append(exp.Ordered(this=known(column), desc=wanted.descending))
    return relation.with_column(transform.into, ColumnType.INTEGER, row_number(by, relation.key))
