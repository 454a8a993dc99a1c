"""The chain of the ledger: every field counts."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry, check_chain
from modelyard_loader.working_copy.names import history_name, kept_name, table_name
from modelyard_runtime.errors import DataError, InvalidSpecError

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


_ASKED = replace(_ENTRY, requested_by="anna", trigger="Schedule").sealed(GENESIS)


def test_a_sealed_entry_holds_its_hash() -> None:
    assert _ASKED.holds
    assert _ASKED.hash == "sha256:ffe30ea4b0b80ffd1b5ef2e431b88c45b8f5a1469ed49d9c6acf60f87767f794"


def test_the_chain_of_entries_that_were_never_asked_who_wanted_them_still_holds() -> None:
    assert _ENTRY.holds
    assert _ENTRY.hash == "sha256:353751753f67508eb0973ccf7a24c078f7465a10f4c47c61a8120df47c44d29d"


@pytest.mark.parametrize("name", [field.name for field in fields(LedgerEntry) if field.name != "hash"])
def test_a_change_of_any_field_shows(name: str) -> None:
    value = getattr(_ASKED, name)
    if isinstance(value, int):
        other: Any = value + 1
    elif isinstance(value, datetime):
        other = value + timedelta(microseconds=1)
    elif isinstance(value, dict):
        other = {**value, "more": 1}
    else:
        other = f"{value}x"
    change: dict[str, Any] = {name: other}
    assert not replace(_ASKED, **change).holds


@pytest.mark.parametrize("name", ["requested_by", "trigger"])
def test_who_asked_and_why_cannot_be_taken_away_or_added_later(name: str) -> None:
    taken: dict[str, Any] = {name: None}
    added: dict[str, Any] = {name: "somebody"}
    assert not replace(_ASKED, **taken).holds
    assert not replace(_ENTRY, **added).holds


def test_metadata_hold_nothing_that_sql_would_spell_in_another_way() -> None:
    for value in (0.5, {"nested": [1.0]}, b"bytes"):
        with pytest.raises(TypeError, match="metadata of a load cannot hold"):
            replace(_ENTRY, metadata={"value": value}).sealed(GENESIS)


def _chain(length: int) -> list[LedgerEntry]:
    chain: list[LedgerEntry] = []
    for sequence in range(1, length + 1):
        previous = chain[-1].hash if chain else GENESIS
        chain.append(replace(_ASKED, sequence=sequence).sealed(previous))
    return chain


def test_a_chain_of_entries_that_follow_one_another_holds() -> None:
    check_chain(_chain(4), "here")
    check_chain(_chain(4)[2:], "here", 3, _chain(4)[1].hash)
    check_chain([], "here")


def test_the_first_entry_that_does_not_belong_is_named() -> None:
    one, two, three, four = _chain(4)
    forged = replace(two, accepted=4).sealed(one.hash)
    for chain, place in (
        ([one, three, four], "sequence 2: the entry is missing"),
        ([two, three], "sequence 1: the entry is missing"),
        ([one, replace(two, accepted=4), three], "sequence 2: the entry is not the one"),
        ([one, forged, three], "sequence 3: the entry is not the one"),
    ):
        with pytest.raises(DataError, match=place):
            check_chain(chain, "here")


def test_the_time_zone_in_which_a_moment_is_read_does_not_count() -> None:
    elsewhere = replace(_ENTRY, started_at=_NOW.astimezone(timezone(timedelta(hours=9))))
    assert elsewhere.computed_hash() == _ENTRY.hash


def test_a_table_has_the_name_of_its_dataset_with_underscores() -> None:
    assert table_name("california-housing") == "california_housing"


@pytest.mark.parametrize(
    "name",
    [
        "data-loads",
        "data-changes",
        "data-sweeps",
        "data-rejects-load",
        "loads",
        "houses-history",
        "champions",
        "model-champions",
        "model-champions-time",
    ],
)
def test_a_dataset_cannot_take_the_name_of_a_part_of_the_audit(name: str) -> None:
    with pytest.raises(InvalidSpecError, match=rf"metadata.name = '{name}': the table .* belongs to the"):
        table_name(name)


@pytest.mark.parametrize("name", ["data-science", "data", "data-loadstone", "history", "workloads"])
def test_a_name_that_is_only_similar_is_free(name: str) -> None:
    assert table_name(name) == name.replace("-", "_")


def test_the_names_that_hang_on_the_longest_kept_table_fit_and_stay_different() -> None:
    one, other = (kept_name("a" * 52, uid) for uid in ("0a1b2c3d-0000", "4e5f6a7b-0000"))
    assert len(history_name(one)) == len(history_name(other)) == 63
    assert one != other
    assert kept_name("iris", "0a1b2c3d-0000") == "iris_0a1b2c3d"
