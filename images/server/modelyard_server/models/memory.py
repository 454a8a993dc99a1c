"""How much memory the pod has left, so that a model that does not fit is refused instead of ending the champion with it."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

from modelyard_server.errors import BundleError

Room = Callable[[], int | None]
"""Bytes that may still be taken; None where nobody says."""

_MIB = 1024 * 1024
_RECLAIMED = "inactive_file"
_CGROUP = Path("/sys/fs/cgroup")


def free_bytes(cgroup: Path = _CGROUP) -> int | None:
    """Bytes between what the control group (version 2) takes and its limit; None where it has none or is not there.

    Pages of files that the kernel gives back by itself do not count as taken.
    """
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        taken = int((cgroup / "memory.current").read_text())
        lines = (cgroup / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    if not limit.isdecimal():
        return None
    given_back = next((int(line.split()[1]) for line in lines if line.split()[:1] == [_RECLAIMED]), 0)
    return max(0, int(limit) - taken + given_back)


def unlimited() -> None:
    """A Room of which nobody says how large it is."""
    return


def demand_room(what: str, needed: int, free: int | None) -> None:
    """Raises BundleError where ``what`` certainly takes more bytes than there are."""
    if free is not None and needed > free:
        raise BundleError(
            f"{what} takes at least {_mib(needed)} MiB of memory while it is loaded, the pod has {free // _MIB} left; "
            "raise spec.serving.resources.limits.memory"
        )


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
