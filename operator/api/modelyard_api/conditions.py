"""Conditions as metav1.Condition, and the one way to change a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelyard_api.base import StatusModel

MESSAGE_LIMIT = 4096


class ConditionStatus(StrEnum):
    """The three values that Kubernetes knows."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(StatusModel):
    """One observation about a resource (metav1.Condition)."""

    type: Annotated[str, Field(max_length=64)]
    """What is observed, for example Ready."""
    status: ConditionStatus
    """True, False or Unknown."""
    observed_generation: int | None = None
    """metadata.generation that this observation is about."""
    last_transition_time: datetime
    """When status last changed."""
    reason: Annotated[str, Field(max_length=64)]
    """CamelCase word for programs."""
    message: Annotated[str, Field(max_length=MESSAGE_LIMIT)]
    """Sentence for people: field, value and remedy where something is wrong."""


class Observation(StatusModel):
    """A condition before it is known whether it is a transition."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


def merge_conditions(
    before: Iterable[Condition], observed: Iterable[Observation], *, generation: int, now: datetime
) -> list[Condition]:
    """Conditions after an observation; the transition time moves only where the status does.

    Types that were not observed this time are kept as they were. Messages are cut at ``MESSAGE_LIMIT``.
    """
    merged = {condition.type: condition for condition in before}
    for item in observed:
        known = merged.get(item.type)
        moved = known is None or known.status != item.status
        merged[item.type] = Condition(
            type=item.type,
            status=item.status,
            observed_generation=generation,
            last_transition_time=now.astimezone(UTC).replace(microsecond=0)
            if moved
            else known.last_transition_time,  # type: ignore[union-attr]
            reason=item.reason,
            message=shorten(item.message),
        )
    return list(merged.values())


def find_condition(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of this type, if it was ever observed."""
    return next((condition for condition in conditions if condition.type == type_), None)


def shorten(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """The message within ``limit`` characters, its end marked where something was cut."""
    return message if len(message) <= limit else message[: limit - 1] + "…"
