"""The model as MLflow lays it out: a directory with MLmodel, so that its pages and its clients know the model.

The documents are JSON, which every reader of YAML reads.
"""

from __future__ import annotations

import json
from datetime import datetime

from modelyard_api.contract.bundle import MODEL_FILE, Bundle
from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType, Json
from modelyard_trainer.bundle import PackedModel

DIRECTORY = "model"

_TYPES = {
    ColumnType.INTEGER: "long",
    ColumnType.NUMBER: "double",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TEXT: "string",
}
_REQUIREMENTS = "requirements.txt"
_EXAMPLE = "input_example.json"
_CERTIFICATE = "certificate.json"


def model_directory(packed: PackedModel, now: datetime) -> dict[str, bytes]:
    """Files of the directory by their path in it, ``MLmodel`` last."""
    bundle = packed.bundle
    requirements = [f"{own.name}=={own.version}" for own in bundle.libraries if own.name != "python"]
    certificate = {} if bundle.certificate is None else {_CERTIFICATE: _text(bundle.certificate.to_wire())}
    return {
        **certificate,
        MODEL_FILE: packed.files[MODEL_FILE],
        _REQUIREMENTS: "".join(f"{line}\n" for line in requirements).encode(),
        _EXAMPLE: _text(_example(bundle)),
        "MLmodel": _text(_mlmodel(packed, now)),
    }


def column_schema(columns: list[Column]) -> list[dict[str, Json]]:
    """Columns as MLflow's signatures spell them."""
    return [
        {"type": _TYPES[column.type], "name": column.name, "required": not column.nullable}
        for column in columns
    ]


def _mlmodel(packed: PackedModel, now: datetime) -> dict[str, Json]:
    bundle = packed.bundle
    versions = {library.name: library.version for library in bundle.libraries}
    return {
        "artifact_path": DIRECTORY,
        "flavors": {
            "sklearn": {
                "code": None,
                "pickled_model": MODEL_FILE,
                "serialization_format": "skops",
                "skops_trusted_types": bundle.trusted_types,
                "sklearn_version": versions["scikit-learn"],
            },
        },
        "model_size_bytes": len(packed.files[MODEL_FILE]),
        "run_id": bundle.run_id,
        "saved_input_example_info": {
            "artifact_path": _EXAMPLE,
            "type": "dataframe",
            "pandas_orient": "split",
        },
        "signature": {
            "inputs": json.dumps(column_schema(bundle.inputs)),
            "outputs": json.dumps([_output(bundle)]),
            "params": None,
        },
        "utc_time_created": now.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "metadata": {"modelyard.dev/model-digest": packed.digest},
    }


def _output(bundle: Bundle) -> dict[str, Json]:
    if bundle.task is Task.REGRESSION:
        kind = "double"
    elif bundle.classes and isinstance(bundle.classes[0], str):
        kind = "string"
    else:
        kind = "boolean" if isinstance(bundle.classes[0], bool) else "long"
    return {"type": kind, "name": bundle.target, "required": True}


def _example(bundle: Bundle) -> dict[str, Json]:
    names = [column.name for column in bundle.inputs]
    return {"columns": names, "data": [[row[name] for name in names] for row in bundle.input_example]}


def _text(document: Json) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
