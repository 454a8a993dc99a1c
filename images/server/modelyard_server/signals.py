"""Names of signals that ended a process."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """``SIGSEGV`` for 11; one that has no name is told by its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
