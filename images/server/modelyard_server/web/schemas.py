"""JSON schemas of the bodies that predictions are asked and answered with, exact wherever a schema can be.

That lists of one body are equally long is more than a schema can say; the descriptions do.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.dialects.inference import ACCEPTED, PUBLISHED
from modelyard_server.dialects.typed import PREDICTIONS, PROBABILITIES
from modelyard_server.models.loading import LoadedModel
from modelyard_server.serving import ServedModel

Schema = dict[str, Any]
Rows = list[dict[str, Any]]

ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "columns": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "What is wrong, by the name of the column",
        },
    },
}
SCORING_ERROR: Schema = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
}
_TYPES = {
    ColumnType.INTEGER: "integer",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TEXT: "string",
}
_LABEL_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_COUNT: Schema = {"type": "integer", "minimum": 1}


def reference(name: str) -> Schema:
    """One of the document's named schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def row(served: ServedModel) -> Schema:
    """A row as an object of its columns."""
    columns = served.model.signature.columns
    return _closed({column.name: _value(column) for column in columns})


def outputs(model: LoadedModel) -> list[str]:
    """Names of what a model's answer may hold."""
    return [PREDICTIONS, *([PROBABILITIES] if model.predictor.gives_probabilities else [])]


def label(model: LoadedModel) -> Schema:
    """One prediction."""
    if not model.classifies:
        return {"type": "number"}
    found: Schema = {"enum": list(model.labels)} if model.labels else {}
    if model.labels and type(model.labels[0]) in _LABEL_TYPES:
        found["type"] = _LABEL_TYPES[type(model.labels[0])]
    return found


def inference_body(served: ServedModel, examples: Rows) -> Schema:
    """Tensors of the Open Inference Protocol: one a column, or one of all columns where one datatype holds them."""
    model = served.model
    columns = model.signature.columns
    named = [
        _tensor({"const": column.name}, ACCEPTED[column.type], _column_shape(), _nested(_value(column)))
        for column in columns
    ]
    forms = [_exactly(named)]
    common = reduce(frozenset.intersection, (ACCEPTED[column.type] for column in columns))
    if common and len(columns) > 1:
        forms.append(_exactly([_matrix(columns, common)]))
    asked = _open({"name": {"enum": outputs(model)}, "parameters": {}}, required=["name"])
    body: Schema = {
        "schema": _closed(
            {
                "id": {"type": ["string", "null"]},
                "parameters": {},
                "inputs": forms[0] if len(forms) == 1 else {"anyOf": forms},
                "outputs": {"type": ["array", "null"], "items": asked},
            },
            required=["inputs"],
        )
        | {"description": "Every tensor has as many values as its shape says; tensors come in any order"}
    }
    if examples:
        tensors = [
            {
                "name": column.name,
                "shape": [len(examples)],
                "datatype": PUBLISHED[column.type],
                "data": [given[column.name] for given in examples],
            }
            for column in columns
        ]
        body["examples"] = {"columns": {"summary": "One tensor a column", "value": {"inputs": tensors}}}
    return body


def inference_answer(served: ServedModel) -> Schema:
    """Tensors of an answer."""
    tensor = _open(
        {
            "name": {"enum": outputs(served.model)},
            "shape": {"type": "array", "items": _COUNT, "minItems": 1, "maxItems": 2},
            "datatype": {"enum": sorted(PUBLISHED.values())},
            "data": {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
        },
        required=["name", "shape", "datatype", "data"],
    )
    return _open(
        {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "outputs": {"type": "array", "minItems": 1, "items": tensor},
        },
        required=["model_name", "model_version", "outputs"],
    )


def invocation_body(served: ServedModel, examples: Rows) -> Schema:
    """The four forms of MLflow's scoring server, of which a body has one."""
    columns = served.model.signature.columns
    listed = {"type": "array", "minItems": 1, "items": _exactly([_value(column) for column in columns])}
    records = {"type": "array", "minItems": 1, "items": reference("Row")}
    split = _closed(
        {
            "columns": _exactly([{"const": column.name} for column in columns])
            | {
                "type": ["array", "null"],
                "description": "Other orders are taken too, with values in the same",
            },
            "data": listed,
            "index": {},
        },
        required=["data"],
    )
    lists = _closed(
        {column.name: {"type": "array", "minItems": 1, "items": _value(column)} for column in columns}
    )
    forms: dict[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": records,
        "instances": {"anyOf": [records, listed, lists]},
        "inputs": {"anyOf": [lists, records, listed]},
    }
    body: Schema = {
        "schema": {
            "oneOf": [
                _closed({form: schema, "params": {}}, required=[form]) for form, schema in forms.items()
            ],
            "description": "Columns given as lists are equally long",
        }
    }
    if examples:
        table = {"columns": list(examples[0]), "data": [list(given.values()) for given in examples]}
        body["examples"] = {
            "records": {"summary": "Rows as objects", "value": {"dataframe_records": examples}},
            "split": {"summary": "Rows as lists", "value": {"dataframe_split": table}},
        }
    return body


def invocation_answer(served: ServedModel) -> Schema:
    """Predictions as MLflow's scoring server gives them."""
    predictions = {"type": "array", "minItems": 1, "items": label(served.model)}
    return _closed({"predictions": predictions})


def _matrix(columns: tuple[Column, ...], datatypes: frozenset[str]) -> Schema:
    width = len(columns)
    shape = _exactly([_COUNT, {"const": width}])
    values = [_value(column) for column in columns]
    data: Schema = {"type": "array", "minItems": 1, "items": _exactly(values)}
    if all(value == values[0] for value in values):
        data = {"anyOf": [data, data | {"items": values[0]}]}
    return _tensor({"type": "string"}, datatypes, shape, data)


def _tensor(name: Schema, datatypes: frozenset[str], shape: Schema, data: Schema) -> Schema:
    fields = {"name": name, "shape": shape, "datatype": {"enum": sorted(datatypes)}, "data": data}
    return _closed({**fields, "parameters": {}}, required=list(fields))


def _column_shape() -> Schema:
    return {
        "type": "array",
        "prefixItems": [_COUNT, {"const": 1}],
        "items": False,
        "minItems": 1,
        "maxItems": 2,
    }


def _nested(value: Schema) -> Schema:
    """Values of a column, each also as a row of one where the shape has two dimensions."""
    flat = {"type": "array", "minItems": 1, "items": value}
    return {"anyOf": [flat, flat | {"items": _exactly([value])}]}


def _value(column: Column) -> Schema:
    kind = _TYPES[column.type]
    return {"type": [kind, "null"] if column.nullable else kind}


def _exactly(items: list[Schema]) -> Schema:
    """A list of just these."""
    return {
        "type": "array",
        "prefixItems": items,
        "items": False,
        "minItems": len(items),
        "maxItems": len(items),
    }


def _closed(properties: Schema, required: list[str] | None = None) -> Schema:
    """An object of these fields, all of which it must have where not said otherwise, and of no others."""
    return _open(properties, list(properties) if required is None else required) | {
        "additionalProperties": False
    }


def _open(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "required": required, "properties": properties}
