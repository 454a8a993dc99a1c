"""What the pod may use and what it has used."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_KIBIBYTE = 1024


@dataclass(frozen=True)
class UsedSoFar:
    """CPU time and memory of this process and its children."""

    cpu_seconds: float
    peak_memory_bytes: int


def threads(cgroup: Path = _CGROUP) -> int:
    """Whole CPUs that the control group may use, at least one; those of the machine where there is no limit."""
    available = len(os.sched_getaffinity(0))
    limit = _cpu_limit(cgroup)
    return available if limit is None else max(1, min(available, int(limit)))


def threads_of_each(workers: int, cgroup: Path = _CGROUP) -> int:
    """Threads of one of some workers: its own limit where it has one, else its share of the machine."""
    return threads(cgroup) if _cpu_limit(cgroup) is not None else max(1, threads(cgroup) // workers)


def used_so_far() -> UsedSoFar:
    """Use since the process started; memory is the largest resident set."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return UsedSoFar(round(cpu, 2), max(own.ru_maxrss, children.ru_maxrss) * _KIBIBYTE)


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
