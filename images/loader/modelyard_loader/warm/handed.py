"""The steps that are handed over, as the files that a ConfigMap becomes."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.warm import WarmStep

_log = logging.getLogger(__name__)

_Version = tuple[int, int]


class Handed:
    """Follows the directory: files are read again only when the kubelet put others in their place."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[str, tuple[_Version, WarmStep | None]] = {}

    def look(self) -> dict[str, WarmStep]:
        """Steps by name, that which was handed over first at the head.

        A file that cannot be read is left out: the operator finds its step not begun, and makes a Job of it.
        """
        found: dict[str, tuple[_Version, WarmStep | None]] = {}
        for path in self._files():
            try:
                stat = path.stat()
                version = (stat.st_ino, stat.st_mtime_ns)
                known = self._seen.get(path.name)
                found[path.name] = known if known and known[0] == version else (version, _read(path))
            except OSError:
                # The kubelet exchanges all files at once: the next look sees the others.
                continue
        self._seen = found
        steps = {name: step for name, (_, step) in found.items() if step is not None}
        return dict(sorted(steps.items(), key=lambda item: (item[1].handed_at, item[0])))

    def _files(self) -> list[Path]:
        try:
            return [path for path in self._directory.iterdir() if not path.name.startswith(".")]
        except OSError:
            return []


def _read(path: Path) -> WarmStep | None:
    try:
        return WarmStep.model_validate_json(path.read_bytes())
    except ValidationError as error:
        _log.error("the step %s cannot be read: %s", path.name, str(error).splitlines()[0])
        return None
