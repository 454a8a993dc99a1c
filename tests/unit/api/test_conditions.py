"""Conditions: a transition is a change of status, and nothing else moves its time."""

from datetime import UTC, datetime, timedelta

from modelyard_api.conditions import (
    MESSAGE_LIMIT,
    ConditionStatus,
    Observation,
    find_condition,
    merge_conditions,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def seen(status: ConditionStatus, reason: str = "Because", message: str = "") -> Observation:
    return Observation(type="Ready", status=status, reason=reason, message=message)


def test_the_time_moves_with_the_status_only() -> None:
    first = merge_conditions([], [seen(ConditionStatus.FALSE)], generation=1, now=NOW)
    same = merge_conditions(first, [seen(ConditionStatus.FALSE, "Other")], generation=2, now=LATER)
    moved = merge_conditions(same, [seen(ConditionStatus.TRUE)], generation=2, now=LATER)
    assert first[0].last_transition_time == NOW.replace(microsecond=0)
    assert (same[0].last_transition_time, same[0].reason) == (first[0].last_transition_time, "Other")
    assert same[0].observed_generation == 2
    assert moved[0].last_transition_time == LATER.replace(microsecond=0)


def test_what_was_not_observed_stays_as_it_was() -> None:
    before = merge_conditions([], [seen(ConditionStatus.TRUE)], generation=1, now=NOW)
    other = Observation(type="Loaded", status=ConditionStatus.TRUE, reason="RowsLoaded")
    after = merge_conditions(before, [other], generation=2, now=LATER)
    assert find_condition(after, "Ready") == before[0]
    assert [item.type for item in after] == ["Ready", "Loaded"]


def test_a_message_is_cut_where_kubernetes_would_refuse_it() -> None:
    long = "x" * (MESSAGE_LIMIT + 1)
    (told,) = merge_conditions([], [seen(ConditionStatus.FALSE, message=long)], generation=1, now=NOW)
    assert len(told.message) == MESSAGE_LIMIT
    assert told.message.endswith("…")
