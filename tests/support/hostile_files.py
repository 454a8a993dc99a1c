"""How hostile skops files are made: a true file of a small model is taken apart, changed and packed again.

``canary`` is a path; a file that gets to run something makes it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io

from tests.support.hostile_nodes import SCHEMA, Node

Forge = Callable[[Path], bytes]


@dataclass(frozen=True)
class Payload:
    """A file and a word that its refusal must say."""

    forge: Forge
    word: str


def entries(content: bytes) -> dict[str, bytes]:
    """The entries of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(held: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def changed(content: bytes, change: Callable[[Node], None], more: Mapping[str, bytes] | None = None) -> bytes:
    """A skops file with another schema, and with more entries."""
    held = entries(content)
    schema = json.loads(held[SCHEMA])
    change(schema)
    return zipped({**held, **(more or {}), SCHEMA: json.dumps(schema).encode()})


def saved_array(values: np.ndarray) -> bytes:
    """The file of an array."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def with_array(model: Any, attribute: str, change: Callable[[np.ndarray], np.ndarray]) -> Forge:  # noqa: ANN401
    """A fitted model, one array of which is another; ``attribute`` is any that holds it, found by its name."""

    def forge(_: Path) -> bytes:
        held = entries(skops.io.dumps(model))
        file = next(node["file"] for node in _named(json.loads(held[SCHEMA]), attribute) if "file" in node)
        held[file] = saved_array(change(np.load(io.BytesIO(held[file]), allow_pickle=False)))
        return zipped(held)

    return forge


def with_sparse(model: Any, attribute: str, change: Callable[[dict[str, np.ndarray]], object]) -> Forge:  # noqa: ANN401
    """A fitted model with a sparse matrix whose arrays are others."""

    def forge(_: Path) -> bytes:
        held = entries(skops.io.dumps(model))
        file = next(node["file"] for node in _named(json.loads(held[SCHEMA]), attribute) if "file" in node)
        parts = entries(held[file])
        arrays = {name: np.load(io.BytesIO(part), allow_pickle=False) for name, part in parts.items()}
        change(arrays)
        held[file] = zipped({name: saved_array(values) for name, values in arrays.items()})
        return zipped(held)

    return forge


def _named(node: Any, attribute: str) -> Iterator[Node]:  # noqa: ANN401  any JSON
    if isinstance(node, dict):
        found = node.get(attribute)
        if isinstance(found, dict):
            yield found
        for value in node.values():
            yield from _named(value, attribute)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value, attribute)
