"""Gives rows their names: the primary key, from the source or as the row's number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modelyard_api.v1alpha1.common import COLUMN_PATTERN
from modelyard_loader.suggestions import use_one_of
from modelyard_runtime.columns import to_canonical
from modelyard_runtime.digest import in_key_order
from modelyard_runtime.errors import DataError, InvalidSpecError

RESERVED = frozenset({"load_sequence"})
"""Names that the working copy adds."""
_NAME_LIMIT = 63


def keyed(table: pa.Table, primary_key: Sequence[str]) -> pa.Table:
    """The rows in key order with the key's columns first, held in canonical types.

    A key of one column that the source does not have is filled with the row's number in the source, from 1. Raises
    InvalidSpecError for a key that cannot be made and DataError for one that does not name each row once.
    """
    _check_names(table.column_names)
    missing = [name for name in primary_key if name not in table.column_names]
    if missing and len(primary_key) == 1:
        _check_names([*table.column_names, *missing])
        numbers = pa.array(np.arange(1, table.num_rows + 1, dtype=np.int64))
        table = table.add_column(0, missing[0], numbers)
    elif missing:
        raise InvalidSpecError(
            "is not a column of the source",
            field="spec.primaryKey",
            value=missing[0],
            remedy=use_one_of(missing[0], table.column_names),
        )
    rest = [name for name in table.column_names if name not in primary_key]
    return in_key_order(to_canonical(table.select([*primary_key, *rest])), primary_key)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not re.match(COLUMN_PATTERN, name) or len(name) > _NAME_LIMIT:
            raise DataError(
                "is not a name for a column: letters, digits and underscores, at most 63, no digit first",
                field="column",
                value=name,
                remedy="rename it in the source",
            )
        if name in RESERVED:
            raise DataError("is reserved", field="column", value=name, remedy="rename it in the source")
    folded, count = Counter(name.casefold() for name in names).most_common(1)[0]
    if count > 1:
        twins = [name for name in names if name.casefold() == folded]
        raise DataError(
            f"the names {' and '.join(twins)} differ by case only, and SQL takes them for one",
            field="column",
            remedy="rename one of them",
        )
