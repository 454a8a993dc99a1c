"""Waiting out a short outage: bounded, with growing pauses, said aloud, and with the clock passed in."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")

_LINE_LIMIT = 160

_log = logging.getLogger(__name__)


def tell_nobody(_clause: str) -> None:
    """What is done with a notice where nobody listens."""


@dataclass(frozen=True)
class Patience:
    """How long and how often something is tried again; all times in seconds."""

    total: float = 60.0
    first_pause: float = 0.25
    longest_pause: float = 5.0
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    notice: Callable[[str], None] = tell_nobody
    """Told which service does not answer as soon as it is waited for, and an empty text when it answers again."""


def patiently(
    work: Callable[[], Result], passing: Callable[[Exception], bool], patience: Patience, what: str
) -> Result:
    """Result of ``work``, called again while its error is a passing one and time is left.

    The time counts from the first error, however long the work itself takes. The last error is raised as it is. Pauses
    double and are drawn from their upper half, so that many pods do not come back at the same moment. ``what`` names
    the service.
    """
    deadline: float | None = None
    pause = patience.first_pause
    while True:
        try:
            result = work()
        except Exception as error:
            now = patience.clock()
            deadline = now + patience.total if deadline is None else deadline
            if not passing(error) or now + pause > deadline:
                raise
            clause = _first_line(error)
            _log.warning("%s: %s; trying again", what, clause)
            patience.notice(f"{what} does not answer ({clause})")
        else:
            if deadline is not None:
                patience.notice("")
            return result
        patience.pause(pause * random.uniform(0.5, 1.0))  # noqa: S311  not a secret
        pause = min(pause * 2, patience.longest_pause)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0].strip() if lines else type(error).__name__)[:_LINE_LIMIT]
