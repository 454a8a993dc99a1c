"""The chain of the ledger: every field counts."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry
from modelyard_loader.working_copy.rows import table_name
from modelyard_runtime.errors import InvalidSpecError

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_ENTRY = LedgerEntry(
    dataset="houses",
    dataset_uid="u",
    sequence=1,
    batch_name="houses-000001",
    percentage="100",
    total_rows=3,
    offered=3,
    accepted=3,
    rejected=0,
    source_digest="sha256:0",
    generation=1,
    image="image",
    started_at=_NOW,
    completed_at=_NOW,
    metadata={"key": ["row"]},
).sealed(GENESIS)


def test_a_sealed_entry_holds_its_hash() -> None:
    assert _ENTRY.hash == _ENTRY.computed_hash()
    assert _ENTRY.hash == "sha256:353751753f67508eb0973ccf7a24c078f7465a10f4c47c61a8120df47c44d29d"


@pytest.mark.parametrize("name", [field.name for field in fields(LedgerEntry) if field.name != "hash"])
def test_a_change_of_any_field_shows(name: str) -> None:
    value = getattr(_ENTRY, name)
    if isinstance(value, int):
        other: Any = value + 1
    elif isinstance(value, datetime):
        other = value + timedelta(microseconds=1)
    elif isinstance(value, dict):
        other = {**value, "more": 1}
    else:
        other = f"{value}x"
    change: dict[str, Any] = {name: other}
    assert replace(_ENTRY, **change).computed_hash() != _ENTRY.hash


def test_the_time_zone_in_which_a_moment_is_read_does_not_count() -> None:
    elsewhere = replace(_ENTRY, started_at=_NOW.astimezone(timezone(timedelta(hours=9))))
    assert elsewhere.computed_hash() == _ENTRY.hash


def test_a_table_has_the_name_of_its_dataset_with_underscores() -> None:
    assert table_name("california-housing") == "california_housing"


def test_a_dataset_cannot_take_the_name_of_the_ledger() -> None:
    with pytest.raises(InvalidSpecError, match=r"metadata.name = 'data-loads': is the name of the ledger"):
        table_name("data-loads")
