"""``POST /invocations``: the protocol of MLflow's scoring server."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from modelyard_server.dialects.base import Query, demand_object, refuse_unknown
from modelyard_server.errors import RequestError
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import ServedModel
from modelyard_server.signature import Reader, Rows

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_SPLIT = frozenset({"columns", "data", "index"})
_CODES = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "RESOURCE_DOES_NOT_EXIST",
    HTTPStatus.SERVICE_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
}


class MLflowDialect:
    """Rows in one of MLflow's four forms."""

    name = "invocations"

    def read(self, document: Any, reader: Reader) -> Query:  # noqa: ANN401
        """Rows of the request; ``params`` are accepted and have no effect, as these models take none."""
        body = demand_object(document, '{"dataframe_records": [{…}]}')
        refuse_unknown(body, frozenset({*_FORMS, "params"}), "the body")
        given = [form for form in _FORMS if form in body]
        if len(given) != 1:
            raise RequestError(f"the body must have exactly one of {', '.join(_FORMS)}, it has {len(given)}")
        form = given[0]
        content = body[form]
        if form == "dataframe_split":
            return Query(_split(content, reader))
        if form == "dataframe_records":
            return Query(reader.from_records(_list(content, form)))
        return Query(_tensor(content, form, reader))

    def write(self, query: Query, answer: Answer, served: ServedModel) -> dict[str, Any]:
        """Predictions in the order of the rows."""
        del query, served
        return {"predictions": answer.predictions}

    def refuse(self, error: RequestError) -> dict[str, Any]:
        """An error as MLflow writes it."""
        return {"error_code": _CODES.get(HTTPStatus(error.status), "BAD_REQUEST"), "message": error.message}


def _split(content: Any, reader: Reader) -> Rows:  # noqa: ANN401
    if not isinstance(content, dict):
        raise RequestError('"dataframe_split" must be an object with "columns" and "data"')
    refuse_unknown(content, _SPLIT, '"dataframe_split"')
    names = content.get("columns")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise RequestError('"dataframe_split.columns" must be a list of column names')
    return reader.from_lists(_list(content.get("data"), "dataframe_split.data"), names)


def _tensor(content: Any, form: str, reader: Reader) -> Rows:  # noqa: ANN401
    """Rows as objects, rows as lists, or an object of columns."""
    if isinstance(content, dict):
        return reader.from_columns(content)
    rows = _list(content, form)
    return reader.from_records(rows) if rows and isinstance(rows[0], dict) else reader.from_lists(rows)


def _list(content: Any, name: str) -> list[Any]:  # noqa: ANN401
    if not isinstance(content, list):
        raise RequestError(f'"{name}" must be a list of rows')
    return content
