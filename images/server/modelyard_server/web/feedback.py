"""``POST /feedback``: what was true of rows that were predicted, by the ids of their requests."""

from __future__ import annotations

from typing import Any

from modelyard_server.dataplane import parse
from modelyard_server.dialects.base import demand_object, refuse_unknown
from modelyard_server.errors import RequestError
from modelyard_server.monitoring.records import Label
from modelyard_server.web.asgi import REQUEST_ID_CHARACTERS

_EXAMPLE = '{"labels": [{"request_id": "…", "row": 0, "label": "…"}]}'
_LABELS = frozenset({"labels"})
_LABEL = frozenset({"request_id", "row", "label"})
LABEL_CHARACTERS = 1024
"""Labels wait in memory until they are stored."""
MOST_ROWS = 2**31
"""Places of rows are below it."""


def read_labels(body: bytes, now: float) -> list[Label]:
    """Labels of a body, several or one. Raises RequestError where one of them is wrong; then none is taken."""
    document = demand_object(parse(body), _EXAMPLE)
    if "labels" not in document:
        return [_label(document, "the body", now)]
    refuse_unknown(document, _LABELS, "the body")
    given = document["labels"]
    if not isinstance(given, list) or not given:
        raise RequestError(f'"labels" must be a list of at least one object, for example {_EXAMPLE}')
    return [_label(demand_object(each, _EXAMPLE), f"label {place}", now) for place, each in enumerate(given)]


def _label(given: dict[str, Any], where: str, now: float) -> Label:
    refuse_unknown(given, _LABEL, where)
    request_id, row, value = given.get("request_id"), given.get("row", 0), given.get("label")
    if not isinstance(request_id, str) or not 0 < len(request_id) <= REQUEST_ID_CHARACTERS:
        raise RequestError(
            f'{where}: "request_id" must be the text that came with the prediction as x-request-id, '
            f"1 to {REQUEST_ID_CHARACTERS} characters"
        )
    if type(row) is not int or not 0 <= row < MOST_ROWS:
        raise RequestError(f'{where}: "row" must be the place of the row in its request, from 0')
    if not isinstance(value, str | int | float):
        raise RequestError(f'{where}: "label" must be a text, a number, true or false')
    if isinstance(value, str) and len(value) > LABEL_CHARACTERS:
        raise RequestError(
            f'{where}: "label" has {len(value)} characters, at most {LABEL_CHARACTERS} are taken'
        )
    return Label(request_id, row, value, now)
