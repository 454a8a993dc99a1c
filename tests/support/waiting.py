"""Waiting for a condition, with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.2
_SHARE = 0.04
"""Of what was waited already, which the next pause may add: who waits long takes little from what it waits for."""
_LONG_PAUSE_SECONDS = 0.5


def until(look: Callable[[], Seen | None], seconds: float = 30.0, what: str = "the condition") -> Seen:
    """Calls `look` until it returns something true and returns that; fails after `seconds`.

    An AssertionError from `look` counts as "not yet" and is shown if the time runs out.
    """
    began = time.monotonic()
    last: object = None
    while True:
        try:
            last = seen = look()
            if seen:
                return seen
        except AssertionError as error:
            last = error
        waited = time.monotonic() - began
        if waited > seconds:
            raise TimeoutError(f"{what} did not hold within {seconds:.0f} s; last seen: {last!r}")
        time.sleep(min(max(_PAUSE_SECONDS, waited * _SHARE), _LONGEST_PAUSE_SECONDS))


def throughout(look: Callable[[], bool], seconds: float, what: str) -> None:
    """Looks again and again for a while; fails the first time that `look` is false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert look(), f"{what} did not hold throughout {seconds:.0f} s"
        time.sleep(_LONG_PAUSE_SECONDS)
