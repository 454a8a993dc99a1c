"""Processes that start others: who is killed is replaced, who gives up ends all, and a signal reaches everyone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import until

_PROGRAM = """
import signal, sys
from pathlib import Path
from modelyard_server.processes.supervisor import Supervisor
directory, port, status = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
def serve(place):
    import os
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    (directory / f"{place.number}-{os.getpid()}").touch()
    if status and place.number == 1:
        return status
    while True:
        signal.pause()
def body(place):
    try:
        return serve(place)
    except SystemExit as end:
        return end.code
sys.exit(Supervisor(2, port, body).run())
"""


@contextmanager
def supervised(directory: Path, status: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _PROGRAM, str(directory), str(free_port()), str(status)]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.kill()


def seen(directory: Path, number: int) -> list[int]:
    """Ids of the processes that had a place so far."""
    found = sorted(directory.glob(f"{number}-*"), key=lambda file: file.stat().st_mtime_ns)
    return [int(file.name.partition("-")[2]) for file in found]


def started(directory: Path) -> list[int]:
    until(lambda: seen(directory, 0) and seen(directory, 1), 30, "two processes")
    return [seen(directory, 0)[-1], seen(directory, 1)[-1]]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_is_killed_is_replaced_and_a_signal_ends_all(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        first, second = started(tmp_path)
        os.kill(first, signal.SIGKILL)
        until(lambda: len(seen(tmp_path, 0)) == 2, 30, "another process in its place")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not alive(second)
        assert not alive(seen(tmp_path, 0)[-1])


def test_a_process_that_gives_up_ends_the_others_with_its_status(tmp_path: Path) -> None:
    with supervised(tmp_path, status=7) as process:
        assert process.wait(30) == 7
        assert not any(alive(pid) for pid in seen(tmp_path, 0))


def test_processes_whose_parent_is_killed_end_too(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        pids = started(tmp_path)
        process.kill()
        until(lambda: not any(alive(pid) for pid in pids), 30, "both processes ending")
