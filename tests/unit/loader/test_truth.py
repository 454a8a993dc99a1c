"""What the loads were, where ledger and record do not say the same."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry
from modelyard_loader.working_copy.rebuild import truth_of
from modelyard_runtime.errors import DataError

_NOW = datetime(2026, 1, 2, tzinfo=UTC)
Entries = dict[int, LedgerEntry]


def _chain(length: int) -> Entries:
    found: Entries = {}
    for sequence in range(1, length + 1):
        entry = LedgerEntry(
            dataset="houses",
            dataset_uid="u",
            sequence=sequence,
            batch_name="",
            percentage="100",
            total_rows=3,
            offered=3,
            accepted=3,
            rejected=0,
            source_digest="",
            generation=1,
            image="",
            started_at=_NOW,
            completed_at=_NOW,
            metadata={},
        )
        found[sequence] = entry.sealed(found[sequence - 1].hash if sequence > 1 else GENESIS)
    return found


def _without(*sequences: int) -> Callable[[Entries], Entries]:
    return lambda entries: {key: entry for key, entry in entries.items() if key not in sequences}


def _changed(sequence: int) -> Callable[[Entries], Entries]:
    return lambda entries: {**entries, sequence: replace(entries[sequence], accepted=4)}


def _forged(sequence: int) -> Callable[[Entries], Entries]:
    return lambda entries: {
        **entries,
        sequence: replace(entries[sequence], accepted=4).sealed(entries[sequence].previous_hash),
    }


@pytest.mark.parametrize(
    ("kept", "recorded", "lost", "rewritten", "unrecorded"),
    [
        (_without(), _without(), [], [], []),
        (_without(2), _without(), [2], [], []),
        (_without(1, 2, 3, 4), _without(), [1, 2, 3, 4], [], []),
        (_without(), _without(3, 4), [], [], [3, 4]),
        (_without(), _without(1, 2, 3, 4), [], [], [1, 2, 3, 4]),
        (_without(1), _without(4), [1], [], [4]),
        (_changed(2), _without(), [], [2], []),
        (_forged(2), _without(), [], [2], []),
        (_changed(1), _without(4), [], [1], [4]),
    ],
)
def test_the_record_is_believed_before_the_ledger(
    kept: Callable[[Entries], Entries],
    recorded: Callable[[Entries], Entries],
    lost: list[int],
    rewritten: list[int],
    unrecorded: list[int],
) -> None:
    entries = _chain(4)
    truth = truth_of(recorded(entries), kept(entries), "houses")
    assert list(truth.chain) == list(entries.values())
    assert [entry.sequence for entry in truth.lost] == lost
    assert list(truth.rewritten) == rewritten
    assert [entry.sequence for entry in truth.unrecorded] == unrecorded


def test_entries_after_one_that_is_neither_recorded_nor_right_are_not_believed() -> None:
    entries = _chain(4)
    truth = truth_of(_without(3, 4)(entries), _forged(3)(entries), "houses")
    assert [entry.sequence for entry in truth.chain] == [1, 2, 3]
    assert truth.rewritten == (4,)
    truth = truth_of(_without(3, 4)(entries), _changed(3)(entries), "houses")
    assert [entry.sequence for entry in truth.chain] == [1, 2]
    assert truth.rewritten == (3, 4)


def test_a_load_that_is_lost_in_both_places_is_named() -> None:
    entries = _chain(4)
    for kept in (_without(2), _changed(2)):
        with pytest.raises(DataError, match="load 2 of houses: is neither in the record on S3 nor"):
            truth_of(_without(2)(entries), kept(entries), "houses")


def test_where_nothing_is_right_a_backup_is_asked_for() -> None:
    with pytest.raises(DataError, match="has no load to make it from") as caught:
        truth_of({}, _changed(1)(_chain(1)), "houses")
    assert caught.value.remedy == "Restore the ledger from a backup"
    with pytest.raises(DataError, match="has no load to make it from") as caught:
        truth_of({}, {}, "houses")
    assert caught.value.remedy == "Wait for the first load"
