"""How a pod ends: every way out of a step becomes an outcome in the termination message and an exit code.

The user's message never holds a stack trace; the trace goes to the log.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

from modelyard_api.contract.exit_codes import ExitCode, FailureClass, exit_code
from modelyard_api.contract.outcome import (
    LIMIT_BYTES,
    TERMINATION_LOG,
    TERMINATION_VARIABLE,
    Failure,
    Outcome,
)
from modelyard_api.contract.steps import Step
from modelyard_runtime.errors import StepError
from modelyard_runtime.logs import LogTail, configure_logs
from modelyard_runtime.step import read_step

LEVEL_VARIABLE = "MODELYARD_LOG_LEVEL"
STOPPED = 128 + signal.SIGTERM
"""Exit status of a pod that was asked to stop; the operator knows why it was."""

_MESSAGE_LIMIT = 400

_log = logging.getLogger("modelyard.step")


class StoppedError(BaseException):
    """SIGTERM arrived. Not an Exception, so that no step takes it for a failure of its own."""


def run_step(work: Callable[[Step], Outcome], environment: Mapping[str, str]) -> int:
    """Reads the step, carries it out and reports; returns the exit status, for ``end``.

    ``work`` raises the errors of ``modelyard_runtime.errors`` for what it can explain. An outcome that could not be
    written is a Platform failure: the step is idempotent, so the next pod answers at once.
    """
    tail = configure_logs(sys.stderr, environment.get(LEVEL_VARIABLE, "INFO"))
    previous = signal.signal(signal.SIGTERM, _stop)
    target = Path(environment.get(TERMINATION_VARIABLE, TERMINATION_LOG))
    try:
        outcome, status = _attempt(work, environment, tail)
    finally:
        signal.signal(signal.SIGTERM, previous)
    message = outcome.encode()
    _log.info("step ended", extra={"exit": status, "outcome": message.decode()})
    try:
        target.write_bytes(message)
    except OSError as error:
        _log.error("the outcome cannot be written to %s: %s", target, error)
        return status or ExitCode.PLATFORM
    return status


def end(status: int) -> NoReturn:
    """Ends the process of a step that was reported: what was left for the exit is done, and all output is written.

    Modules are not taken apart. With the libraries that train that is a quarter of what a small training takes, and
    nobody is left to see it.
    """
    atexit._run_exitfuncs()  # noqa: SLF001  as the interpreter does; multiprocessing ends its children so
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _attempt(
    work: Callable[[Step], Outcome], environment: Mapping[str, str], tail: LogTail
) -> tuple[Outcome, int]:
    try:
        outcome = work(read_step(environment))
        _check_length(outcome)
    except StoppedError:
        _log.warning("SIGTERM: stopping")
        failure = Failure(failure_class=FailureClass.EVICTED, message="the pod was asked to stop")
        return _failed(failure, tail), STOPPED
    except StepError as error:
        _log.error("%s", error, exc_info=error if error.__cause__ else None)
        return _failed(error.failure(), tail), exit_code(error.failure_class)
    except MemoryError as error:
        _log.error("out of memory", exc_info=error)
        failure = Failure(
            failure_class=FailureClass.OUT_OF_MEMORY,
            message="the step needs more memory than the pod may use",
            remedy="raise spec.resources.limits.memory",
        )
        return _failed(failure, tail), ExitCode.CODE
    except Exception as error:  # noqa: BLE001  every way out is reported
        _log.exception("the step failed in a way that it does not know")
        failure = Failure(failure_class=FailureClass.CODE, message=_one_line(error))
        return _failed(failure, tail), ExitCode.CODE
    return outcome, ExitCode.OK


def _check_length(outcome: Outcome) -> None:
    size = len(outcome.encode())
    if size > LIMIT_BYTES:
        raise StepError(f"the outcome takes {size} bytes, a termination message holds {LIMIT_BYTES}")


def _failed(failure: Failure, tail: LogTail) -> Outcome:
    return Outcome(failure=failure.model_copy(update={"log_tail": tail.text()}))


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:_MESSAGE_LIMIT]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise StoppedError
