"""What the pod may use and what it has used."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from pathlib import Path

from modelyard_api.contract.used import Used

_CGROUP = Path("/sys/fs/cgroup")
_KIBIBYTE = 1024
_START_FIELD = 19
"""Place of the start among the fields of /proc/self/stat that follow the program's name."""


_WORKER_BYTES = 64 * 2**20
"""A child process smaller than this did no part of the work."""
_WORKER_SECONDS = 0.25
"""Nor did children that computed for less: libraries ask `lscpu` for the cores, and the kernel holds the memory of its
parent against a child that is just being started."""
_PEAK_FILES = ("memory.peak", "memory/memory.max_usage_in_bytes")


def threads(cgroup: Path = _CGROUP) -> int:
    """Whole CPUs that the control group may use, at least one; those of the machine where there is no limit."""
    available = len(os.sched_getaffinity(0))
    limit = _cpu_limit(cgroup)
    return available if limit is None else max(1, min(available, int(limit)))


def threads_of_each(workers: int, cgroup: Path = _CGROUP) -> int:
    """Threads of one of some workers: its own limit where it has one, else its share of the machine."""
    return threads(cgroup) if _cpu_limit(cgroup) is not None else max(1, threads(cgroup) // workers)


def used_so_far(cgroup: Path = _CGROUP) -> Used:
    """Use since the process started."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    by_children = children.ru_utime + children.ru_stime
    largest_child = children.ru_maxrss if by_children >= _WORKER_SECONDS else 0
    peak = peak_memory(own.ru_maxrss * _KIBIBYTE, largest_child * _KIBIBYTE, cgroup)
    cpu = own.ru_utime + own.ru_stime + by_children
    return Used(cpu_seconds=round(cpu, 2), peak_memory_bytes=peak, seconds=round(_age_of_process(), 2))


def peak_memory(own: int, largest_child: int, cgroup: Path = _CGROUP) -> int:
    """Peak in bytes from the largest resident sets of this process and of any of its children.

    Where children share the work their sets add up, in a way that the control group alone knows. Else its peak would
    say too much: it counts every file that was read once.
    """
    peaks = [own, largest_child]
    if largest_child >= _WORKER_BYTES:
        peaks += [own + largest_child, *_group_peaks(cgroup)]
    return max(peaks)


def _group_peaks(cgroup: Path) -> list[int]:
    found = []
    for name in _PEAK_FILES:
        with suppress(OSError, ValueError):
            found.append(int((cgroup / name).read_text()))
    return found


def _age_of_process() -> float:
    """Seconds since this process was started, by the clock that the kernel starts it by."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return max(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 0.0)


def _cpu_limit(cgroup: Path) -> float | None:
    """CPUs by version 2's cpu.max or version 1's quota, or None where there is no limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return None if quota in {"max", "-1"} else int(quota) / int(period)
