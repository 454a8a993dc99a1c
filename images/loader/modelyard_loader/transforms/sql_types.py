"""Canonical types of what the engine computes."""

from __future__ import annotations

from modelyard_api.v1alpha1.common import ColumnType

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_NUMBERS = frozenset({"HUGEINT", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL"})


def canonical_kind(sql_type: str) -> ColumnType | None:
    """Type of a column that holds values of a SQL type; None if there is none."""
    kind = sql_type.split("(", maxsplit=1)[0]
    if kind in _INTEGERS:
        return ColumnType.INTEGER
    if kind in _NUMBERS:
        return ColumnType.NUMBER
    return {"BOOLEAN": ColumnType.BOOLEAN, "VARCHAR": ColumnType.TEXT}.get(kind)
