"""OpenAPI 3.1 of what is being served, made from the inputs of the champion."""

from __future__ import annotations

from typing import Any

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server import SERVER_VERSION
from modelyard_server.serving import ServedModel, Serving

_TYPES = {
    ColumnType.INTEGER: "integer",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TEXT: "string",
}
_LABEL_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_EXAMPLES = 3

Schema = dict[str, Any]


def describe(serving: Serving | None) -> Schema:
    """The document; without a champion it describes only what does not depend on one."""
    title = "Modelyard" if serving is None else serving.champion.name
    version = SERVER_VERSION if serving is None else serving.champion.version
    document: Schema = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": {
            "/v2/health/ready": {"get": _operation("Whether a model is ready", {"200": _said("Ready")})},
            "/admin/route": {"get": _operation("What is served", {"200": _said("State of the route")})},
        },
    }
    if serving is not None:
        _add_predictions(document, serving.champion)
    return document


def _add_predictions(document: Schema, served: ServedModel) -> None:
    examples = served.model.bundle.input_example[:_EXAMPLES]
    document["components"] = {
        "schemas": {
            "Row": _row(served),
            "Predictions": _predictions(served),
            "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
        }
    }
    many = {
        "type": "object",
        "required": ["rows"],
        "additionalProperties": False,
        "properties": {"rows": {"type": "array", "minItems": 1, "items": _reference("Row")}},
    }
    body: Schema = {"schema": {"oneOf": [many, _reference("Row")]}}
    if examples:
        body["examples"] = {
            "rows": {"summary": "Several rows", "value": {"rows": examples}},
            "row": {"summary": "One row", "value": examples[0]},
        }
    document["paths"]["/predict"] = {
        "post": _operation(
            f"Predicts {served.model.bundle.target}",
            {
                "200": _said("One prediction for each row, in their order", _reference("Predictions")),
                "400": _said("The body or a column is not as the model takes it", _reference("Error")),
                "401": _said("A key is demanded, and none that is known was sent", _reference("Error")),
                "403": _said("A key is demanded, and nobody has one", _reference("Error")),
                "408": _said("The request did not come whole in time", _reference("Error")),
                "413": _said("The body is too long, or has too many rows", _reference("Error")),
                "415": _said("The content type is not application/json", _reference("Error")),
                "422": _said("The model does not take these values", _reference("Error")),
                "431": _said("The head of the request is too long", _reference("Error")),
                "503": _said("Not ready, or too much at once; Retry-After says when", _reference("Error")),
            },
        )
        | {"requestBody": {"required": True, "content": {"application/json": body}}}
    }


def _row(served: ServedModel) -> Schema:
    columns = served.model.signature.columns
    return {
        "type": "object",
        "required": [column.name for column in columns],
        "additionalProperties": False,
        "properties": {column.name: _value(column) for column in columns},
    }


def _value(column: Column) -> Schema:
    kind = _TYPES[column.type]
    return {"type": [kind, "null"] if column.nullable else kind}


def _predictions(served: ServedModel) -> Schema:
    model = served.model
    label: Schema = {"type": "number"}
    if model.classifies:
        label = {"enum": list(model.labels)} if model.labels else {}
        if model.labels and type(model.labels[0]) in _LABEL_TYPES:
            label["type"] = _LABEL_TYPES[type(model.labels[0])]
    properties: Schema = {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "predictions": {"type": "array", "items": label},
    }
    if model.predictor.gives_probabilities:
        properties["labels"] = {"type": "array", "items": label, "description": "Order of the probabilities"}
        properties["probabilities"] = {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}},
        }
    return {
        "type": "object",
        "required": ["model_name", "model_version", "predictions"],
        "properties": properties,
    }


def _operation(summary: str, responses: Schema) -> Schema:
    return {"summary": summary, "responses": responses}


def _said(description: str, schema: Schema | None = None) -> Schema:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": description, **content}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
