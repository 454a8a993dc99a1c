"""Running other programs: everything they print goes to a log, and a failure shows its end."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bringup.errors import BringUpError, CommandFailedError
from bringup.report import Reporter

_TAIL_LINES = 25
_POLL_SECONDS = 0.2
_ENDING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Options:
    """How a program is run; seconds for the time limit, none by default."""

    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: IO[bytes] | None = None
    timeout: float | None = None


class Shell:
    """Runs programs on behalf of steps, with the tools of this bring-up first on the path."""

    def __init__(self, logs: Path, reporter: Reporter, path: Sequence[Path] = ()) -> None:
        self._logs = logs
        self._reporter = reporter
        self._path = [str(p) for p in path]

    @property
    def search_path(self) -> str:
        """Directories that programs are looked up in, ours first, the system's own directories last."""
        return os.pathsep.join(
            [*self._path, os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"]
        )

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PATH": self.search_path, **extra}

    def run(self, log: str, argv: Sequence[str | Path], options: Options | None = None) -> None:
        """Runs a program to its end, its output in `LOG.log`; raises CommandFailedError unless it ends with 0."""
        options = options or Options()
        words = [str(a) for a in argv]
        file = self._logs / f"{log}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as output:
            output.write(f"$ {' '.join(words)}\n".encode())
            output.flush()
            child: subprocess.Popen[bytes] | None = None
            try:
                with _undisturbed():
                    child = subprocess.Popen(
                        words,
                        cwd=options.cwd,
                        env=self.environment(options.env),
                        stdin=options.stdin or subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                code = self._wait(child, file, options.timeout)
            except BaseException:
                if child:
                    _end_group(child)
                raise
        if code != 0:
            raise CommandFailedError(words, code, file, tail_of(file, _TAIL_LINES))

    def pipe(self, log: str, producer: Sequence[str | Path], consumer: Sequence[str | Path]) -> None:
        """Runs two programs, what the first prints being read by the second; both have to end well."""
        words = [str(a) for a in producer]
        with (self._logs / f"{log}-from.log").open("wb") as errors:
            source = subprocess.Popen(
                words,
                env=self.environment({}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            self.run(log, consumer, Options(stdin=source.stdout))
        finally:
            if source.stdout:
                source.stdout.close()
            code = source.wait()
        if code != 0:
            file = self._logs / f"{log}-from.log"
            raise CommandFailedError(words, code, file, tail_of(file, _TAIL_LINES))

    def ask(self, argv: Sequence[str | Path], options: Options | None = None) -> str | None:
        """Runs a short program and returns what it printed, or None if it failed or is not installed."""
        options = options or Options(timeout=30)
        try:
            done = subprocess.run(
                [str(a) for a in argv],
                cwd=options.cwd,
                env=self.environment(options.env),
                stdin=options.stdin or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=options.timeout,
                check=False,
            )
        except (FileNotFoundError, PermissionError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    def _wait(self, child: "subprocess.Popen[bytes]", log: Path, timeout: float | None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return child.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                self._reporter.detail((tail_of(log, 1) or [""])[-1])
            if deadline is not None and time.monotonic() > deadline:
                raise BringUpError(f"{child.args!r} took longer than {timeout:.0f} s; its log: {log}")


def tail_of(file: Path, lines: int) -> list[str]:
    """The last lines of a log, read from its end."""
    with file.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - 16384))
        return stream.read().decode(errors="replace").splitlines()[-lines:]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keeps signals back while a program is started: one in between would leave a program that nobody knows."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = {n: signal.signal(n, lambda number, _: received.append(number)) for n in _ENDING}
    try:
        yield
    finally:
        for kept, handler in before.items():
            signal.signal(kept, handler)
        for one in received:
            signal.raise_signal(one)


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
