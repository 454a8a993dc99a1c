"""OpenAPI 3.1 of what is being served, made from the inputs of the champion."""

from __future__ import annotations

from typing import Any

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.monitoring import FEEDBACK_PATH
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server import SERVER_VERSION
from modelyard_server.dialects.inference import PUBLISHED
from modelyard_server.dialects.typed import PREDICTIONS, PROBABILITIES
from modelyard_server.serving import ServedModel, Serving
from modelyard_server.web.asgi import REQUEST_ID_CHARACTERS
from modelyard_server.web.feedback import LABEL_CHARACTERS, MOST_ROWS

_TYPES = {
    ColumnType.INTEGER: "integer",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TEXT: "string",
}
_LABEL_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_EXAMPLES = 3
_REFUSALS = {
    "400": "The body or a column is not as the model takes it",
    "401": "A key is demanded, and none that is known was sent",
    "403": "A key is demanded, and nobody has one",
    "408": "The request did not come whole in time",
    "413": "The body is too long, or has too many rows",
    "415": "The content type is not application/json",
    "422": "The model does not take these values",
    "431": "The head of the request is too long",
    "503": "Not ready, or too much at once; Retry-After says when",
}
_ERROR = {
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

Schema = dict[str, Any]


def describe(serving: Serving | None, *, takes_labels: bool = False) -> Schema:
    """The document; without a champion it describes only what does not depend on one.

    ``takes_labels`` says whether there is a prediction log, and with it a path for true labels.
    """
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
        if takes_labels:
            _add_labels(document, serving.champion)
    return document


def _add_predictions(document: Schema, served: ServedModel) -> None:
    examples = served.model.bundle.input_example[:_EXAMPLES]
    document["components"] = {
        "schemas": {"Row": _row(served), "Predictions": _predictions(served), "Error": _ERROR}
    }
    document["paths"]["/predict"] = _asked(
        f"Predicts {served.model.bundle.target}",
        _typed_body(served, examples),
        _said("One prediction for each row, in their order", _reference("Predictions")),
    )
    document["paths"] |= {
        f"/v2/models/{served.name}/infer": _asked(
            "The same in the Open Inference Protocol, version 2",
            _tensors(served, examples),
            _said("One tensor for each output", {"type": "object", "required": ["outputs"]}),
        ),
        "/invocations": _asked(
            "The same in the protocol of MLflow's scoring server",
            _invocation(examples),
            _said("One prediction for each row", {"type": "object", "required": ["predictions"]}),
        ),
    }


def _typed_body(served: ServedModel, examples: list[dict[str, Any]]) -> Schema:
    outputs = [PREDICTIONS, *([PROBABILITIES] if served.model.predictor.gives_probabilities else [])]
    many = {
        "type": "object",
        "required": ["rows"],
        "additionalProperties": False,
        "properties": {
            "rows": {"type": "array", "minItems": 1, "items": _reference("Row")},
            "outputs": {
                "type": "array",
                "minItems": 1,
                "items": {"enum": outputs},
                "description": "What the answer shall hold; everything where it is left out",
            },
        },
    }
    body: Schema = {"schema": {"oneOf": [many, _reference("Row")]}}
    if examples:
        body["examples"] = {
            "rows": {"summary": "Several rows", "value": {"rows": examples}},
            "labels": {"summary": "Predictions alone", "value": {"rows": examples, "outputs": [PREDICTIONS]}},
            "row": {"summary": "One row", "value": examples[0]},
        }
    return body


def _tensors(served: ServedModel, examples: list[dict[str, Any]]) -> Schema:
    """One tensor a column; that lengths and shapes agree is more than a schema can say."""
    columns = served.model.signature.columns
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
    }
    body: Schema = {
        "schema": {
            "type": "object",
            "required": ["inputs"],
            "properties": {
                "id": {"type": "string"},
                "inputs": {"type": "array", "minItems": 1, "items": tensor},
                "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            },
        }
    }
    if examples:
        inputs = [
            {
                "name": column.name,
                "shape": [len(examples)],
                "datatype": PUBLISHED[column.type],
                "data": [row[column.name] for row in examples],
            }
            for column in columns
        ]
        body["examples"] = {"columns": {"summary": "One tensor a column", "value": {"inputs": inputs}}}
    return body


def _invocation(examples: list[dict[str, Any]]) -> Schema:
    forms = ("dataframe_split", "dataframe_records", "instances", "inputs")
    body: Schema = {"schema": {"type": "object", "oneOf": [{"required": [form]} for form in forms]}}
    if examples:
        split = {"columns": list(examples[0]), "data": [list(row.values()) for row in examples]}
        body["examples"] = {
            "records": {"summary": "Rows as objects", "value": {"dataframe_records": examples}},
            "split": {"summary": "Rows as lists", "value": {"dataframe_split": split}},
        }
    return body


def _add_labels(document: Schema, served: ServedModel) -> None:
    label: Schema = {
        "type": "object",
        "required": ["request_id", "label"],
        "additionalProperties": False,
        "properties": {
            "request_id": {
                "type": "string",
                "minLength": 1,
                "maxLength": REQUEST_ID_CHARACTERS,
                "description": "Header x-request-id of the prediction's answer",
            },
            "row": {
                "type": "integer",
                "minimum": 0,
                "exclusiveMaximum": MOST_ROWS,
                "default": 0,
                "description": "Place of the row in its request",
            },
            "label": {"type": ["string", "number", "boolean"], "maxLength": LABEL_CHARACTERS},
        },
    }
    many = {
        "type": "object",
        "required": ["labels"],
        "additionalProperties": False,
        "properties": {"labels": {"type": "array", "minItems": 1, "items": _reference("Label")}},
    }
    taken = {"type": "object", "required": ["accepted"], "properties": {"accepted": {"type": "integer"}}}
    document["components"]["schemas"] |= {"Label": label, "Accepted": taken}
    document["paths"][FEEDBACK_PATH] = {
        "post": _operation(
            f"Takes what {served.model.bundle.target} truly was",
            {
                "202": _said("The labels will be stored", _reference("Accepted")),
                "400": _said("A label is not as it should be; none was taken", _reference("Error")),
                "413": _said("The body is too long", _reference("Error")),
                "415": _said("The content type is not application/json", _reference("Error")),
                "503": _said("Too many labels wait; Retry-After says when", _reference("Error")),
            },
        )
        | {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"oneOf": [many, _reference("Label")]}}},
            }
        }
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
        "required": ["model_name", "model_version"],
        "properties": properties,
    }


def _operation(summary: str, responses: Schema) -> Schema:
    return {"summary": summary, "responses": responses}


def _asked(summary: str, body: Schema, answer: Schema) -> Schema:
    """A path that is asked with a document, and how it refuses one."""
    refusals = {status: _said(text, _reference("Error")) for status, text in _REFUSALS.items()}
    return {
        "post": _operation(summary, {"200": answer, **refusals})
        | {"requestBody": {"required": True, "content": {"application/json": body}}}
    }


def _said(description: str, schema: Schema | None = None) -> Schema:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": description, **content}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
