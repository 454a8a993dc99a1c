"""How much memory and disk the engine may take: a share of what the pod has, since the pod does other things too."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard_api.contract.steps import TMP_SIZE_VARIABLE
from modelyard_api.quantities import bytes_of

_SHARE_OF_MEMORY = 0.4
_SHARE_OF_DISK = 0.7
_UNLIMITED = 1 << 60
"""cgroup v1 says no limit by a number near 2^63."""
_LIMIT_FILES = ("memory.max", "memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Limits:
    """What an engine may use."""

    memory_bytes: int | None = None
    """Memory for tables, sorts and joins, without that of the batches that stream by; a share of the machine if None."""
    threads: int = 1
    """Threads of a query; the values do not depend on it."""
    directory: Path | None = None
    """Where what does not fit into memory goes; the directory for temporary files if None."""
    disk_bytes: int | None = None
    """Room in that directory; what is free there if None."""


def pod_limits(environment: Mapping[str, str], *, threads: int = 1, root: Path = Path("/")) -> Limits:
    """Limits of the pod that this process runs in. ``root`` is where /sys and /proc are found."""
    memory = memory_limit(root)
    room = bytes_of(environment.get(TMP_SIZE_VARIABLE, ""))
    return Limits(
        memory_bytes=int(memory * _SHARE_OF_MEMORY) if memory else None,
        threads=threads,
        directory=Path(tempfile.gettempdir()),
        disk_bytes=int(room * _SHARE_OF_DISK) if room else None,
    )


def memory_limit(root: Path) -> int | None:
    """The least memory limit in bytes of the process's cgroup and those above it; None if there is none."""
    found = [limit for path in _limit_files(root) if (limit := parsed_limit(_content(path))) is not None]
    return min(found, default=None)


def parsed_limit(text: str) -> int | None:
    """The number in a limit file of cgroup v1 or v2; None where it says that there is no limit."""
    word = text.strip()
    if not word.isdecimal() or int(word) >= _UNLIMITED:
        return None
    return int(word)


def _limit_files(root: Path) -> list[Path]:
    """Files of the process's own groups, else, as a container sees them, those at the mount."""
    base = root / "sys/fs/cgroup"
    found = [base / name for name in _LIMIT_FILES]
    for line in _content(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", maxsplit=2)
        if controllers == "":
            name, place = "memory.max", base
        elif "memory" in controllers.split(","):
            name, place = "memory.limit_in_bytes", base / "memory"
        else:
            continue
        parts = [part for part in group.split("/") if part not in ("", "..")]
        found += [place.joinpath(*parts[:depth], name) for depth in range(1, len(parts) + 1)]
    return found


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
