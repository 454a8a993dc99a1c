"""The one implementation of inference: parse, validate, predict, encode. Dialects differ, this does not."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

import numpy as np
import orjson

from modelyard_server.dialects.base import Dialect, Query
from modelyard_server.errors import RequestError
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import ServedModel

_MESSAGE_LIMIT = 300


def answer(served: ServedModel, dialect: Dialect, body: bytes) -> bytes:
    """The encoded answer to a request body. Raises RequestError for whatever is wrong with it.

    Runs to its end without waiting for anything, so it may be called on the event loop or in a thread.
    """
    start = time.perf_counter()
    query = dialect.read(parse(body), served.model.reader)
    matrix = served.model.reader.matrix(query.rows)
    document = dialect.write(query, _predict(served, query, matrix), served)
    encoded = encode(document)
    served.metrics.observe(query.rows.count, time.perf_counter() - start, query.rows.columns)
    return encoded


def predictions(served: ServedModel, dialect: Dialect, body: bytes) -> np.ndarray:
    """What a version predicts for a request body, one value a row. Raises as ``answer`` does, and counts nothing."""
    query = dialect.read(parse(body), served.model.reader)
    matrix = served.model.reader.matrix(query.rows)
    return _predict(served, query, matrix).predictions


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


def _predict(served: ServedModel, query: Query, matrix: np.ndarray) -> Answer:
    try:
        found = served.model.predictor.predict(matrix, probabilities=query.probabilities)
    except (ValueError, OverflowError) as error:
        text = " ".join(str(error).split())[:_MESSAGE_LIMIT]
        raise RequestError(
            f"the model does not take these values: {text}", HTTPStatus.UNPROCESSABLE_ENTITY
        ) from error
    if found.predictions.dtype.kind == "f":
        infinite = np.flatnonzero(~np.isfinite(found.predictions))
        if infinite.size:
            raise RequestError(
                f"row {infinite[0]}: the prediction is not a finite number; its values are too large",
                HTTPStatus.UNPROCESSABLE_ENTITY,
            )
    return found


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
