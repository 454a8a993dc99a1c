"""``POST /feedback``: what was true of rows that were predicted, by the ids of their requests."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from modelyard_server.admission import Admission
from modelyard_server.dataplane import encode, parse
from modelyard_server.dialects.base import demand_object, refuse_unknown
from modelyard_server.errors import RequestError
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.monitoring.records import Label
from modelyard_server.web.asgi import (
    REQUEST_ID_CHARACTERS,
    Receive,
    RequestHead,
    Scope,
    demand_post,
    read_body,
)
from modelyard_server.web.replies import Reply

_EXAMPLE = '{"labels": [{"request_id": "…", "row": 0, "label": "…"}]}'
_LABELS = frozenset({"labels"})
_LABEL = frozenset({"request_id", "row", "label"})
LABEL_CHARACTERS = 1024
"""Labels wait in memory until they are stored."""
MOST_ROWS = 2**31
"""Places of rows are below it."""


class Feedback:
    """Takes labels for answers that were given; they are answered when they are in memory, and stored by the monitor."""

    def __init__(self, monitor: Monitor | None, admission: Admission, max_body_bytes: int) -> None:
        self._monitor = monitor
        self._admission = admission
        self._limit = max_body_bytes

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The answer to a request. Raises ClientGoneError where nobody waits for it."""
        try:
            taken = await self._take(scope, receive)
        except RequestError as error:
            return Reply(error.status, encode({"error": error.message}), error.headers)
        return Reply(HTTPStatus.ACCEPTED, encode({"accepted": taken}))

    async def _take(self, scope: Scope, receive: Receive) -> int:
        monitor = self._monitor
        demand_post(scope)
        if monitor is None or not monitor.logs:
            raise RequestError(
                "predictions are not logged here; set spec.serving.predictionLog of the ModelPromotion",
                HTTPStatus.NOT_FOUND,
            )
        head = RequestHead.of(scope)
        head.demand_json()
        with self._admission.body(min(head.content_length or 0, self._limit)):
            labels = read_labels(await read_body(head, receive, self._limit), monitor.clock())
            monitor.label(labels)
        return len(labels)


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
