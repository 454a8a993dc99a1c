"""A program with all the processes that it started: CPU time, memory, and the CPU that it may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process, its children, and theirs."""
    found = [pid]
    for each in found:
        for task in _tasks(each):
            with suppress(OSError):
                found += [
                    int(child) for child in Path(f"/proc/{each}/task/{task}/children").read_text().split()
                ]
    return found


def processor_seconds(pid: int) -> float:
    """User and system time of all that are there."""
    return sum(_processor_seconds(each) for each in family(pid))


def resident_mebibytes(pid: int) -> float:
    """Memory of all that are there; what several share is counted for each."""
    return sum(_resident_mebibytes(each) for each in family(pid))


def keep_on(pid: int, processor: int) -> None:
    """From now on all of them, and what they start, run on one CPU."""
    for each in family(pid):
        for task in _tasks(each):
            with suppress(OSError):
                os.sched_setaffinity(task, {processor})


def _tasks(pid: int) -> Iterator[int]:
    with suppress(OSError):
        yield from (int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())


def _processor_seconds(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


def _resident_mebibytes(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
