"""Content keys: a result is made again exactly when something that it was made from changed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_IGNORED_NAMES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
_IGNORED_SUFFIXES = {".pyc", ".pyo", ".swp"}


def files_under(path: Path) -> list[Path]:
    """All source files at or under a path in a stable order, without what tools leave behind."""
    if path.is_file():
        return [path]
    return sorted(
        f
        for f in path.rglob("*")
        if f.is_file() and f.suffix not in _IGNORED_SUFFIXES and not _IGNORED_NAMES & set(f.parts)
    )


def key_of(parts: Iterable[str], files: Iterable[Path] = (), root: Path | None = None) -> str:
    """SHA-256 over words and files; a file counts by its name under `root`, its execute bit and its bytes."""
    digest = hashlib.sha256()
    for part in parts:
        _field(digest, b"word", part.encode())
    for file in files:
        name = file.relative_to(root) if root else file.name
        executable = b"x" if file.stat().st_mode & 0o100 else b"-"
        _field(digest, b"file", str(name).encode())
        _field(digest, executable, file.read_bytes())
    return digest.hexdigest()


def _field(digest: "hashlib._Hash", kind: bytes, value: bytes) -> None:
    # Lengths go in, so that no two lists of fields look alike.
    digest.update(b"%s %d\n" % (kind, len(value)))
    digest.update(value)
