"""Results on disk that are whole or absent, whenever the process dies.

A result is made in a directory beside its final one and renamed when it is complete. A lock per name keeps two
processes from making the same thing; what a killed one left behind is removed by the next.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Store:
    """Directories named by what they are and by the content key of what they were made from."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, name: str, key: str) -> Path | None:
        """The finished result, if it was made before."""
        final = self._final(name, key)
        return final if final.is_dir() else None

    def ensure(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """Returns the finished result, calling `make` with an empty directory to fill if there is none."""
        found = self.find(name, key)
        if found:
            return found
        with self.locked(name):
            found = self.find(name, key)
            if found:
                return found
            partial = self._root / name / ".partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            make(partial)
            final = self._final(name, key)
            partial.rename(final)
            return final

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Holds the name for this process; the system lets go of it when the process ends, however it ends."""
        place = self._root / name
        place.mkdir(parents=True, exist_ok=True)
        with (place / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _final(self, name: str, key: str) -> Path:
        return self._root / name / key[:16]


def replace_link(link: Path, target: Path) -> None:
    """Points a symbolic link somewhere else in one step, so that no reader finds it missing; any number may do so."""
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(link)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(link)


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old text or the new one, never half of it; any number may do so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path)
    fresh.write_text(text)
    fresh.rename(path)


def _beside(path: Path) -> Path:
    """A name that no other process uses, on the same file system."""
    return path.with_name(f".{path.name}.{os.getpid()}")
