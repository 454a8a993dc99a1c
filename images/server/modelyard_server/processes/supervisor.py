"""Starts the processes of a pod, passes signals on, and starts anew whichever is killed.

Each has a listening socket of its own on the one port, among which the kernel spreads connections. This process keeps all of
them open, so that connections which come while one is started anew wait for it instead of being refused.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from modelyard_server.signals import signal_name

_BACKLOG = 2048
_LONGEST_PAUSE = 30.0
_SETTLED_SECONDS = 60.0
"""A process that lived for this long is not the same trouble as the one before it."""
_PARENT_DEATH_SIGNAL = 1
_UNEXPECTED = 1
_NOBODY = -1
_PASSED_ON = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """What one of several processes has of its own, whoever takes it."""

    number: int
    count: int
    listener: socket.socket
    directory: Path
    """Where the processes meet; nobody else's."""
    ended: Mapping[str, int] = field(default_factory=dict)
    """How many processes before were ended here by which signal."""


@dataclass
class _Child:
    place: Place
    started: float
    restarts: int


class Supervisor:
    """Runs ``serve`` in several processes, which return an exit status each."""

    def __init__(self, count: int, port: int, serve: Callable[[Place], int]) -> None:
        self._count = count
        self._port = port
        self._serve = serve
        self._children: dict[int, _Child] = {}
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Returns when all have ended, with the highest exit status.

        A process that ends by itself says that it cannot go on, and ends the others; one that is killed is replaced.
        """
        with tempfile.TemporaryDirectory(prefix="modelyard-") as directory:
            listeners = [listening(self._port) for _ in range(self._count)]
            for expected in _PASSED_ON:
                signal.signal(expected, self._pass_on)
            # What is there by now is the same in all of them, and is not to be copied because a collector looks at it.
            gc.freeze()
            for number, listener in enumerate(listeners):
                self._start(Place(number, self._count, listener, Path(directory)), restarts=0)
            while self._children:
                pid, status = os.wait()
                child = self._children.pop(pid, None)
                if child is not None:
                    self._ended(child, os.waitstatus_to_exitcode(status))
        return self._status

    def _ended(self, child: _Child, status: int) -> None:
        if self._stopping:
            self._status = max(self._status, status)
        elif status < 0:
            lived = time.monotonic() - child.started
            name = signal_name(-status)
            _log.error("process %d was ended by %s", child.place.number, name)
            ended = {**child.place.ended, name: child.place.ended.get(name, 0) + 1}
            self._start(
                replace(child.place, ended=ended),
                restarts=0 if lived > _SETTLED_SECONDS else child.restarts + 1,
            )
        else:
            _log.error("process %d ended with status %d", child.place.number, status)
            self._status = status
            self._pass_on(signal.SIGTERM, None)

    def _start(self, place: Place, restarts: int) -> None:
        # A signal waits until the child is known here, or has no handler of this process there.
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        pid = _NOBODY if self._stopping else os.fork()
        if pid:
            if pid != _NOBODY:
                self._children[pid] = _Child(place, time.monotonic(), restarts)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            return
        status = _UNEXPECTED
        try:
            for number in _PASSED_ON:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            _end_with_parent()
            time.sleep(pause(restarts))
            status = self._serve(place)
        except BaseException:  # noqa: BLE001  whatever it was, this process ends here and not in the parent's code
            _log.exception("process %d failed", place.number)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Nothing that the parent has open, or has to do at its end, is this process's business.
            os._exit(status)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._stopping = True
        for pid in list(self._children):
            os.kill(pid, number)


def pause(restarts: int) -> float:
    """Seconds before a process is started for the nth time in a row: none, then doubling from one."""
    return min(2.0 ** (restarts - 1), _LONGEST_PAUSE) if restarts else 0.0


def listening(port: int) -> socket.socket:
    """A socket on all addresses that shares its port with others of this user."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("0.0.0.0", port))  # noqa: S104  a pod's own network
    listener.listen(_BACKLOG)
    return listener


def _end_with_parent() -> None:
    """Linux: a process whose parent is killed is asked to end, too."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
