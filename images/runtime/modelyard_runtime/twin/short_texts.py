"""A short text through counts, weights and a linear model at once.

A title has a handful of terms that a model knows. NumPy needs longer to begin with each of a dozen arrays of a handful of
numbers than Python to go through the numbers, so what a term adds to each score is made once and held by term.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelyard_runtime.twin.columns import only_column
from modelyard_runtime.twin.linear import Lines, lines_of
from modelyard_runtime.twin.node import Answer, Final, RowAnswer, Transform
from modelyard_runtime.twin.rows import Row
from modelyard_runtime.twin.text import Vocabulary, Weights, Words

_MOST_OUTPUTS = 16
_MOST_NUMBERS = 1 << 18
"""Python takes about 40 bytes for each."""
_LARGEST = 1e100
"""Sums and squares of larger numbers could be infinite."""
_MOST_TERMS = 64
"""Of a text; from about as many on NumPy is faster."""

Term = tuple[float, ...]
"""What a term adds to each score, and to the size of the row."""


def answer_of(transform: Transform, final: Final) -> RowAnswer | None:
    """How a program of these steps answers a row of one short text; None where it is not of this kind.

    It gives None for what is no text, and for long ones.
    """
    found, lines = only_column(transform), lines_of(final)
    if found is None or lines is None:
        return None
    column, (words, *others) = found
    weights = others[0] if others else None
    if not isinstance(words, Words) or words.binary or len(others) > 1:
        return None
    if not (weights is None or (isinstance(weights, Weights) and not weights.sublinear)):
        return None
    terms = _terms(words, weights, lines)
    if terms is None:
        return None
    norm = "none" if weights is None else weights.norm
    return _ShortTexts(column, words, words.split.vocabulary(terms), norm, lines).alone


def _terms(words: Words, weights: Weights | None, lines: Lines) -> dict[str, Term] | None:
    """What each term adds; None where that would take much memory, or numbers are too large to be added up unseen."""
    width, outputs = lines.weights.shape
    if width != words.width or (weights is not None and weights.width != width):
        return None
    if outputs > _MOST_OUTPUTS or width * (outputs + 1) > _MOST_NUMBERS:
        return None
    rarity = np.ones(width) if weights is None or weights.idf is None else weights.idf
    size = np.square(rarity) if weights is not None and weights.norm == "l2" else np.abs(rarity)
    table = np.column_stack([lines.weights * rarity[:, np.newaxis], size])
    if not (np.abs(table) < _LARGEST).all():
        return None
    return dict(zip(words.vocabulary, map(tuple, table.tolist()), strict=True))


@dataclass(frozen=True)
class _ShortTexts:
    column: int
    words: Words
    known: Vocabulary[Term]
    norm: str
    lines: Lines

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        """See ``RowAnswer``."""
        text = row[self.column]
        if not isinstance(text, str):
            return None
        terms = self.words.split.found(text, self.known)
        if not terms:
            return self.lines.tell(list(self.lines.intercept), probabilities)
        if len(terms) > _MOST_TERMS:
            return None
        sums: list[float] = list(map(sum, zip(*terms, strict=True)))
        size = sums.pop()
        if self.norm == "l2":
            if len({*map(id, terms)}) < len(terms):
                size += _of_repeated(terms)
            size = math.sqrt(size)
        elif self.norm == "none":
            size = 1.0
        size = size or 1.0
        scores = [each / size + start for each, start in zip(sums, self.lines.intercept, strict=True)]
        return self.lines.tell(scores, probabilities)


def _of_repeated(terms: list[Term]) -> float:
    """What is missing in the sum of squares where terms are there several times."""
    counts: dict[int, int] = {}
    for each in terms:
        counts[id(each)] = counts.get(id(each), 0) + 1
    # The square of a count holds one for every time that the term was added.
    return sum((counts[id(each)] - 1) * each[-1] for each in terms)
