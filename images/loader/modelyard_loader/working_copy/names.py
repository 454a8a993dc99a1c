"""Names in a project's schema: the tables of Datasets, what hangs on each, and what is taken."""

from __future__ import annotations

import re

from modelyard_runtime.errors import InvalidSpecError

SEQUENCE = "load_sequence"
"""Column of every Dataset's table: the load that the row came with."""
RESERVED_COLUMNS = frozenset({SEQUENCE, "operation_type", "operation_date", "load_batch_id"})
"""Columns that the table of a Dataset and the view of its history add to those of the source."""
LEDGER = "data_loads"
CHANGES = "data_changes"
REJECTS = "data_rejects"

_HISTORY = "_history"
_AS_OF = "_as_of"
_RESERVED = re.compile(
    r"^(data_(loads|changes|rejects|rules|sweeps)(_.*)?|loads|tuning_(studies|trials)(_.*)?"
    r"|model_champions(_.*)?|champions|.*_history)$"
)
_LIMIT = 63
"""Longest name of PostgreSQL in bytes; a longer one would be cut without a word."""
_UID_LENGTH = 8


def table_name(dataset: str) -> str:
    """Table of a Dataset: its name with underscores. Raises InvalidSpecError for names that the project needs."""
    name = dataset.replace("-", "_")
    if _RESERVED.match(name):
        raise InvalidSpecError(
            f"the table {name} belongs to the project itself",
            field="metadata.name",
            value=dataset,
            remedy="choose another name for the Dataset",
        )
    return name


def kept_name(table: str, uid: str) -> str:
    """Name under which the table of a deleted Dataset stays, with room for the names that hang on it."""
    suffix = f"_{uid[:_UID_LENGTH].replace('-', '_')}"
    return table[: _LIMIT - len(_HISTORY) - len(suffix)] + suffix


def history_name(table: str) -> str:
    """View with every operation on a table."""
    return table + _HISTORY


def as_of_name(table: str) -> str:
    """Functions that give the table as it was."""
    return table + _AS_OF
