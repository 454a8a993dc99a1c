"""OpenAPI 3.1 of what is being served, made from the inputs of the champion."""

from __future__ import annotations

from typing import Any

from modelyard_api.contract.monitoring import FEEDBACK_PATH
from modelyard_server import SERVER_VERSION
from modelyard_server.dialects.typed import PREDICTIONS
from modelyard_server.serving import ServedModel, Serving
from modelyard_server.web import schemas
from modelyard_server.web.asgi import REQUEST_ID_CHARACTERS
from modelyard_server.web.feedback import LABEL_CHARACTERS, MOST_ROWS
from modelyard_server.web.schemas import Schema, reference

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
_UNKNOWN = {"404": "The version is not held"}


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
            "/v2": _read("Name and version of the server", _said("Metadata", _named("name", "version"))),
            "/v2/health/live": _read("Whether the server runs", _said("It does", _flag("live"))),
            "/v2/health/ready": _read(
                "Whether a model is ready",
                _said("Ready", _flag("ready")),
                {"503": _said("Not ready", _flag("ready"))},
            ),
            "/admin/route": _read("What is served", _said("State of the route", {"type": "object"})),
        },
    }
    if serving is not None:
        _add_predictions(document, serving.champion)
        _add_protocol(document, serving)
        if takes_labels:
            _add_labels(document, serving.champion)
    return document


def _add_predictions(document: Schema, served: ServedModel) -> None:
    examples = served.model.bundle.input_example[:_EXAMPLES]
    document["components"] = {
        "schemas": {
            "Row": schemas.row(served),
            "Predictions": _predictions(served),
            "Error": schemas.ERROR,
            "ScoringError": schemas.SCORING_ERROR,
        }
    }
    document["paths"]["/predict"] = _asked(
        f"Predicts {served.model.bundle.target}",
        _typed_body(served, examples),
        _said("One prediction for each row, in their order", reference("Predictions")),
    )
    document["paths"]["/invocations"] = _asked(
        "The same in the protocol of MLflow's scoring server",
        schemas.invocation_body(served, examples),
        _said("One prediction for each row", schemas.invocation_answer(served)),
        error="ScoringError",
    )


def _add_protocol(document: Schema, serving: Serving) -> None:
    """The Open Inference Protocol, version 2, for the model and for each of its versions that is held."""
    served = serving.champion
    examples = served.model.bundle.input_example[:_EXAMPLES]
    asked = _asked(
        "The same in the Open Inference Protocol, version 2",
        schemas.inference_body(served, examples),
        _said("One tensor for each output", schemas.inference_answer(served)),
    )
    metadata = _said("Inputs and outputs", _named("name", "platform"))
    ready = _said("Ready", _named("name", ready={"type": "boolean"}))
    paths: Schema = {
        "": _read("What the model takes and gives", metadata),
        "/ready": _read("Whether the model is ready", ready),
        "/infer": asked,
    }
    version = {
        "name": "version",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": serving.versions},
    }
    unknown = {status: _said(text, reference("Error")) for status, text in _UNKNOWN.items()}
    base = f"/v2/models/{served.name}"
    for path, item in paths.items():
        document["paths"][base + path] = item
        of_version = {
            method: operation | {"responses": operation["responses"] | unknown}
            for method, operation in item.items()
        }
        document["paths"][f"{base}/versions/{{version}}{path}"] = {"parameters": [version], **of_version}


def _typed_body(served: ServedModel, examples: list[dict[str, Any]]) -> Schema:
    many = {
        "type": "object",
        "required": ["rows"],
        "additionalProperties": False,
        "properties": {
            "rows": {"type": "array", "minItems": 1, "items": reference("Row")},
            "outputs": {
                "type": "array",
                "minItems": 1,
                "items": {"enum": schemas.outputs(served.model)},
                "description": "What the answer shall hold; everything where it is left out",
            },
        },
    }
    body: Schema = {"schema": {"oneOf": [many, reference("Row")]}}
    if examples:
        body["examples"] = {
            "rows": {"summary": "Several rows", "value": {"rows": examples}},
            "labels": {"summary": "Predictions alone", "value": {"rows": examples, "outputs": [PREDICTIONS]}},
            "row": {"summary": "One row", "value": examples[0]},
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
        "properties": {"labels": {"type": "array", "minItems": 1, "items": reference("Label")}},
    }
    taken = {"type": "object", "required": ["accepted"], "properties": {"accepted": {"type": "integer"}}}
    document["components"]["schemas"] |= {"Label": label, "Accepted": taken}
    document["paths"][FEEDBACK_PATH] = {
        "post": _operation(
            f"Takes what {served.model.bundle.target} truly was",
            {
                "202": _said("The labels will be stored", reference("Accepted")),
                "400": _said("A label is not as it should be; none was taken", reference("Error")),
                "413": _said("The body is too long", reference("Error")),
                "415": _said("The content type is not application/json", reference("Error")),
                "503": _said("Too many labels wait; Retry-After says when", reference("Error")),
            },
        )
        | {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"oneOf": [many, reference("Label")]}}},
            }
        }
    }


def _predictions(served: ServedModel) -> Schema:
    label = schemas.label(served.model)
    properties: Schema = {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "predictions": {"type": "array", "items": label},
    }
    if served.model.predictor.gives_probabilities:
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


def _asked(summary: str, body: Schema, answer: Schema, error: str = "Error") -> Schema:
    """A path that is asked with a document, and how it refuses one."""
    refusals = {status: _said(text, reference(error)) for status, text in _REFUSALS.items()}
    return {
        "post": _operation(summary, {"200": answer, **refusals})
        | {"requestBody": {"required": True, "content": {"application/json": body}}}
    }


def _read(summary: str, answer: Schema, others: Schema | None = None) -> Schema:
    """A path that is only read."""
    return {"get": _operation(summary, {"200": answer, **(others or {})})}


def _flag(name: str) -> Schema:
    return {"type": "object", "required": [name], "properties": {name: {"type": "boolean"}}}


def _named(*texts: str, **others: Schema) -> Schema:
    """An object of these texts and others, and whatever else."""
    properties = {**{name: {"type": "string"} for name in texts}, **others}
    return {"type": "object", "required": list(properties), "properties": properties}


def _said(description: str, schema: Schema | None = None) -> Schema:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": description, **content}
