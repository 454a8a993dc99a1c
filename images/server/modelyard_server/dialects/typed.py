"""``POST /predict``: rows as objects in, predictions with their labels out; the dialect that OpenAPI describes."""

from __future__ import annotations

from typing import Any

from modelyard_server.dialects.base import Query, demand_object, refuse_unknown
from modelyard_server.errors import RequestError
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import ServedModel
from modelyard_server.signature import Reader

_ROWS, _OUTPUTS = "rows", "outputs"
_KNOWN = frozenset({_ROWS, _OUTPUTS})
PREDICTIONS, PROBABILITIES = "predictions", "probabilities"


class TypedDialect:
    """``{"rows": [{column: value, …}, …], "outputs": […]}``, or one row as an object of its own."""

    name = "predict"

    def read(self, document: Any, reader: Reader) -> Query:  # noqa: ANN401
        """Rows of the request."""
        body = demand_object(document, '{"rows": [{…}]}')
        rows = body.get(_ROWS)
        if not isinstance(rows, list) and (_ROWS not in body or _ROWS in reader.signature.names):
            return Query(reader.from_records([body]), probabilities=True)
        refuse_unknown(body, _KNOWN, "the body")
        if not isinstance(rows, list):
            raise RequestError('"rows" must be a list of objects')
        outputs = _requested(body[_OUTPUTS]) if _OUTPUTS in body else None
        sure = outputs is None or PROBABILITIES in outputs
        return Query(reader.from_records(rows), probabilities=sure, outputs=outputs)

    def write(self, query: Query, answer: Answer, served: ServedModel) -> dict[str, Any]:
        """Predictions in the order of the rows, or whichever outputs were asked for."""
        document: dict[str, Any] = {"model_name": served.name, "model_version": served.version}
        if query.outputs is not None and PROBABILITIES in query.outputs and answer.probabilities is None:
            raise RequestError('this model has no "probabilities"; leave them out of "outputs"')
        if query.outputs is None or PREDICTIONS in query.outputs:
            document[PREDICTIONS] = answer.predictions
        if answer.probabilities is not None:
            document["labels"] = served.model.labels
            document["probabilities"] = answer.probabilities
        return document

    def refuse(self, error: RequestError) -> dict[str, Any]:
        """The message under ``error``, and what is wrong by column where it is columns that are."""
        document: dict[str, Any] = {"error": error.message}
        if error.columns:
            document["columns"] = error.columns
        return document


def _requested(outputs: Any) -> tuple[str, ...]:  # noqa: ANN401
    known = (PREDICTIONS, PROBABILITIES)
    if not isinstance(outputs, list) or not outputs or any(output not in known for output in outputs):
        raise RequestError(f'"outputs" must be a list of at least one of {", ".join(known)}')
    return tuple(outputs)
