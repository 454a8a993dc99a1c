"""What processes of a pod, and those that take their places, leave for each other about versions that they load."""

from __future__ import annotations

import fcntl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from modelyard_server.models.arriving import SupersededError
from modelyard_server.models.rehearsing import Rehearsed

_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0
"""Who waits longer for a turn goes on without: somebody's load does not end, and is no reason to stay with it."""
_VALID_SECONDS = 60.0
"""The processes of a pod come one after the other; later the pod may have more memory to give."""


class Turns:
    """Files in a directory that outlives the processes, as that of a pod's temporary files does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def of(cls, promotion: str, port: int) -> Turns:
        """Those of a server on this machine."""
        directory = Path(tempfile.gettempdir()) / f"modelyard-loads-{promotion}-{port}"
        directory.mkdir(mode=0o700, exist_ok=True)
        return cls(directory)

    @contextmanager
    def turn(self, abandoned: threading.Event) -> Iterator[None]:
        """Waits until no other load is under way. Raises SupersededError if it is abandoned meanwhile."""
        end = time.monotonic() + _PATIENCE_SECONDS
        with (self._directory / "turn").open("ab") as file:
            while not _taken(file.fileno()) and time.monotonic() < end:
                if abandoned.wait(_LOOK_SECONDS):
                    raise SupersededError
            yield

    @contextmanager
    def loading(self, digest: str) -> Iterator[None]:
        """Leaves a mark for the time of the block, which stays where the process does not see its end."""
        mark = self._mark(digest)
        mark.touch()
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def ended_a_process(self, digest: str) -> bool:
        """Whether a process ended while it loaded this model."""
        return self._mark(digest).exists()

    def tell(self, digest: str, found: Rehearsed) -> None:
        """Leaves what came of a rehearsal."""
        fresh = self._note(digest).with_suffix(".new")
        fresh.write_text(found.model_dump_json())
        fresh.rename(self._note(digest))

    def told(self, digest: str) -> Rehearsed | None:
        """What came of a rehearsal a moment ago."""
        note = self._note(digest)
        try:
            if time.time() - note.stat().st_mtime > _VALID_SECONDS:
                return None
            return Rehearsed.model_validate_json(note.read_text())
        except (OSError, ValidationError):
            return None

    def _mark(self, digest: str) -> Path:
        return self._directory / f"{_named(digest)}.loading"

    def _note(self, digest: str) -> Path:
        return self._directory / f"{_named(digest)}.json"


def _named(digest: str) -> str:
    return digest.replace(":", "-").replace("/", "-")


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
