"""The answer of a decision: the status that holds now and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from modelyard_api.conditions import ConditionStatus, Observation
from modelyard_operator.objects.workloads import Job

Status = TypeVar("Status")

LOOK_AGAIN_SECONDS = 30.0
"""Pause where something outside has to change first, and no event will tell of it."""


@dataclass(frozen=True)
class Start:
    """A Job to be made."""

    attempt: int
    deadline_seconds: int | None = None
    """What is left of the resource's deadline."""
    failures: int = 0
    """Attempts before it that count against the resource's backoffLimit."""
    memory: str = ""
    """Memory limit, where that was raised after an attempt ran out of memory."""


@dataclass(frozen=True)
class Hold:
    """A Job to be suspended, or let go on."""

    job: Job
    suspend: bool


@dataclass(frozen=True)
class Refusal:
    """Why a child cannot be made."""

    reason: str
    message: str
    final: bool
    """Whether it will stay so until the spec is another."""


@dataclass(frozen=True)
class Plan(Generic[Status]):
    """One status, and at most a few actions. Without actions nothing is to be done but to write the status."""

    status: Status
    start: Start | None = None
    hold: Hold | None = None
    stop: tuple[Job, ...] = ()
    """Jobs to be removed."""
    delete_self: bool = False
    after: float | None = None
    """Seconds after which to look again, whatever happens."""


def true(type_: str, reason: str, message: str = "") -> Observation:
    """A condition that holds."""
    return Observation(type=type_, status=ConditionStatus.TRUE, reason=reason, message=message)


def false(type_: str, reason: str, message: str = "") -> Observation:
    """A condition that does not hold."""
    return Observation(type=type_, status=ConditionStatus.FALSE, reason=reason, message=message)


def unknown(type_: str, reason: str, message: str = "") -> Observation:
    """A condition about which nothing can be said yet."""
    return Observation(type=type_, status=ConditionStatus.UNKNOWN, reason=reason, message=message)
