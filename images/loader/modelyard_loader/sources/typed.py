"""Canonical types of Arrow types, for sources that tell the types of their columns."""

from __future__ import annotations

import pyarrow as pa

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.columns import canonical_type
from modelyard_runtime.errors import DataError


def told_type(field: pa.Field, where: str) -> ColumnType | None:
    """Canonical type of a column, None for one of nulls only. Raises DataError for types that have none."""
    held = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_null(held):
        return None
    if pa.types.is_date(held) or pa.types.is_time(held) or pa.types.is_timestamp(held):
        return ColumnType.TEXT
    try:
        return canonical_type(pa.field(field.name, held))
    except DataError as error:
        raise DataError(
            error.problem,
            field=f"{where} column {field.name}",
            remedy="leave it out by naming the wanted ones in spec.columns, or make it a number, a boolean or a text",
        ) from error
