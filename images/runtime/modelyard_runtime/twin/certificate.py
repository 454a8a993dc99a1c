"""The certificate: a program may answer for its model only where both were asked the same and said the same.

Asked are the held-out rows, all at once and some of them one by one, and rows made of them that tend to tell two programs
apart: one column, then all, missing, empty, never seen before, too large for single precision, infinite.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelyard_api.contract.bundle import Certificate
from modelyard_runtime.twin.node import Node, NotCompiledError
from modelyard_runtime.twin.program import Program, compile_model

TOLERANCE = 1e-12
"""Greatest relative difference for sums in double precision."""
SINGLE_TOLERANCE = 1e-5
"""The same where the library itself adds up in single precision."""
_ALONE = 16
"""Held-out rows that are also asked one by one, since one row takes other ways than many."""
_MOST_COLUMNS = 16
"""Columns of texts, and of numbers, that special values are put into one by one."""
_NUMBERS = (math.nan, 0.0, -0.0, math.inf, -math.inf, 1e300, -1e300, 1e39, 1e-300, 2.0**53 + 2)
_TEXTS = (math.nan, "", " ", "\x00", "never seen before \u2603", "e\u0301 \ufb01 \u0130", "a" * 10_000)
_REFUSALS = (ValueError, TypeError, AttributeError)
"""How scikit-learn refuses a row; which of them depends on the step that stumbles."""


def certified(model: Any, rows: np.ndarray) -> tuple[Program | None, Certificate]:  # noqa: ANN401
    """The program of a fitted model, if it has one that agrees, and the certificate that says so or why not.

    The model must use one thread: several add up in any order. Never raises because of the model: it answers for itself
    where there is no program.
    """
    try:
        program = compile_model(model)
        certificate = certify(program, model, rows, tolerance=tolerance_of(program.node))
    except NotCompiledError as error:
        return None, _refused(str(error))
    except Exception as error:  # noqa: BLE001  what is only there to save time must not cost the training
        return None, _refused(f"compiling it failed: {type(error).__name__}: {error}")
    return (program if certificate.used else None), certificate


def certify(program: Program, model: Any, rows: np.ndarray, *, tolerance: float = TOLERANCE) -> Certificate:  # noqa: ANN401
    """Compares a program with its model on held-out rows, shape (rows, inputs), and on special rows made of them."""
    if not len(rows):
        return _refused("there are no held-out rows to compare on")
    found = _Comparison(program, model)
    found.ask(rows, ordinary=True)
    for row in rows[:_ALONE]:
        found.ask(row[np.newaxis])
    special = 0
    for group in special_rows(rows):
        special += len(group)
        found.ask_each(group)
    agreement = found.same_labels / max(1, found.labels) if found.labels else 1.0
    reason = found.reason(tolerance)
    return Certificate(
        rows=len(rows),
        special_rows=special,
        max_delta=_decimal(found.greatest),
        label_agreement=f"{agreement:.6g}",
        used=not reason,
        reason=reason,
    )


def tolerance_of(node: Node) -> float:
    """Greatest relative difference that is allowed for a program."""
    if node.settings.get("sums") == "single":
        return SINGLE_TOLERANCE
    return max([TOLERANCE, *map(tolerance_of, node.children)])


def special_rows(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Groups of rows: with a special value in all columns, one by one; then with one value in one column, all columns."""
    kinds = [_TEXTS if _is_text(rows[:, at]) else _NUMBERS for at in range(rows.shape[1])]
    most = max(len(kind) for kind in kinds)
    for turn in range(most):
        row = rows[0].copy()
        for at, kind in enumerate(kinds):
            row[at] = kind[turn % len(kind)]
        yield row[np.newaxis]
    columns = _some([at for at, kind in enumerate(kinds) if kind is _TEXTS])
    columns += _some([at for at, kind in enumerate(kinds) if kind is _NUMBERS])
    for turn in range(most):
        asked = [at for at in columns if turn < len(kinds[at])]
        group = rows[[(turn + at) % len(rows) for at in asked]]
        for row, at in zip(group, asked, strict=True):
            row[at] = kinds[at][turn]
        yield group


def _some(columns: list[int]) -> list[int]:
    """At most so many of them, evenly from the first to the last."""
    if len(columns) <= _MOST_COLUMNS:
        return columns
    return [columns[at * len(columns) // _MOST_COLUMNS] for at in range(_MOST_COLUMNS)]


def _is_text(column: np.ndarray) -> bool:
    return column.dtype == np.object_ and any(isinstance(value, str) for value in column.tolist())


def _refused(reason: str) -> Certificate:
    return Certificate(rows=0, special_rows=0, max_delta="0", label_agreement="1", used=False, reason=reason)


def _decimal(value: float) -> str:
    return f"{value:.3g}"


@dataclass
class _Comparison:
    program: Program
    model: Any
    greatest: float = 0.0
    labels: int = 0
    same_labels: int = 0
    scale: float = 1.0
    problems: list[str] = field(default_factory=list)

    def ask(self, rows: np.ndarray, *, ordinary: bool = False) -> None:
        """Compares the answers to these rows; the ordinary ones also say what values are like."""
        expected, found = self._model_says(rows), self._program_says(rows)
        if expected is None or found is None:
            if expected is not found:
                who, other = ("scikit-learn", "program") if expected is None else ("program", "model")
                self.problems.append(f"{who} refuses a row that the {other} answers")
            elif ordinary:
                self.problems.append("the held-out rows are refused")
            return
        if self.program.classes is None:
            values = np.asarray(expected[0], dtype=np.float64)
            if ordinary:
                self.scale = float(np.median(np.abs(values))) or 1.0
            self._differ(found[0], values, self.scale)
        else:
            self.labels += len(rows)
            self.same_labels += int(np.sum(np.asarray(found[0]) == np.asarray(expected[0])))
        if expected[1] is not None and found[1] is not None:
            self._differ(found[1], expected[1], 1.0)
        elif expected[1] is not found[1]:
            self.problems.append("only one of them gives probabilities")

    def ask_each(self, rows: np.ndarray) -> None:
        """Compares the answers to rows of which some may be refused: all at once, and where that fails one by one."""
        if len(rows) > 1 and (self._model_says(rows) is None or self._program_says(rows) is None):
            for row in rows:
                self.ask(row[np.newaxis])
        else:
            self.ask(rows)

    def reason(self, tolerance: float) -> str:
        """Why the program may not be used; empty if it may."""
        if self.problems:
            return self.problems[0]
        if self.same_labels < self.labels:
            return f"{self.labels - self.same_labels} of {self.labels} labels differ"
        if self.greatest > tolerance:
            return f"answers differ by {_decimal(self.greatest)}, {_decimal(tolerance)} is allowed"
        return ""

    def _model_says(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None] | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                sure = self.model.predict_proba(rows) if hasattr(self.model, "predict_proba") else None
                return self.model.predict(rows), sure
            except _REFUSALS:
                return None

    def _program_says(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None] | None:
        try:
            answer = self.program.predict(rows, probabilities=True)
        except ValueError:
            return None
        return answer.values, answer.probabilities

    def _differ(self, found: np.ndarray, expected: np.ndarray, scale: float) -> None:
        if found.shape != expected.shape:
            self.problems.append("the answers have another shape")
            return
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        with np.errstate(all="ignore"):
            delta = np.abs(found - expected) / np.maximum(np.abs(expected), scale)
        delta = np.where(same, 0.0, np.where(np.isfinite(delta), delta, np.inf))
        self.greatest = max(self.greatest, float(delta.max(initial=0.0)))
