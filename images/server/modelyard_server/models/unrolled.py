"""The steps of pipelines and column transformers, called one by one.

scikit-learn's containers check, route and dispatch anew at every call. For one row that costs several times what the
steps inside of them take; the steps themselves are called unchanged, so the numbers are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

Transform = Callable[[Any], Any]
_Branch = tuple[Any, Transform]

_LEFT_OUT = (None, "drop", "passthrough")


def unrolled(transformer: Any) -> Transform:  # noqa: ANN401  scikit-learn has no types
    """A function that does what ``transformer.transform`` does to arrays."""
    if type(transformer) is Pipeline:
        return _chained([unrolled(step) for _, step in transformer.steps if step not in _LEFT_OUT])
    if type(transformer) is ColumnTransformer:
        branches = _branches(transformer)
        if branches:
            return _side_by_side(branches, sparse_output=bool(transformer.sparse_output_))
    transform: Transform = transformer.transform
    return transform


def _chained(steps: Sequence[Transform]) -> Transform:
    def transform(rows: Any) -> Any:  # noqa: ANN401
        for step in steps:
            rows = step(rows)
        return rows

    return transform


def _branches(transformer: Any) -> list[_Branch]:  # noqa: ANN401
    """Columns and function of every branch; none where a branch selects columns in a way that is not known here."""
    found: list[_Branch] = []
    for _, step, columns in transformer.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        one = isinstance(columns, int)
        several = isinstance(columns, list) and all(isinstance(place, int) for place in columns)
        if isinstance(step, str) or not (one or several):
            return []
        found.append((columns, unrolled(step)))
    return found


def _side_by_side(branches: Sequence[_Branch], *, sparse_output: bool) -> Transform:
    def dense(rows: np.ndarray) -> Any:  # noqa: ANN401
        parts = [step(rows[:, columns]) for columns, step in branches]
        return np.hstack([part.toarray() if sparse.issparse(part) else part for part in parts])

    def compressed(rows: np.ndarray) -> Any:  # noqa: ANN401
        parts = [step(rows[:, columns]) for columns, step in branches]
        if len(parts) == 1:
            return parts[0].tocsr()
        return sparse.hstack(
            [part if sparse.issparse(part) else np.asarray(part, np.float64) for part in parts]
        ).tocsr()

    return compressed if sparse_output else dense
