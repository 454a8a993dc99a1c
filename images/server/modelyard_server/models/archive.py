"""Judges a skops file before skops sees it: its size, its arrays and every type that it names.

A skops file is a ZIP of ``schema.json`` and arrays. Nothing is imported and nothing is built here.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from modelyard_server.errors import BundleError
from modelyard_server.models.memory import Room, demand_room, unlimited
from modelyard_server.models.trusted import ALLOWED

_SCHEMA = "schema.json"
_PROTOCOL = 2
"""Protocol of the skops that is installed. Older ones have other nodes, which are not reviewed."""
_STORED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, OSError, RuntimeError, ValueError),
)
"""What reading a damaged archive raises, depending on where the damage is."""


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may come to when it is unpacked."""

    entries: int = 200_000
    schema_bytes: int = 256 * 1024 * 1024
    total_bytes: int = 2 * 1024 * 1024 * 1024
    """Of all entries together, those of archives inside of the archive included."""
    depth: int = 120
    room: Room = unlimited
    """Memory that is left for what is unpacked."""


@dataclass
class _Budget:
    """What of the limits is left."""

    limits: ArchiveLimits
    entries: int = 0
    total_bytes: int = 0

    def take(self, archive: zipfile.ZipFile) -> None:
        """Counts the entries of an archive. Raises BundleError where they are too many or too large."""
        entries = archive.infolist()
        self.entries += len(entries)
        self.total_bytes += sum(entry.file_size for entry in entries)
        if self.entries > self.limits.entries:
            raise BundleError(
                f"the model file has {self.entries} entries, at most {self.limits.entries} are allowed"
            )
        if self.total_bytes > self.limits.total_bytes:
            raise BundleError(
                f"the model comes to {self.total_bytes} bytes, at most {self.limits.total_bytes} are allowed"
            )
        demand_room("the model", self.total_bytes, self.limits.room())


def inspect_archive(content: bytes, limits: ArchiveLimits | None = None) -> frozenset[str]:
    """Names of all types in the file. Raises BundleError at the first thing that may not be in it."""
    bounds = limits or ArchiveLimits()
    budget = _Budget(bounds)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_entries(archive, budget)
            schema = _read_schema(archive, bounds)
            names = frozenset(_checked_names(schema, bounds.depth))
            _check_arrays(archive, budget)
    except _BROKEN as error:
        raise BundleError(f"the model is not a skops file: {error}") from error
    return names


def _check_entries(archive: zipfile.ZipFile, budget: _Budget) -> None:
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise BundleError("the model file has two entries of one name")
    for entry in entries:
        if entry.compress_type not in _STORED or entry.flag_bits & 1:
            raise BundleError(
                f"entry {entry.filename!r} of the model file is packed in a way that is not allowed"
            )
    budget.take(archive)


def _read_schema(archive: zipfile.ZipFile, limits: ArchiveLimits) -> dict[str, Any]:
    try:
        size = archive.getinfo(_SCHEMA).file_size
    except KeyError as error:
        raise BundleError(f"the model is not a skops file: it has no {_SCHEMA}") from error
    if size > limits.schema_bytes:
        raise BundleError(f"the model's schema has {size} bytes, at most {limits.schema_bytes} are allowed")
    try:
        schema = orjson.loads(archive.read(_SCHEMA))
    except orjson.JSONDecodeError as error:
        raise BundleError(f"the model's schema cannot be read: {error}") from error
    if not isinstance(schema, dict) or schema.get("protocol") != _PROTOCOL:
        raise BundleError(f"the model was not written with skops protocol {_PROTOCOL}")
    return schema


def _checked_names(schema: dict[str, Any], depth: int) -> Iterator[str]:
    """Walks every dict and list of the schema, wherever it hangs, without recursion."""
    pending: list[tuple[Any, int]] = [(schema, 0)]
    while pending:
        node, level = pending.pop()
        if level > depth:
            raise BundleError(f"the model's schema is nested deeper than {depth} levels")
        if isinstance(node, dict):
            if _is_node(node):
                yield _checked_name(node)
            pending.extend((value, level + 1) for value in node.values() if isinstance(value, dict | list))
        else:
            pending.extend((value, level + 1) for value in node if isinstance(value, dict | list))


def _is_node(node: dict[str, Any]) -> bool:
    # A dict of attributes may have a key of any name, but its values are nodes; only a node has text there.
    return isinstance(node.get("__loader__"), str) or isinstance(node.get("__class__"), str)


def _checked_name(node: dict[str, Any]) -> str:
    loader, name = node.get("__loader__"), f"{node.get('__module__')}.{node.get('__class__')}"
    allowed = ALLOWED.get(loader) if isinstance(loader, str) else None
    if allowed is None:
        raise BundleError(f"the model holds {name} as {loader}, a kind of value that is not allowed")
    if name not in allowed:
        raise BundleError(f"the model holds {name}, which is not on the list of allowed types")
    return name


def _check_arrays(archive: zipfile.ZipFile, budget: _Budget) -> None:
    for entry in archive.infolist():
        if entry.filename.endswith(".npy"):
            with archive.open(entry) as stream:
                _check_array(stream, entry.filename, entry.file_size)
        elif entry.filename.endswith(".npz"):
            with zipfile.ZipFile(io.BytesIO(archive.read(entry))) as inner:
                if any(not part.filename.endswith(".npy") for part in inner.infolist()):
                    raise BundleError(f"entry {entry.filename!r} of the model file is not a sparse matrix")
                _check_entries(inner, budget)
                _check_arrays(inner, budget)


def _check_array(stream: Any, name: str, size: int) -> None:  # noqa: ANN401  zipfile's stream has no public type
    """An array must be as long as its header says: the header alone decides how much memory is taken."""
    try:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
    except ValueError as error:
        raise BundleError(f"entry {name!r} of the model file is not an array: {error}") from error
    if dtype.hasobject:
        raise BundleError(f"entry {name!r} of the model file holds Python objects")
    if dtype.itemsize == 0:
        # Its header could promise any number of values, none of which is in the file.
        raise BundleError(f"entry {name!r} of the model file holds values of no size")
    expected = stream.tell() + dtype.itemsize * _product(shape)
    if expected != size:
        raise BundleError(
            f"entry {name!r} of the model file has {size} bytes where its header says {expected}"
        )


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        if length < 0:
            raise BundleError("an array of the model file has a negative length")
        product *= length
    return product
