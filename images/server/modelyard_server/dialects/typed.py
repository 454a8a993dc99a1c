"""``POST /predict``: rows as objects in, predictions with their labels out; the dialect that OpenAPI describes."""

from __future__ import annotations

from typing import Any

from modelyard_server.dialects.base import Query, demand_object, refuse_unknown
from modelyard_server.errors import RequestError
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import ServedModel
from modelyard_server.signature import Reader

_ROWS = "rows"


class TypedDialect:
    """``{"rows": [{column: value, …}, …]}``, or one row as an object of its own."""

    name = "predict"

    def read(self, document: Any, reader: Reader) -> Query:  # noqa: ANN401
        """Rows of the request."""
        body = demand_object(document, '{"rows": [{…}]}')
        rows = body.get(_ROWS)
        if _ROWS not in body or (_ROWS in reader.signature.names and not isinstance(rows, list)):
            return Query(reader.from_records([body]), probabilities=True)
        refuse_unknown(body, frozenset({_ROWS}), "the body")
        if not isinstance(rows, list):
            raise RequestError('"rows" must be a list of objects')
        return Query(reader.from_records(rows), probabilities=True)

    def write(self, query: Query, answer: Answer, served: ServedModel) -> dict[str, Any]:
        """Predictions in the order of the rows."""
        del query
        document: dict[str, Any] = {
            "model_name": served.name,
            "model_version": served.version,
            "predictions": answer.predictions,
        }
        if answer.probabilities is not None:
            document["labels"] = served.model.labels
            document["probabilities"] = answer.probabilities
        return document

    def refuse(self, error: RequestError) -> dict[str, Any]:
        """The message under ``error``."""
        return {"error": error.message}
