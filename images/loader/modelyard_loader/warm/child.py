"""One step in a process of its own: its memory and its faults end with it, and nothing is imported again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.outcome import TERMINATION_VARIABLE
from modelyard_api.contract.progress import StepProgress
from modelyard_api.contract.steps import STEP_VARIABLE, Step
from modelyard_loader.dispatch import carry_out
from modelyard_runtime.exit import run_step
from modelyard_runtime.progress import Progress

_PROGRESS_SECONDS = 0.5

Work = Callable[[Step, Mapping[str, str], Path], int]
"""Carries a step out in the directory given, and returns the exit status."""


@dataclass(frozen=True)
class Ended:
    """How a step's process ended."""

    exit_code: int
    signal: int
    message: str
    """The outcome as it was written; empty where none was."""


class Child:
    """The process of one step, with a directory of its own that goes with it."""

    def __init__(self, pid: int, room: Path) -> None:
        self._pid = pid
        self._room = room

    @classmethod
    def start(cls, step: Step, environment: Mapping[str, str], room: Path, work: Work) -> Child:
        """Forks. The caller must have no threads that hold locks."""
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(parents=True)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, signal.SIG_DFL)
                status = work(step, environment, room)
            finally:
                sys.stderr.flush()
                # Nothing of the parent's is to be closed or written a second time.
                os._exit(status)
        return cls(pid, room)

    def poll(self) -> Ended | None:
        """How it ended; None while it runs."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        return self._ended(status) if pid else None

    def stop(self, *, kill: bool = False) -> None:
        """Asks it to stop, or ends it."""
        os.kill(self._pid, signal.SIGKILL if kill else signal.SIGTERM)

    def progress(self) -> StepProgress | None:
        """How far it is, as it said last."""
        try:
            return StepProgress.model_validate_json(_progress_file(self._room).read_bytes())
        except (OSError, ValidationError):
            return None

    def _ended(self, status: int) -> Ended:
        code = os.waitstatus_to_exitcode(status)
        try:
            message = _outcome_file(self._room).read_text()
        except (OSError, UnicodeDecodeError):
            message = ""
        shutil.rmtree(self._room, ignore_errors=True)
        return Ended(max(code, 0), max(-code, 0), message)


def carry_out_in(step: Step, environment: Mapping[str, str], room: Path) -> int:
    """Carries the step out as its own pod would; temporary files are in ``room``."""
    scratch = room / "tmp"
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    given = {
        **environment,
        STEP_VARIABLE: step.model_dump_json(by_alias=True, exclude_none=True),
        TERMINATION_VARIABLE: str(_outcome_file(room)),
    }
    show = partial(_written, path=_progress_file(room))
    return run_step(partial(carry_out, environment=given, show=show), given)


@contextmanager
def _written(progress: Progress, path: Path) -> Iterator[None]:
    """Writes how far the step is into a file, for the time of the block."""
    over = threading.Event()

    def write() -> None:
        fresh = path.with_suffix(".new")
        while True:
            try:
                fresh.write_bytes(progress.now().model_dump_json(by_alias=True).encode())
                fresh.replace(path)
            except OSError:
                # The talk is lost, the step goes on.
                return
            if over.wait(_PROGRESS_SECONDS):
                return

    thread = threading.Thread(target=write, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _outcome_file(room: Path) -> Path:
    return room / "outcome"


def _progress_file(room: Path) -> Path:
    return room / "progress.json"
