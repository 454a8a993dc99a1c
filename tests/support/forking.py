"""Starts programs from a process that has them imported already: a start costs a fork instead of seconds of imports.

What is started is the program's own entry point (`python -m PACKAGE`), with an environment, a log and an exit status of
its own; it may be signalled, killed and waited for like any other process. Three things differ from a new interpreter, and a test
about them starts one: imports are not run again, strings hash alike in all that one such process starts, and modules are
not taken apart at the end, which would first copy all the memory that a fork shares.
"""

import atexit
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn, Protocol

_MOST_BYTES = 1 << 17
_READY_SECONDS = 240.0
"""For its imports, on a machine that does other things too."""


class Process(Protocol):
    """What a started program can be asked, forked or not."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Forked:
    """A program that a forking process has started; ``status`` tells its id, and later how it ended."""

    def __init__(self, status: int) -> None:
        self._status = status
        weakref.finalize(self, os.close, status)
        self._reading = threading.Lock()
        self._told = b""
        self._returncode: int | None = None
        self._listen(_READY_SECONDS, lines=1)
        self.pid = int(self._lines()[0])

    def poll(self) -> int | None:
        """The exit status, minus the signal's number for a program that was killed; None while it runs."""
        if self._returncode is None:
            self._listen(0, lines=2)
            if len(self._lines()) > 1:
                self._returncode = int(self._lines()[1])
        return self._returncode

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit status; raises TimeoutExpired like ``subprocess``."""
        if self._returncode is None:
            self._listen(timeout, lines=2)
        ended = self.poll()
        if ended is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return ended

    def send_signal(self, sig: int) -> None:
        """Signals the program if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Asks the program to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the program as a node failure does."""
        self.send_signal(signal.SIGKILL)

    def _lines(self) -> list[bytes]:
        return self._told.split(b"\n")[:-1]

    def _listen(self, timeout: float | None, lines: int) -> None:
        """Reads until so many lines were told, or until the time is up; other threads may do so too."""
        while len(self._lines()) < lines and self._is_readable(timeout):
            with self._reading:
                if not self._is_readable(0):
                    continue
                told = os.read(self._status, 64)
                if not told:
                    raise RuntimeError("the forking process ended; its error stands above")
                self._told += told

    def _is_readable(self, timeout: float | None) -> bool:
        return bool(select.select([self._status], [], [], timeout)[0])


@dataclass(frozen=True)
class Program:
    """A package that has an entry point."""

    package: str
    options: tuple[str, ...] = ()
    """Of the interpreter."""
    imports: tuple[str, ...] = ()
    """Modules that its entry point imports late."""
    settings: tuple[tuple[str, str], ...] = ()
    """Variables that libraries read when they are imported."""


class ForkingProcess:
    """The process that has one package imported."""

    def __init__(self, program: Program) -> None:
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, *program.options, "-m", __name__),
                    *(str(other.fileno()), program.package, *program.imports),
                ],
                env={
                    **os.environ,
                    **dict(program.settings),
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                },
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )

    def start(self, environment: Mapping[str, str], output: int, errors: int) -> Forked:
        """Starts the package's entry point; its output and errors go to the open files given by number."""
        reading, writing = os.pipe()
        ask = json.dumps({"environment": dict(environment), "directory": str(Path.cwd())}).encode()
        assert len(ask) < _MOST_BYTES
        try:
            socket.send_fds(self._control, [ask], [output, errors, writing])
        finally:
            os.close(writing)
        return Forked(reading)

    def close(self) -> None:
        """Ends the process; what it has started runs on."""
        self._control.close()
        self._process.wait(20)


@cache
def forking(program: Program) -> ForkingProcess:
    """The one forking process of a program; it ends with this process."""
    started = ForkingProcess(program)
    atexit.register(started.close)
    return started


def _fork() -> int:
    with warnings.catch_warnings():
        # Of threads that a library made at its import, and that its own handlers of forks know how to treat.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _program(package: str, ask: bytes, files: Sequence[int]) -> NoReturn:
    """In the program's own process, which ends as the entry point does."""
    output, errors, telling = files
    os.close(telling)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.close(output)
    os.close(errors)
    asked = json.loads(ask)
    os.chdir(asked["directory"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    # Each has its own chance, as a new interpreter would.
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    try:
        runpy.run_module(package, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        status = end.code or 0
    else:
        status = 0
    _end(status)


def _end(status: int) -> NoReturn:
    """All that an interpreter does at its end before it takes its modules apart."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads that are to be waited for
    atexit._run_exitfuncs()
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _keep(package: str, ask: bytes, files: Sequence[int]) -> NoReturn:
    """In a process between: starts the program, tells its id and how it ended."""
    child = _fork()
    if child == 0:
        _program(package, ask, files)
    output, errors, status = files
    os.close(output)
    os.close(errors)
    with suppress(BrokenPipeError):
        os.write(status, f"{child}\n".encode())
        os.write(status, f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n".encode())
    os._exit(0)


def _bury() -> None:
    """Takes note of the processes between that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(control: socket.socket, package: str, *imports: str) -> None:
    entry = f"{package}.__main__"
    for module in (entry, *imports):
        importlib.import_module(module)
    del sys.modules[entry]
    # What is there now is not looked through again in every process, which would copy it.
    gc.collect()
    gc.freeze()
    while True:
        ask, files, _, _ = socket.recv_fds(control, _MOST_BYTES, 3)
        if not ask:
            return
        _bury()
        if _fork() == 0:
            control.close()
            _keep(package, ask, files)
        for file in files:
            os.close(file)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as control:
        _serve(control, *sys.argv[2:])
    # Taking apart what was frozen would be told as a leak.
    os._exit(0)
