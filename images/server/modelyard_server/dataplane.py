"""The one implementation of inference: parse, validate, predict, encode. Dialects differ, this does not."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np
import orjson

from modelyard_server.dialects.base import Dialect, Query
from modelyard_server.errors import RequestError, UnansweredError
from modelyard_server.models.predictor import Answer, Predictor
from modelyard_server.monitoring.tap import Answered
from modelyard_server.serving import ServedModel

_MESSAGE_LIMIT = 300
_NAME_LIMIT = 128
_FEW = 16


class Came(NamedTuple):
    """What is known of a request beside its document."""

    start: float
    """When it began to be read, on the clock of ``time.perf_counter``."""
    request_id: str
    """What the client is told as its name."""
    size: int
    """Bytes of its body."""


class Asked(NamedTuple):
    """A request that was read and found to be what its model takes."""

    query: Query
    matrix: np.ndarray
    start: float
    """When it began to be read, on the clock of ``time.perf_counter``."""
    name: str = ""
    """What it is logged as."""
    seen: np.ndarray | None = None
    """The rows as they came, for whoever looks at answers; None where nobody does."""
    size: int = 0
    """Bytes of its body."""


def answer(served: ServedModel, dialect: Dialect, body: bytes, request_id: str = "") -> bytes:
    """The encoded answer to a request body. Raises RequestError for whatever is wrong with it.

    It is logged under ``request_id`` unless the body brings an id of its own.

    Runs to its end without waiting for anything, so it may be called on the event loop or in a thread.
    """
    asked = read(served, dialect, body, request_id)
    return write(served, dialect, asked, predict(served.model.predictor, asked))


def read(served: ServedModel, dialect: Dialect, body: bytes, request_id: str = "") -> Asked:
    """What a body asks for. Raises RequestError."""
    came = Came(time.perf_counter(), request_id, len(body))
    return read_document(served, dialect, parse(body), came)


def read_document(served: ServedModel, dialect: Dialect, document: Any, came: Came) -> Asked:  # noqa: ANN401
    """What a parsed body asks for. Raises RequestError."""
    reader = served.model.reader
    query = dialect.read(document, reader)
    matrix = reader.matrix(query.rows)
    if served.tap is None:
        return Asked(query, matrix, came.start)
    # Steps of scikit-learn may be told to work in place (copy=False); a compiled program never does.
    seen = matrix if served.model.compiled else matrix.copy()
    return Asked(query, matrix, came.start, _name(query, came.request_id), seen, came.size)


def predict(predictor: Predictor, asked: Asked) -> Answer:
    """The model's answer, by itself. Raises RequestError for rows that the model does not take."""
    try:
        return predictor.predict(asked.matrix, probabilities=asked.query.probabilities)
    except (ValueError, OverflowError) as error:
        text = " ".join(str(error).split())[:_MESSAGE_LIMIT]
        raise UnansweredError(f"the model does not take these values: {text}") from error


def write(served: ServedModel, dialect: Dialect, asked: Asked, found: Answer) -> bytes:
    """The encoded answer, counted. Raises RequestError where it is not a number."""
    encoded = encode(compose(served, dialect, asked, found))
    observe(served, asked, found)
    return encoded


def compose(served: ServedModel, dialect: Dialect, asked: Asked, found: Answer) -> dict[str, Any]:
    """The document that answers. Raises RequestError where a prediction is not a number."""
    _demand_numbers(found)
    return dialect.write(asked.query, found, served)


def observe(served: ServedModel, asked: Asked, found: Answer) -> None:
    """Counts a request that was answered just now, and leaves it to those who look at answers."""
    rows, metrics = asked.query.rows, served.metrics
    seconds = time.perf_counter() - asked.start
    metrics.observe(rows.count, seconds, rows.columns if metrics.text_lengths else ())
    leave(served, asked, found, seconds)


def leave(served: ServedModel, asked: Asked, found: Answer, seconds: float) -> None:
    """Leaves an answer to those who look at answers, if anyone does."""
    if served.tap is not None and asked.seen is not None:
        served.tap.put(Answered(served, asked.name, time.time(), asked.seen, found, seconds), asked.size)


def proven(served: ServedModel, asked: Asked) -> Answer:
    """A version's answer that could be given. Raises RequestError as ``answer`` does, and counts nothing."""
    found = predict(served.model.predictor, asked)
    _demand_numbers(found)
    return found


def parse(body: bytes) -> Any:  # noqa: ANN401  any JSON
    """The JSON of a body. Raises RequestError with the position of what is wrong in it."""
    if not body:
        raise RequestError("the body is empty; send a JSON object")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is not JSON: {error}{_hint(body, error.pos)}") from error


def encode(document: Any) -> bytes:  # noqa: ANN401
    """JSON of a document whose arrays may be NumPy's."""
    return orjson.dumps(document, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def _demand_numbers(found: Answer) -> None:
    """Raises RequestError with the first row whose prediction, or one of whose probabilities, is not a finite number."""
    for values in (found.predictions, found.probabilities):
        if values is None or values.dtype.kind != "f" or _few_and_finite(values):
            continue
        finite = np.isfinite(values)
        if not finite.all():
            row = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))[0]
            raise UnansweredError(
                f"row {row}: the prediction is not a finite number; its values are too large"
            )


def _few_and_finite(values: np.ndarray) -> bool:
    """Whether they are so few that Python looks through them sooner than NumPy, and all are finite."""
    return values.size <= _FEW and all(map(math.isfinite, values.ravel().tolist()))


def _name(query: Query, request_id: str) -> str:
    """The body's own id unless it has none or one that is too long to be a name."""
    return query.id if query.id and len(query.id) <= _NAME_LIMIT else request_id


def _plain(value: Any) -> Any:  # noqa: ANN401
    """What orjson does not know: arrays of texts, and arrays that do not lie in one piece."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _hint(body: bytes, position: int) -> str:
    """JSON has no word for the numbers that Python prints as these; it is the most frequent mistake."""
    for word in (b"NaN", b"Infinity", b"-Infinity"):
        if body[max(0, position - 1) : position + len(word)].find(word) >= 0:
            return f" ({word.decode()} is not a value of JSON; a missing value is null)"
    return ""
