"""Places of rows in an order that no two of them share, since the key decides in the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from modelyard_loader.transforms.relation import column_ref


def row_number(by: Sequence[exp.Expr], key: Iterable[str], partition: Iterable[exp.Expr] = ()) -> exp.Window:
    """Place from 1 among the rows for which the expressions of ``partition`` are equal."""
    order = [*by, *(exp.Ordered(this=column_ref(name)) for name in key)]
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=list(partition),
        order=exp.Order(expressions=order),
    )
