"""Disks that are small, for what happens when they are full."""

from collections.abc import Sequence
from pathlib import Path


def on_a_small_disk(directory: Path, size: str) -> Sequence[str]:
    """The head of a command whose rest sees ``directory`` as an empty disk of so many bytes.

    The disk is in memory, in a namespace of the command's own, so that it needs no rights and goes away with it.
    """
    directory.mkdir()
    mount = 'mount -t tmpfs -o "size=$1" none "$0" && shift && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(directory), size]
