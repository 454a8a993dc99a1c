"""Makes a skops file depend on the model alone: the same model gives the same bytes, hence the same digest.

skops names entries and references by memory addresses and stamps entries with the time of day. Here both are counted
in the order of the schema instead, and every entry has the first date that ZIP knows.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1
"""Arrays of trees shrink to a third at once; more effort gains little."""


def stable_archive(content: bytes) -> bytes:
    """The same skops file with counted names, fixed dates and compressed entries."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        schema = json.loads(source.read(_SCHEMA))
        entries = set(source.namelist()) - {_SCHEMA}
        number, name = _counter(), _counter()
        renamed: dict[str, str] = {}
        for node in _nodes(schema):
            if "__id__" in node:
                node["__id__"] = number(str(node["__id__"]))
            file = node.get("file")
            if isinstance(file, str) and file in entries:
                renamed[file] = f"{name(file)}.{file.rpartition('.')[2]}"
                node["file"] = renamed[file]
        _write(archive, _SCHEMA, json.dumps(schema).encode())
        for old in sorted(entries, key=name):
            _write(archive, renamed.get(old, old), source.read(old))
    return target.getvalue()


def _counter() -> Callable[[str], int]:
    """Numbers texts from 1 in the order in which they are first asked for."""
    seen: dict[str, int] = {}
    return lambda text: seen.setdefault(text, len(seen) + 1)


def _nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every JSON object of the schema, parents first, in order."""
    pending: list[Any] = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "__loader__" in value:
                yield value
            pending.extend(reversed(value.values()))
        elif isinstance(value, list):
            pending.extend(reversed(value))


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content, compresslevel=_LEVEL)
