"""A program as a file: a header of JSON, then the bytes of its arrays. Nothing in it can name code.

Layout: magic, length of the header (8 bytes, little endian), header, arrays in the order in which the header lists them,
each starting at a multiple of eight bytes from the first. One program has one file: the same nodes give the same bytes,
and their SHA-256 is the program's digest.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import Node, TwinFormatError

_MAGIC = b"MYTWIN\n\x01"
_VERSION = 1
_ALIGN = 8
_MAX_BYTES = 4 << 30
_MAX_HEADER = 256 << 20
_MAX_NODES = 4096
_MAX_DEPTH = 16
_MAX_AXES = 2
_TYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(form).newbyteorder("<")
    for name, form in (
        *(("f8", np.float64), ("f4", np.float32), ("i8", np.int64), ("i4", np.int32)),
        *(("u2", np.uint16), ("u1", np.uint8), ("b1", np.bool_)),
    )
}
_NODE_KEYS = frozenset({"kind", "settings", "arrays", "texts", "children"})


def dump(root: Node) -> bytes:
    """The file of a program."""
    arrays: list[np.ndarray] = []
    document = _written(root, arrays)
    listed = [{"type": _type_name(array), "shape": list(array.shape)} for array in arrays]
    header = json.dumps(
        {"version": _VERSION, "root": document, "arrays": listed},
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    ).encode("ascii")
    header += b" " * (-(len(_MAGIC) + 8 + len(header)) % _ALIGN)
    parts = [_MAGIC, len(header).to_bytes(8, "little"), header]
    for array in arrays:
        content = np.ascontiguousarray(array, dtype=_TYPES[_type_name(array)]).tobytes()
        parts.extend((content, b"\0" * (-len(content) % _ALIGN)))
    return b"".join(parts)


def digest(content: bytes) -> str:
    """``sha256:<hex>`` of a program's file."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def load(content: bytes) -> Node:
    """The nodes of a file. Raises TwinFormatError where it is cut, goes on, or is not of the form of the module.

    Arrays are views of the content and cannot be written to. What they mean is checked when kernels are built of them.
    """
    start = len(_MAGIC) + 8
    if not start <= len(content) <= _MAX_BYTES or content[: len(_MAGIC)] != _MAGIC:
        raise TwinFormatError("is no compiled program")
    length = int.from_bytes(content[len(_MAGIC) : start], "little")
    if length > min(_MAX_HEADER, len(content) - start):
        raise TwinFormatError("has a header that is longer than the file, or than any program needs")
    try:
        header = json.loads(content[start : start + length].decode("ascii"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TwinFormatError("has a header that cannot be read") from error
    if not isinstance(header, dict):
        raise TwinFormatError("has a header that cannot be read")
    if header.get("version") != _VERSION:
        raise TwinFormatError(f"has format version {header.get('version')}, this program reads {_VERSION}")
    arrays = _arrays(header.get("arrays"), content, start + length)
    reader = _Reader(arrays)
    return reader.node(header.get("root"), 0)


def _written(node: Node, arrays: list[np.ndarray]) -> dict[str, Any]:
    numbered = {}
    for name in sorted(node.arrays):
        numbered[name] = len(arrays)
        arrays.append(node.arrays[name])
    return {
        "kind": node.kind,
        "settings": dict(node.settings),
        "arrays": numbered,
        "texts": {name: list(words) for name, words in node.texts.items()},
        "children": [_written(child, arrays) for child in node.children],
    }


def _type_name(array: np.ndarray) -> str:
    found = next((name for name, form in _TYPES.items() if array.dtype == form), None)
    if found is None or array.ndim > _MAX_AXES:
        raise TypeError(f"an array of {array.dtype} with {array.ndim} axes is no part of a program")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _arrays(listed: object, content: bytes, start: int) -> list[np.ndarray]:
    if not isinstance(listed, list):
        raise TwinFormatError("does not list its arrays")
    found = []
    for entry in listed:
        form, shape = _form(entry)
        count = math.prod(shape)
        size = count * form.itemsize
        if size > len(content) - start:
            raise TwinFormatError("lists arrays that are larger than the file")
        array = np.frombuffer(content, dtype=form, count=count, offset=start).reshape(shape)
        if form == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
            raise TwinFormatError("holds a truth value that is neither true nor false")
        found.append(array)
        start += size + (-size % _ALIGN)
    if start != len(content):
        raise TwinFormatError("is longer or shorter than its header says")
    return found


def _form(entry: object) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if not isinstance(entry, dict) or set(entry) != {"type", "shape"} or entry["type"] not in _TYPES:
        raise TwinFormatError("lists an array of an unknown type")
    shape = entry["shape"]
    if not isinstance(shape, list) or not 1 <= len(shape) <= _MAX_AXES:
        raise TwinFormatError("lists an array with too many axes")
    if any(type(length) is not int or not 0 <= length <= _MAX_BYTES for length in shape):
        raise TwinFormatError("lists an array with an impossible shape")
    return _TYPES[entry["type"]], tuple(shape)


class _Reader:
    """Makes nodes of JSON, counting them."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self._arrays = arrays
        self._nodes = 0

    def node(self, document: object, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise TwinFormatError("has more steps than any program needs")
        if not isinstance(document, dict) or set(document) != _NODE_KEYS:
            raise TwinFormatError("has a step that is not of the known form")
        kind, settings, texts = document["kind"], document["settings"], document["texts"]
        arrays, children = document["arrays"], document["children"]
        sound = (
            isinstance(kind, str)
            and all(isinstance(part, dict) for part in (settings, texts, arrays))
            and isinstance(children, list)
            and all(_is_words(words) for words in texts.values())
            and all(type(at) is int and 0 <= at < len(self._arrays) for at in arrays.values())
        )
        if not sound:
            raise TwinFormatError("has a step that is not of the known form")
        return Node(
            kind=kind,
            settings=settings,
            arrays={name: self._arrays[at] for name, at in arrays.items()},
            texts={name: tuple(words) for name, words in texts.items()},
            children=tuple(self.node(child, depth + 1) for child in children),
        )


def _is_words(words: object) -> bool:
    return isinstance(words, list) and all(isinstance(word, str) for word in words)
