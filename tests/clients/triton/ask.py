"""Asks a model of flowers over HTTP and gRPC with tritonclient, and prints what it got; run with that client's own interpreter.

python ask.py HTTP_ADDRESS GRPC_ADDRESS MODEL FILE: the file holds {"names": [...], "matrix": [[...], ...]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http


def main() -> None:
    """One document of all answers."""
    web, rpc, model, file = sys.argv[1:]
    given = json.loads(Path(file).read_text())
    matrix = np.array(given["matrix"])
    over_http = tritonclient.http.InferenceServerClient(web)
    over_grpc = tritonclient.grpc.InferenceServerClient(rpc)
    found: dict[str, Any] = {
        "metadata": over_http.get_server_metadata(),
        "model": over_http.get_model_metadata(model),
        "version": over_grpc.get_server_metadata().version,
        "inputs": [each.name for each in over_grpc.get_model_metadata(model).inputs],
        "ready": [
            check
            for client in (over_http, over_grpc)
            for check in (client.is_server_live(), client.is_server_ready(), client.is_model_ready(model))
        ],
        "columns in JSON": _ask(
            over_http,
            model,
            _inputs(tritonclient.http, given["names"], matrix, binary_data=False),
            _wanted(tritonclient.http, binary_data=False),
        ),
        "columns in binary": _ask(
            over_http,
            model,
            _inputs(tritonclient.http, given["names"], matrix, binary_data=True),
            _wanted(tritonclient.http, binary_data=True),
        ),
        "one matrix": _ask(over_http, model, [_input(tritonclient.http, "rows", matrix)], None),
        "columns over gRPC": _ask(
            over_grpc, model, _inputs(tritonclient.grpc, given["names"], matrix), _wanted(tritonclient.grpc)
        ),
        "refusals": [
            _refused(over_http, model, [_input(tritonclient.http, "rows", matrix[:, 1:])]),
            _refused(over_grpc, model, [_input(tritonclient.grpc, "rows", matrix[:, 1:])]),
        ],
    }
    sys.stdout.write(json.dumps(found))


def _input(protocol: ModuleType, name: str, values: np.ndarray, **form: bool) -> Any:  # noqa: ANN401
    tensor = protocol.InferInput(name, list(values.shape), "FP64")
    tensor.set_data_from_numpy(np.ascontiguousarray(values), **form)
    return tensor


def _inputs(protocol: ModuleType, names: list[str], matrix: np.ndarray, **form: bool) -> list[Any]:
    return [_input(protocol, name, matrix[:, place], **form) for place, name in enumerate(names)]


def _wanted(protocol: ModuleType, **form: bool) -> list[Any]:
    return [protocol.InferRequestedOutput(name, **form) for name in ("predictions", "probabilities")]


def _ask(client: Any, model: str, inputs: list[Any], outputs: list[Any] | None) -> dict[str, Any]:  # noqa: ANN401
    answer = client.infer(model, inputs, outputs=outputs, request_id="42")
    labels = [
        label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("predictions")
    ]
    return {"predictions": labels, "probabilities": answer.as_numpy("probabilities").tolist()}


def _refused(client: Any, model: str, inputs: list[Any]) -> str:  # noqa: ANN401
    try:
        client.infer(model, inputs)
    except tritonclient.utils.InferenceServerException as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
