"""How much memory the pod has left, so that a model that does not fit is refused instead of ending the champion with it."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard_server.errors import BundleError

Room = Callable[[], int | None]
"""Bytes that may still be taken; None where nobody says."""

_MIB = 1024 * 1024
_REMEDY = "raise spec.serving.resources.limits.memory"
_CGROUP = Path("/sys/fs/cgroup")
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = _MIB
_NO_LIMIT = 2**60
"""What version 1 of control groups has for none is a little less than 2**63."""


@dataclass(frozen=True)
class _Files:
    """Where a version of control groups tells what is taken."""

    limit: str
    taken: str
    stat: str
    reclaimed: str


_VERSIONS = (
    _Files("memory.max", "memory.current", "memory.stat", "inactive_file"),
    _Files(
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


def free_bytes(cgroup: Path = _CGROUP) -> int | None:
    """Bytes between what the control group takes and its limit; None where it has none or is not there.

    Pages of files that the kernel gives back by itself do not count as taken.
    """
    for files in _VERSIONS:
        try:
            limit = (cgroup / files.limit).read_text().strip()
            taken = int((cgroup / files.taken).read_text())
            lines = (cgroup / files.stat).read_text().splitlines()
        except (OSError, ValueError):
            continue
        if not limit.isdecimal() or int(limit) >= _NO_LIMIT:
            return None
        given_back = next(
            (int(line.split()[1]) for line in lines if line.split()[:1] == [files.reclaimed]), 0
        )
        return max(0, int(limit) - taken + given_back)
    return None


def unlimited() -> None:
    """A Room of which nobody says how large it is."""
    return


def demand_room(what: str, needed: int, free: int | None) -> None:
    """Raises BundleError where ``what`` certainly takes more bytes than there are."""
    if free is not None and needed > free:
        raise BundleError(
            f"{what} takes at least {_mib(needed)} MiB of memory while it is loaded, the pod has {free // _MIB} left; "
            f"{_REMEDY}"
        )


def too_large(free: int | None) -> str:
    """What is said of a model that took more than there is."""
    left = "" if free is None else f", which are {free // _MIB} MiB"
    return f"the model does not fit the memory that the pod has left{left}; {_REMEDY}"


def give_back_what_is_large() -> None:
    """From now on what is freed goes back to the system where it was a megabyte or more.

    Else the C library, once it has seen a large model's file freed, keeps up to 64 MiB for each thread that loaded one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, others do not
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def limit_data(more: int) -> None:
    """Lets this process take at most so many bytes more than it has; what goes beyond is a MemoryError.

    Meant for a process that reads what nobody vouches for.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    taken = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
    most = taken + more
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _mib(size: int) -> int:
    return -(-size // _MIB)
