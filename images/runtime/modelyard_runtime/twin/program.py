"""A whole program: the steps of a fitted pipeline, and the labels that its classifier answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin import document, registry, short_texts
from modelyard_runtime.twin.columns import chained
from modelyard_runtime.twin.node import (
    Answer,
    Final,
    Node,
    NotCompiledError,
    RowAnswer,
    Transform,
    TwinFormatError,
    row_answer,
    row_step,
)
from modelyard_runtime.twin.rows import Row

_PROGRAM = "program"
_MAX_WIDTH = 1 << 20
_MAX_CELLS = 1 << 23
"""Rows go through in pieces, so that a wide model's values, written out in full, fit 64 MiB."""


@dataclass(frozen=True)
class Program:
    """Answers rows as the model does that it was compiled from, without scikit-learn; safe in many threads at once."""

    node: Node
    width: int
    transform: Transform
    final: Final
    classes: np.ndarray | None
    """Labels in the order of the probabilities; None for a regression."""
    rows_at_once: int
    alone: RowAnswer | None = None
    """The way of a single row, where every step has one."""
    brief: RowAnswer | None = None
    """The way of a single short text, which takes no NumPy."""

    @property
    def gives_probabilities(self) -> bool:
        """Whether it can say how sure it is."""
        return self.final.gives_probabilities

    def predict(self, matrix: np.ndarray, *, probabilities: bool = False) -> Answer:
        """A value or label for each row, and probabilities of shape (rows, labels) if asked for and known.

        The matrix is the one of ``modelyard_runtime.matrix``. Raises ValueError for rows that the model does not take.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.width or not len(matrix):  # noqa: PLR2004  rows and columns
            raise ValueError(f"rows of {self.width} values are needed, at least one")
        if self.brief is not None and len(matrix) == 1:
            answer = self.brief(matrix[0], probabilities=probabilities)
            if answer is not None:
                return answer
        with np.errstate(all="ignore"):
            if self.alone is not None and len(matrix) == 1:
                answer = self.alone(matrix[0], probabilities=probabilities)
                if answer is not None:
                    return answer
            if len(matrix) <= self.rows_at_once:
                return self._piece(matrix, probabilities=probabilities)
            starts = range(0, len(matrix), self.rows_at_once)
            pieces = [
                self._piece(matrix[start : start + self.rows_at_once], probabilities=probabilities)
                for start in starts
            ]
        sure = [piece.probabilities for piece in pieces if piece.probabilities is not None]
        return Answer(
            np.concatenate([piece.values for piece in pieces]), np.concatenate(sure) if sure else None
        )

    def dump(self) -> bytes:
        """The program as a file."""
        return document.dump(self.node)

    def _piece(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        answer = self.final(self.transform(matrix), probabilities=probabilities)
        if self.classes is None:
            return answer
        return Answer(self.classes[answer.values], answer.probabilities)


def compile_model(model: Any) -> Program:  # noqa: ANN401  scikit-learn has no types
    """The program of a fitted pipeline or estimator. Raises NotCompiledError, which says what stands in the way."""
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    final = registry.compile_final(steps[-1])
    before = tuple(registry.compile_step(step) for step in steps[:-1])
    # A step that lets columns pass unchanged does not always know how many there are; the next one does.
    width = next((step.n_features_in_ for step in steps if hasattr(step, "n_features_in_")), None)
    if width is None:
        raise NotCompiledError("the model does not say how many columns it takes")
    classes = getattr(model, "classes_", None)
    arrays, texts = _labels(classes)
    return build(
        Node(
            _PROGRAM,
            settings={"width": int(width), "widest": _widest(steps, (*before, final), int(width))},
            arrays=arrays,
            texts=texts,
            children=(*before, final),
        )
    )


def load(content: bytes) -> Program:
    """The program of a file. Raises TwinFormatError."""
    return build(document.load(content))


def build(node: Node) -> Program:
    """The program of nodes. Raises TwinFormatError where they do not hold together."""
    if node.kind != _PROGRAM or not node.children:
        raise TwinFormatError("is not a program")
    width, widest = node.count("width", _MAX_WIDTH), node.count("widest", 1 << 26)
    steps = [registry.build_step(child) for child in node.children[:-1]]
    transform = chained(steps)
    final, classes = registry.build_final(node.children[-1]), _classes(node)
    if (None if classes is None else len(classes)) != final.classes:
        raise node.broken("classes")
    return Program(
        node=node,
        width=width,
        transform=transform,
        final=final,
        classes=classes,
        rows_at_once=max(1, _MAX_CELLS // max(1, width, widest)),
        alone=_alone(transform, final, classes),
        brief=_labelled(short_texts.answer_of(transform, final), classes),
    )


def _alone(transform: Transform, final: Final, classes: np.ndarray | None) -> RowAnswer | None:
    step, answer = row_step(transform), row_answer(final)
    if step is None or answer is None:
        return None

    def alone(row: Row, *, probabilities: bool) -> Answer | None:
        held = step(row)
        return None if held is None else answer(held, probabilities=probabilities)

    return _labelled(alone, classes)


def _labelled(answer: RowAnswer | None, classes: np.ndarray | None) -> RowAnswer | None:
    """The same with labels in place of their positions."""
    if answer is None or classes is None:
        return answer

    def labelled(row: Row, *, probabilities: bool) -> Answer | None:
        found = answer(row, probabilities=probabilities)
        return None if found is None else Answer(classes.take(found.values), found.probabilities)

    return labelled


def _labels(classes: Any) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:  # noqa: ANN401
    if classes is None:
        return {}, {}
    held = np.asarray(classes)
    plain = held.tolist()
    if held.ndim == 1 and all(isinstance(label, str) for label in plain):
        return {}, {"classes": tuple(plain)}
    if held.ndim == 1 and held.dtype.kind in "bi":
        return {"classes": held.astype(np.bool_ if held.dtype.kind == "b" else np.int64)}, {}
    raise NotCompiledError("the labels are neither texts nor whole numbers nor true and false")


def _classes(node: Node) -> np.ndarray | None:
    if "classes" in node.texts:
        return np.array(node.words("classes"))
    held = node.arrays.get("classes")
    if held is None:
        return None
    return node.numbers("classes", np.bool_ if held.dtype == np.bool_ else np.int64, None)


def _widest(steps: list[Any], nodes: Sequence[Node], width: int) -> int:
    """The most columns that rows have anywhere on their way."""
    known = [int(getattr(step, "n_features_in_", 0) or 0) for step in steps]
    return max([width, *known, *map(_widest_within, nodes)])


def _widest_within(node: Node) -> int:
    """The most columns that a node, or one inside it, says it takes or makes."""
    own = node.settings.get("width")
    return max([own if isinstance(own, int) else 0, *map(_widest_within, node.children)])
