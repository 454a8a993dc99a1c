"""Waiting inside of an event loop for what its next turns bring."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

_SECONDS = 10.0


async def turns_until(holds: Callable[[], object]) -> None:
    """Lets the loop turn until something holds. Raises TimeoutError after ten seconds."""
    deadline = time.monotonic() + _SECONDS
    for _ in itertools.count():
        if holds():
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not come within {_SECONDS:.0f} s")
        await asyncio.sleep(0)
