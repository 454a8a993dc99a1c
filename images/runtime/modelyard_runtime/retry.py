"""Waiting out a short outage: bounded, with growing pauses, and with the clock passed in."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long and how often something is tried again; all times in seconds."""

    total: float = 60.0
    first_pause: float = 0.25
    longest_pause: float = 5.0
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


def patiently(
    work: Callable[[], Result], passing: Callable[[Exception], bool], patience: Patience, what: str
) -> Result:
    """Result of ``work``, called again while its error is a passing one and time is left.

    The last error is raised as it is. Pauses double and are drawn from their upper half, so that many pods do not
    come back at the same moment.
    """
    deadline = patience.clock() + patience.total
    pause = patience.first_pause
    while True:
        try:
            return work()
        except Exception as error:
            if not passing(error) or patience.clock() + pause > deadline:
                raise
            _log.warning("%s: %s; trying again", what, error)
        patience.pause(pause * random.uniform(0.5, 1.0))  # noqa: S311  not a secret
        pause = min(pause * 2, patience.longest_pause)
