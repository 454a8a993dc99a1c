"""Who may ask: keys from the files of a mounted Secret, one a client, looked at again while the server runs.

A key's name stands in metrics; its value stands nowhere but in memory, as a digest.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from modelyard_server.errors import Header

_LOOK_SECONDS = 1.0
_MOST_KEYS = 64
_LEAST_LENGTH = 16
_MOST_LENGTH = 512
_BEARER = b"bearer"

_log = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why a request is not let through."""

    KEY_MISSING = "KeyMissing"
    """It brings no key."""
    KEY_MALFORMED = "KeyMalformed"
    """Its Authorization header is of another scheme than Bearer, or empty."""
    KEY_AMBIGUOUS = "KeyAmbiguous"
    """It brings several keys."""
    KEY_UNKNOWN = "KeyUnknown"
    """Its key is none of the Secret's."""
    NO_KEYS = "NoKeys"
    """Keys are demanded and the Secret has none that could be used, so that nobody is let through."""


class RefusedError(Exception):
    """A request that brings no key that is known."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Key:
    """A client's key."""

    name: str
    digest: bytes


Seen = tuple[tuple[str, int, int, int], ...]
"""Name, inode, time and size of each file: another version of the Secret has others."""


class Keyring:
    """The keys of a directory. Used from the event loop only."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        self._looked = float("-inf")
        self._seen: Seen | None = None
        self._keys: tuple[Key, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the keys, as far as they were looked at."""
        return tuple(key.name for key in self._keys)

    def owner(self, headers: Iterable[Header]) -> str:
        """Name of the key that a request brings, whose header names are in lower case. Raises RefusedError."""
        self._look()
        if not self._keys:
            raise RefusedError(Reason.NO_KEYS)
        presented = hashlib.sha256(_presented(headers)).digest()
        found: str | None = None
        # All of them, whichever fits: how long it takes says nothing about any.
        for key in self._keys:
            fits = hmac.compare_digest(key.digest, presented)
            found = key.name if fits and found is None else found
        if found is None:
            raise RefusedError(Reason.KEY_UNKNOWN)
        return found

    def _look(self) -> None:
        """Reads the files if they are others, at most once a second."""
        now = self._clock()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        try:
            seen = _seen(self._directory)
            if seen == self._seen:
                return
            self._keys = tuple(_read(self._directory, [name for name, *_ in seen]))
            self._seen = seen
        except OSError as error:
            # A Secret that is not there lets nobody in.
            if self._keys or self._seen is None:
                _log.warning("the keys of clients cannot be read: %s", error.strerror)
            self._keys, self._seen = (), ()
            return
        _log.info("keys of clients: %s", ", ".join(self.names) or "none")


def _presented(headers: Iterable[Header]) -> bytes:
    """The one key that is given, as ``Authorization: Bearer`` or as ``X-API-Key``."""
    found: list[bytes] = []
    for name, value in headers:
        if name == b"x-api-key":
            found.append(value.strip())
        elif name == b"authorization":
            scheme, _, key = value.strip().partition(b" ")
            if scheme.lower() != _BEARER or not key.strip():
                raise RefusedError(Reason.KEY_MALFORMED)
            found.append(key.strip())
    if not found:
        raise RefusedError(Reason.KEY_MISSING)
    if len(found) > 1:
        raise RefusedError(Reason.KEY_AMBIGUOUS)
    return found[0]


def _seen(directory: Path) -> Seen:
    # What begins with two dots is the kubelet's own.
    files = sorted(each for each in directory.iterdir() if not each.name.startswith("..") and each.is_file())
    stats = ((each.name, each.stat()) for each in files)
    return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _read(directory: Path, names: list[str]) -> Iterator[Key]:
    if len(names) > _MOST_KEYS:
        _log.warning("%d keys of clients: only the first %d by name are used", len(names), _MOST_KEYS)
    for name in names[:_MOST_KEYS]:
        value = (directory / name).read_bytes().strip(b"\r\n")
        flaw = _flaw(value)
        if flaw:
            _log.warning("the key %s is not used: %s", name, flaw)
        else:
            yield Key(name, hashlib.sha256(value).digest())


def _flaw(value: bytes) -> str:
    if not _LEAST_LENGTH <= len(value) <= _MOST_LENGTH:
        return f"it must have {_LEAST_LENGTH} to {_MOST_LENGTH} characters"
    if any(not 0x21 <= byte <= 0x7E for byte in value):  # noqa: PLR2004  what is printed of ASCII, without the space
        return "it must be of printable ASCII without spaces, as a header carries it"
    return ""
