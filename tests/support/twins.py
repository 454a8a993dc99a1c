"""Compares a compiled program with the model that it was compiled from, all rows at once and one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from modelyard_runtime.twin import Program, compile_model, load

Asked = tuple[np.ndarray, np.ndarray | None]


def stored(model: Any) -> Program:  # noqa: ANN401  scikit-learn has no types
    """The model's program, after it went through its file."""
    return load(compile_model(model).dump())


def assert_agrees(model: Any, rows: np.ndarray, *, within: float = 1e-12) -> Program:  # noqa: ANN401
    """The program gives the model's labels, and its values within a relative difference; refuses what it refuses."""
    program = stored(model)
    answered = []
    for row in rows:
        expected = _outcome(partial(_of_model, model, row[np.newaxis]))
        found = _outcome(partial(_of_program, program, row[np.newaxis]))
        assert (expected is None) == (found is None), f"only one of them refuses {row!r}"
        if expected is not None and found is not None:
            answered.append(row)
            _assert_equal(found, expected, within)
    if answered:
        together = np.stack(answered)
        _assert_equal(_of_program(program, together), _of_model(model, together), within)
    assert answered, "the model takes none of these rows"
    return program


def _of_model(model: Any, rows: np.ndarray) -> Asked:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sure = model.predict_proba(rows) if hasattr(model, "predict_proba") else None
        return model.predict(rows), sure


def _of_program(program: Program, rows: np.ndarray) -> Asked:
    answer = program.predict(rows, probabilities=True)
    return answer.values, answer.probabilities


def _outcome(ask: Callable[[], Asked]) -> Asked | None:
    try:
        return ask()
    except (ValueError, AttributeError, TypeError):
        return None


def _assert_equal(found: Asked, expected: Asked, within: float) -> None:
    values, wanted = found[0], np.asarray(expected[0])
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(values, wanted, rtol=within, atol=within)
    else:
        assert values.tolist() == wanted.tolist()
    assert (found[1] is None) == (expected[1] is None)
    if found[1] is not None and expected[1] is not None:
        np.testing.assert_allclose(found[1], expected[1], rtol=within, atol=within)
