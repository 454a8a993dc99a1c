"""Answers beside scikit-learn's: to the last bit, and where they are not, how far off."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tests.bench.serving.cases import Served
from tests.bench.serving.contenders import Contender
from tests.bench.serving.names import LIKELY, OTHERWISE

_CLOSE = 1e-9


def compared(contender: Contender, served: Served, documents: Iterable[Any]) -> Iterator[tuple[str, float]]:
    """Of the documents that answer the rows in turn: how many predictions differ at all, and how far probabilities are off.

    Raises RuntimeError at another label, and at a number that is off by more than 1e-9 of itself: that is no answer.
    """
    otherwise, farthest = 0, 0.0
    for place, (document, expected) in enumerate(zip(documents, served.expected, strict=True)):
        found = contender.answer(document)
        if not _close(found, expected):
            raise RuntimeError(f"{contender.name}, {served.name}: row {place} is {found!r}, not {expected!r}")
        otherwise += found != expected
        if served.likely is not None and contender.likely is not None:
            off = np.abs(np.array(contender.likely(document)) - served.likely[place])
            farthest = max(farthest, float(off.max()))
    yield OTHERWISE, otherwise
    if served.likely is not None and contender.likely is not None:
        yield LIKELY, farthest


def _close(found: Any, expected: Any) -> bool:  # noqa: ANN401
    if isinstance(expected, float):
        return isinstance(found, float) and math.isclose(found, expected, rel_tol=_CLOSE)
    return bool(found == expected)
