"""The Open Inference Protocol, version 2: one tensor a column, or one matrix of all numeric columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server import SERVER_NAME, SERVER_VERSION
from modelyard_server.dialects.base import Query, demand_object, refuse_unknown
from modelyard_server.errors import RequestError
from modelyard_server.models.loading import LoadedModel
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import ServedModel, Serving
from modelyard_server.signature import Reader, Rows

PREDICTIONS = "predictions"
PROBABILITIES = "probabilities"

_INTEGERS = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
ACCEPTED = {
    ColumnType.INTEGER: _INTEGERS | _FLOATS,
    ColumnType.NUMBER: _INTEGERS | _FLOATS,
    ColumnType.BOOLEAN: frozenset({"BOOL"}),
    ColumnType.TEXT: frozenset({"BYTES"}),
}
PUBLISHED = {
    ColumnType.INTEGER: "INT64",
    ColumnType.NUMBER: "FP64",
    ColumnType.BOOLEAN: "BOOL",
    ColumnType.TEXT: "BYTES",
}
_BODY = frozenset({"id", "parameters", "inputs", "outputs"})
_TENSOR = frozenset({"name", "shape", "datatype", "parameters", "data"})
_MATRIX_DIMENSIONS = 2
_OF_ONE_ROW = ([1], [1, 1])


class InferenceDialect:
    """``/v2/models/{name}[/versions/{version}]/infer``."""

    name = "infer"

    def read(self, document: Any, reader: Reader) -> Query:  # noqa: ANN401
        """Rows of the tensors."""
        body = demand_object(
            document, '{"inputs": [{"name": …, "shape": [1], "datatype": "FP64", "data": [0.5]}]}'
        )
        refuse_unknown(body, _BODY, "the body")
        identity = body.get("id")
        if identity is not None and not isinstance(identity, str):
            raise RequestError('"id" must be a text')
        inputs = body.get("inputs")
        if not isinstance(inputs, list) or not inputs:
            raise RequestError('"inputs" must be a list of at least one tensor')
        outputs = _requested(body.get("outputs"))
        return Query(
            rows=_rows(inputs, reader),
            probabilities=outputs is None or PROBABILITIES in outputs,
            id=identity,
            outputs=outputs,
        )

    def write(self, query: Query, answer: Answer, served: ServedModel) -> dict[str, Any]:
        """Tensors of the answer."""
        tensors = [_tensor(PREDICTIONS, answer.predictions)]
        if answer.probabilities is not None:
            tensors.append(_tensor(PROBABILITIES, answer.probabilities))
        if query.outputs is not None:
            by_name = {tensor["name"]: tensor for tensor in tensors}
            absent = [name for name in query.outputs if name not in by_name]
            if absent:
                raise RequestError(f'output "{absent[0][:60]}" is not one of {", ".join(by_name)}')
            tensors = [by_name[name] for name in query.outputs]
        document: dict[str, Any] = {"model_name": served.name, "model_version": served.version}
        if query.id is not None:
            document["id"] = query.id
        if answer.probabilities is not None:
            document["parameters"] = {"labels": ",".join(str(label) for label in served.model.labels)}
        document["outputs"] = tensors
        return document

    def refuse(self, error: RequestError) -> dict[str, Any]:
        """The message under ``error``."""
        return {"error": error.message}


def server_metadata() -> dict[str, Any]:
    """``GET /v2``."""
    return {"name": SERVER_NAME, "version": SERVER_VERSION, "extensions": []}


def model_metadata(serving: Serving, served: ServedModel) -> dict[str, Any]:
    """``GET /v2/models/{name}``."""
    model = served.model
    reason = model.not_compiled_because
    return {
        "name": served.name,
        "versions": serving.versions,
        "platform": "scikit-learn_skops" if reason is not None else "modelyard_compiled",
        "parameters": {} if reason is None else {"not_compiled_because": reason},
        "inputs": [
            {"name": column.name, "datatype": PUBLISHED[column.type], "shape": [-1]}
            for column in model.signature.columns
        ],
        "outputs": _outputs(model),
    }


def _outputs(model: LoadedModel) -> list[dict[str, Any]]:
    datatype = "FP64"
    if model.labels:
        datatype = {bool: "BOOL", int: "INT64", float: "FP64"}.get(type(model.labels[0]), "BYTES")
    outputs: list[dict[str, Any]] = [{"name": PREDICTIONS, "datatype": datatype, "shape": [-1]}]
    if model.predictor.gives_probabilities:
        outputs.append({"name": PROBABILITIES, "datatype": "FP64", "shape": [-1, len(model.labels)]})
    return outputs


def _requested(outputs: Any) -> tuple[str, ...] | None:  # noqa: ANN401
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list):
        raise RequestError('"outputs" must be a list')
    names = [output.get("name") if isinstance(output, dict) else None for output in outputs]
    if not all(isinstance(name, str) for name in names):
        raise RequestError('every one of "outputs" must be an object with a "name"')
    return tuple(str(name) for name in names)


def _rows(inputs: Sequence[Any], reader: Reader) -> Rows:
    tensors = [
        tensor if _is_tensor(tensor) else _checked(tensor, index) for index, tensor in enumerate(inputs)
    ]
    if len(tensors) == 1 and len(tensors[0]["shape"]) == _MATRIX_DIMENSIONS and reader.signature.numeric:
        name, shape = tensors[0]["name"], tensors[0]["shape"]
        if name not in reader.signature.names or shape[1] != 1:
            return _matrix(tensors[0], reader)
    names = [tensor["name"] for tensor in tensors]
    if len(set(names)) != len(names):
        raise RequestError(
            f'input "{next(name for name in names if names.count(name) > 1)[:60]}" is given twice'
        )
    kinds = reader.signature.types
    columns: dict[str, Any] = {}
    for tensor in tensors:
        kind = kinds.get(tensor["name"])
        if kind is not None:
            _check_datatype(tensor, kind)
            _check_column_shape(tensor)
        columns[tensor["name"]] = _flat(tensor)
    return reader.from_columns(columns)


def _matrix(tensor: dict[str, Any], reader: Reader) -> Rows:
    rows, width = tensor["shape"]
    expected = len(reader.signature.names)
    if width != expected:
        raise RequestError(
            f'input "{tensor["name"][:60]}" has {width} columns, this model takes {expected}: '
            f"{', '.join(reader.signature.names)}"
        )
    for kind in reader.signature.kinds:
        _check_datatype(tensor, kind)
    data = _flat(tensor)
    if rows == 1:
        return reader.from_lists([data])
    return reader.from_lists([data[row * width : (row + 1) * width] for row in range(rows)])


def _is_tensor(tensor: Any) -> bool:  # noqa: ANN401
    """Whether nothing about the form of a tensor needs a second look."""
    return (
        type(tensor) is dict
        and _TENSOR.issuperset(tensor)
        and type(tensor.get("name")) is str
        and type(tensor.get("datatype")) is str
        and type(tensor.get("data")) is list
        and type(tensor.get("shape")) is list
        and tensor["shape"] in _OF_ONE_ROW
    )


def _checked(tensor: Any, index: int) -> dict[str, Any]:  # noqa: ANN401
    """A tensor whose fields have the types that the protocol demands."""
    where = f"inputs[{index}]"
    if not isinstance(tensor, dict):
        raise RequestError(f"{where} is not an object")
    refuse_unknown(tensor, _TENSOR, where)
    for field, kind, what in (
        ("name", str, "a text"),
        ("datatype", str, "a text"),
        ("shape", list, "a list of whole numbers"),
        ("data", list, "a list of values"),
    ):
        if not isinstance(tensor.get(field), kind):
            raise RequestError(f'{where}: "{field}" must be {what}')
    if not tensor["shape"] or any(type(length) is not int or length < 0 for length in tensor["shape"]):
        raise RequestError(f'{where}: "shape" must be a list of whole numbers')
    return tensor


def _check_datatype(tensor: dict[str, Any], kind: ColumnType) -> None:
    accepted = ACCEPTED[kind]
    if tensor["datatype"] not in accepted:
        raise RequestError(
            f'input "{tensor["name"][:60]}" has the datatype {tensor["datatype"][:20]}, '
            f"one of {', '.join(sorted(accepted))} is expected"
        )


def _check_column_shape(tensor: dict[str, Any]) -> None:
    shape = tensor["shape"]
    if len(shape) > 1 and (len(shape) > _MATRIX_DIMENSIONS or shape[1] != 1):
        raise RequestError(f'input "{tensor["name"][:60]}" has the shape {shape}, [rows] is expected')


def _flat(tensor: dict[str, Any]) -> list[Any]:
    """The values of a tensor, given nested or flat, as many as its shape says."""
    data: list[Any] = tensor["data"]
    if (
        len(tensor["shape"]) == _MATRIX_DIMENSIONS
        and data
        and type(data[0]) is list
        and all(type(row) is list for row in data)
    ):
        width = tensor["shape"][1]
        for index, row in enumerate(data):
            if len(row) != width:
                raise RequestError(
                    f'input "{tensor["name"][:60]}", row {index}: {len(row)} values, the shape says {width}'
                )
        data = [value for row in data for value in row]
    expected = math.prod(tensor["shape"])
    if len(data) != expected:
        raise RequestError(
            f'input "{tensor["name"][:60]}" has {len(data)} values, its shape {tensor["shape"]} says {expected}'
        )
    return data


def _tensor(name: str, values: np.ndarray) -> dict[str, Any]:
    datatype = {"f": "FP64", "i": "INT64", "u": "INT64", "b": "BOOL"}.get(values.dtype.kind, "BYTES")
    return {"name": name, "shape": list(values.shape), "datatype": datatype, "data": values.ravel()}
