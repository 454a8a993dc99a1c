"""Makes the lists of one body equally long, which is all that a schema cannot ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MATRIX = 2
_COLUMN_FORMS = ("inputs", "instances")


def fitted(path: str, body: Any) -> Any:  # noqa: ANN401  any JSON
    """A body of the form that the description gives for a path, with lengths that agree with one another."""
    if path.endswith("/infer"):
        return {**body, "inputs": _tensors(body["inputs"])}
    if path == "/invocations":
        return {
            name: _columns(value) if name in _COLUMN_FORMS and isinstance(value, dict) else value
            for name, value in body.items()
        }
    return body


def _tensors(tensors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(tensors) == 1 and len(tensors[0]["shape"]) == _MATRIX and tensors[0]["shape"][1] != 1:
        return [_matrix(tensors[0])]
    count = len(tensors[0]["data"])
    return [_column(tensor, count) for tensor in tensors]


def _matrix(tensor: dict[str, Any]) -> dict[str, Any]:
    width = tensor["shape"][1]
    data = tensor["data"]
    if isinstance(data[0], list):
        return {**tensor, "shape": [len(data), width]}
    rows = -(-len(data) // width)
    return {**tensor, "shape": [rows, width], "data": _repeated(data, rows * width)}


def _column(tensor: dict[str, Any], count: int) -> dict[str, Any]:
    data = _repeated(tensor["data"], count)
    if isinstance(data[0], list):
        return {**tensor, "shape": [count, 1], "data": data}
    return {**tensor, "shape": [count, *tensor["shape"][1:]], "data": data}


def _columns(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    count = len(next(iter(columns.values())))
    return {name: _repeated(values, count) for name, values in columns.items()}


def _repeated(values: list[Any], count: int) -> list[Any]:
    return [values[place % len(values)] for place in range(count)]
