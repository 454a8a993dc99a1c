"""Messages of gRPC as the documents that the HTTP half of the protocol has, and back; the dialect is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelyard_server.dialects.binary import bytes_of, values_of
from modelyard_server.errors import RequestError

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def document_of(request: Any) -> dict[str, Any]:  # noqa: ANN401  a ModelInferRequest
    """The body that asks for the same over HTTP. Raises RequestError for contents that are none."""
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise RequestError(f"{len(raw)} raw contents are given for {len(request.inputs)} inputs")
    document: dict[str, Any] = {
        "inputs": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "datatype": tensor.datatype,
                "data": _values(tensor, f"inputs[{index}]")
                if not raw
                else values_of(tensor.datatype, raw[index], f"inputs[{index}]"),
            }
            for index, tensor in enumerate(request.inputs)
        ]
    }
    if request.id:
        document["id"] = request.id
    if request.outputs:
        document["outputs"] = [{"name": output.name} for output in request.outputs]
    return document


def fill(response: Any, document: Mapping[str, Any], *, raw: bool = False) -> Any:  # noqa: ANN401  a ModelInferResponse
    """Puts the document that answers over HTTP into a message, which is given back; ``raw`` where its values shall be."""
    response.model_name = document["model_name"]
    response.model_version = document["model_version"]
    response.id = document.get("id", "")
    for name, value in document.get("parameters", {}).items():
        response.parameters[name].string_param = value
    for output in document["outputs"]:
        tensor = response.outputs.add(name=output["name"], datatype=output["datatype"], shape=output["shape"])
        if raw:
            response.raw_output_contents.append(bytes_of(output["datatype"], output["data"]))
            continue
        values = np.asarray(output["data"]).tolist()
        if output["datatype"] == "BYTES":
            values = [str(value).encode() for value in values]
        getattr(tensor.contents, _CONTENTS[output["datatype"]]).extend(values)
    return response


def _values(tensor: Any, where: str) -> list[Any]:  # noqa: ANN401  an InferTensor
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        raise RequestError(f"{where}: the datatype {tensor.datatype[:20]} is given raw")
    values = list(getattr(tensor.contents, field))
    if field == "bytes_contents":
        try:
            return [value.decode() for value in values]
        except UnicodeDecodeError:
            raise RequestError(f"{where}: its texts are not UTF-8") from None
    if field in {"fp32_contents", "fp64_contents"}:
        return [None if value != value else value for value in values]  # noqa: PLR0124  NaN is a missing value
    return values
