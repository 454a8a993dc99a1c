"""Ends the pod soon after SIGTERM even where compiled code does not let Python's own handler run.

A fit may be one call of minutes. The signal's number is written to a pipe at once, whatever the main thread does.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import TERMINATION_LOG, TERMINATION_VARIABLE, Failure, Outcome
from modelyard_runtime.exit import STOPPED

_PATIENCE_SECONDS = 3.0
"""What the main thread gets to end in order; a pod has 30 before it is killed."""


def end_soon_after_sigterm(environment: Mapping[str, str]) -> None:
    """Watches from now on. To be called by the main thread, which handles the signal itself whenever it can."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    target = Path(environment.get(TERMINATION_VARIABLE, TERMINATION_LOG))
    threading.Thread(target=_watch, args=(reader, target), daemon=True).start()


def _watch(reader: int, target: Path) -> None:
    while signal.SIGTERM not in os.read(reader, 64):
        continue
    threading.Event().wait(_PATIENCE_SECONDS)
    failure = Failure(failure_class=FailureClass.EVICTED, message="the pod was asked to stop")
    try:
        target.write_bytes(Outcome(failure=failure).encode())
    finally:
        os._exit(STOPPED)
