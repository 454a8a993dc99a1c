"""Canonical types in Arrow: the one place that says how a column of each type is held."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.errors import DataError

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TEXT: pa.string(),
}


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The columns in Arrow."""
    return pa.schema([pa.field(each.name, ARROW_TYPES[each.type]) for each in columns])


def canonical_type(field: pa.Field) -> ColumnType:
    """Canonical type of an Arrow column. Raises DataError for types that have none."""
    held = field.type
    if pa.types.is_boolean(held):
        return ColumnType.BOOLEAN
    if pa.types.is_integer(held) and held != pa.uint64():
        return ColumnType.INTEGER
    if pa.types.is_floating(held) or pa.types.is_decimal(held) or pa.types.is_integer(held):
        return ColumnType.NUMBER
    if pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held):
        return ColumnType.TEXT
    raise DataError(
        f"values of type {held} have no canonical type",
        field=field.name,
        remedy="make it a whole number, a number, a boolean or a text",
    )


def canonical_columns(schema: pa.Schema) -> list[Column]:
    """Columns of a schema by name and canonical type, all of them nullable."""
    return [Column(name=field.name, type=canonical_type(field)) for field in schema]


def to_canonical(table: pa.Table) -> pa.Table:
    """The table with every column held as its canonical type says. Raises DataError where a value does not fit."""
    schema = pa.schema([pa.field(field.name, ARROW_TYPES[canonical_type(field)]) for field in table.schema])
    if table.schema.equals(schema):
        return table
    columns = []
    for field in schema:
        try:
            columns.append(table.column(field.name).cast(field.type))
        except pa.ArrowInvalid as error:
            raise DataError(f"a value does not fit {field.type}: {error}", field=field.name) from error
    return pa.Table.from_arrays(columns, schema=schema)
