"""What a compiled program is made of: nodes of plain data, read with checks since they may come from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.errors import DataError
from modelyard_runtime.twin.rows import Row, Rows


class NotCompiledError(Exception):
    """A fitted object has no compiled form; the message is a clause that says what stands in the way."""


class TwinFormatError(DataError):
    """A compiled program that does not hold together: damaged, of another version, or made to do harm."""


@dataclass(frozen=True)
class Node:
    """One step of a program.

    ``settings`` are JSON, ``arrays`` numbers of at most two axes, ``texts`` lists of strings. The accessors raise
    TwinFormatError where a value is missing or of another form than the kernel needs.
    """

    kind: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    children: tuple[Node, ...] = ()

    def numbers(self, name: str, kind: type[np.generic], *shape: int | None) -> np.ndarray:
        """The array of this name, of this scalar type and shape; None stands for any length."""
        held = self.arrays.get(name)
        if held is None or held.dtype != kind or held.ndim != len(shape):
            raise self.broken(name)
        if any(
            wanted is not None and wanted != found for wanted, found in zip(shape, held.shape, strict=True)
        ):
            raise self.broken(name)
        return held

    def one_of(self, name: str, kinds: Sequence[type[np.generic]], *shape: int | None) -> np.ndarray:
        """The array of this name, of one of these scalar types."""
        held = self.arrays.get(name)
        kind = next((kind for kind in kinds if held is not None and held.dtype == kind), kinds[0])
        return self.numbers(name, kind, *shape)

    def words(self, name: str) -> tuple[str, ...]:
        """The list of strings of this name."""
        held = self.texts.get(name)
        if held is None:
            raise self.broken(name)
        return held

    def flag(self, name: str) -> bool:
        """The setting of this name, true or false."""
        held = self.settings.get(name)
        if not isinstance(held, bool):
            raise self.broken(name)
        return held

    def count(self, name: str, limit: int) -> int:
        """The setting of this name, from 0 to the limit."""
        held = self.settings.get(name)
        if not isinstance(held, int) or isinstance(held, bool) or not 0 <= held <= limit:
            raise self.broken(name)
        return held

    def choice(self, name: str, *known: str) -> str:
        """The setting of this name, one of the known words."""
        held = self.settings.get(name)
        if not isinstance(held, str) or held not in known:
            raise self.broken(name)
        return held

    def broken(self, name: str) -> TwinFormatError:
        """What to raise for a value that is not as it must be."""
        return TwinFormatError(
            "is missing or not of the form that its kernel needs", field=f"{self.kind}.{name}"
        )


class Answer(NamedTuple):
    """What the last step of a program says: values of a regression, or positions of classes and their probabilities."""

    values: np.ndarray
    probabilities: np.ndarray | None = None


class Transform(Protocol):
    """A step before the last. Never writes into the rows that it is given.

    It may have a method ``alone``, which does the same to a single row with less ado (see ``row_step``).
    """

    def __call__(self, rows: Rows) -> Rows:
        """The rows after this step. Raises ValueError for rows that scikit-learn's step refuses too."""
        ...


class Final(Protocol):
    """The last step. It may have a method ``alone`` for a single row (see ``row_answer``)."""

    @property
    def classes(self) -> int | None:
        """How many labels it chooses from; None for a regression."""
        ...

    @property
    def gives_probabilities(self) -> bool:
        """Whether it can say how sure it is."""
        ...

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        """Answers of shape (rows,) and (rows, classes). Raises ValueError as scikit-learn's estimator does."""
        ...


Scores = Callable[[Rows], np.ndarray]
"""What scikit-learn's ``decision_function`` says, shape (rows, outputs); two labels share one output."""
RowStep = Callable[[Row], Row | None]
"""What a step makes of a single row on its own; None where only the step for many rows knows, for example what to refuse.
A missing or infinite value must come through as one, or give None."""
RowAnswer = Callable[..., Answer | None]
"""The answer to a single row on its own, called with ``probabilities``; None where only the way for many rows knows."""


def row_step(step: Transform) -> RowStep | None:
    """How a step treats a single row, if it has a way of its own for that."""
    return getattr(step, "alone", None)


def row_answer(final: Final) -> RowAnswer | None:
    """How the last step answers a single row, if it has a way of its own for that."""
    return getattr(final, "alone", None)


def scores_of(final: Final) -> Scores | None:
    """The scores of the last step, if it has any."""
    return getattr(final, "scores", None)


CompileStep = Callable[[Any], Node]
"""Compiles a fitted object of a library. Raises NotCompiledError."""
Compiler = Callable[[Any, CompileStep], Node]
"""Compiles objects of one family; the second argument compiles what stands inside them: a transformer's transformers, an
estimator's estimators."""
BuildStep = Callable[[Node], Transform]
TransformBuilder = Callable[[Node, BuildStep], Transform]
BuildFinal = Callable[[Node], Final]
FinalBuilder = Callable[[Node, BuildFinal], Final]


def require(holds: bool, reason: str) -> None:  # noqa: FBT001  reads as a sentence
    """Raises NotCompiledError with the reason unless it holds."""
    if not holds:
        raise NotCompiledError(reason)
