"""Tensors as bytes: the protocol's extension for binary data, as its HTTP clients send inputs, and what gRPC sends raw.

Rows then go the way of all rows, so that they are checked alike. Answers are JSON, which such clients read as well.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from modelyard_server.dialects.base import Query
from modelyard_server.dialects.inference import InferenceDialect
from modelyard_server.errors import RequestError
from modelyard_server.signature import Reader

_FORMS = {
    "BOOL": "?",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
_SIZE = "binary_data_size"
_LENGTH = struct.Struct("<I")


class BinaryInferenceDialect(InferenceDialect):
    """A request whose tensors lie behind its JSON, in their order, each ``binary_data_size`` bytes long."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, document: Any, reader: Reader) -> Query:  # noqa: ANN401
        """Rows of the tensors."""
        inputs = document.get("inputs") if isinstance(document, dict) else None
        start = 0
        for index, tensor in enumerate(inputs if isinstance(inputs, list) else ()):
            size = _size(tensor)
            if size is None:
                continue
            where = f"inputs[{index}]"
            if "data" in tensor:
                raise RequestError(f'{where}: "data" and "{_SIZE}" are not given together')
            end = start + size
            if end > len(self._content):
                raise RequestError(f"{where}: {size} bytes are announced, {len(self._content) - start} came")
            tensor["data"] = values_of(tensor.get("datatype"), self._content[start:end], where)
            start = end
        if start != len(self._content):
            raise RequestError(f"{len(self._content) - start} bytes behind the last tensor belong to none")
        return super().read(document, reader)


def values_of(datatype: object, content: bytes, where: str) -> list[Any]:
    """The values of a tensor's bytes, little-endian and in rows; NaN is a missing value. Raises RequestError."""
    if datatype == "BYTES":
        return _texts(content, where)
    form = _FORMS.get(datatype) if isinstance(datatype, str) else None
    if form is None:
        raise RequestError(f"{where}: the datatype {str(datatype)[:20]} has no binary form")
    try:
        values = np.frombuffer(content, dtype=form)
    except ValueError:
        raise RequestError(f"{where}: {len(content)} bytes are no whole number of {datatype}") from None
    found: list[Any] = values.tolist()
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if value != value else value for value in found]  # noqa: PLR0124  NaN alone differs from itself
    return found


def bytes_of(datatype: str, values: Any) -> bytes:  # noqa: ANN401  an array, or a list
    """The bytes of a tensor's values, as ``values_of`` reads them."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in np.asarray(values).tolist()]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    return np.asarray(values, dtype=_FORMS[datatype]).tobytes()


def _texts(content: bytes, where: str) -> list[str]:
    """Each text behind its length in four bytes."""
    found = []
    start = 0
    try:
        while start < len(content):
            (length,) = _LENGTH.unpack_from(content, start)
            start += _LENGTH.size
            if start + length > len(content):
                raise RequestError(f"{where}: its last text is cut off")
            found.append(content[start : start + length].decode())
            start += length
    except struct.error:
        raise RequestError(f"{where}: the length of its last text is cut off") from None
    except UnicodeDecodeError:
        raise RequestError(f"{where}: its texts are not UTF-8") from None
    return found


def _size(tensor: object) -> int | None:
    """How many bytes a tensor has behind the JSON; None where its data are in it."""
    parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
    size = parameters.get(_SIZE) if isinstance(parameters, dict) else None
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise RequestError(f'"{_SIZE}" must be a number of bytes')
    return size
