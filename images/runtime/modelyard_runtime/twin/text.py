"""Words and characters of a text, counted in a dictionary and weighed: what vectorisers of texts do."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from modelyard_api.patterns import explodes
from modelyard_runtime.twin.columns import CHAIN
from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, SparseRow, SparseRows, floats, sparse_of

WORDS = "words"
WEIGHTS = "weights"
_MAX_PATTERN = 1000
_MAX_NGRAM = 16
_NORMS = ("none", "l1", "l2")
_PAIRS = 2
_SIMPLER = {r"(?u)\b\w\w+\b": r"\w\w+", r"(?u)\b\w+\b": r"\w+"}
"""Patterns that find the same as scikit-learn's and look at fewer places: a run that starts where it can ends where it can.
None of them finds a word with a space in it."""
Held = TypeVar("Held")


def compile_counter(vectorizer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted CountVectorizer that calls no function of its user."""
    name = type(vectorizer).__name__
    require(isinstance(vectorizer.analyzer, str), f"{name} calls a function")
    own = (vectorizer.preprocessor, vectorizer.tokenizer)
    require(own == (None, None), f"{name} calls a function")
    require(vectorizer.strip_accents in {None, "ascii", "unicode"}, f"{name} calls a function")
    require(vectorizer.input == "content", f"{name} reads files")
    kind = np.dtype(vectorizer.dtype)
    require(kind.kind in "iu" or kind == np.float64, f"{name} makes {kind}")
    terms = sorted(vectorizer.vocabulary_.items(), key=lambda item: item[1])
    require([at for _, at in terms] == list(range(len(terms))), f"{name} has a vocabulary with gaps")
    require(
        all(isinstance(term, str) for term, _ in terms), f"{name} has a vocabulary of other things than texts"
    )
    stopped = vectorizer.get_stop_words() if vectorizer.analyzer == "word" else None
    low, high = vectorizer.ngram_range
    return Node(
        WORDS,
        settings={
            "analyzer": vectorizer.analyzer,
            "pattern": vectorizer.token_pattern if vectorizer.analyzer == "word" else "",
            "lowercase": bool(vectorizer.lowercase),
            "accents": vectorizer.strip_accents or "keep",
            "fewest": int(low),
            "most": int(high),
            "binary": bool(vectorizer.binary),
        },
        texts={
            "vocabulary": tuple(term for term, _ in terms),
            "stopped": tuple(sorted(stopped or ())),
        },
    )


def compile_weights(transformer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted TfidfTransformer."""
    idf = {"idf": np.asarray(transformer.idf_, dtype=np.float64)} if hasattr(transformer, "idf_") else {}
    return Node(
        WEIGHTS,
        settings={
            "sublinear": bool(transformer.sublinear_tf),
            "norm": transformer.norm or "none",
            "width": int(transformer.n_features_in_),
        },
        arrays=idf,
    )


def compile_vectorizer(vectorizer: Any, compile_step: CompileStep) -> Node:  # noqa: ANN401
    """A fitted TfidfVectorizer, which is one of each."""
    require(np.dtype(vectorizer.dtype) == np.float64, f"TfidfVectorizer makes {np.dtype(vectorizer.dtype)}")
    weights = compile_weights(vectorizer._tfidf, compile_step)  # noqa: SLF001  not to be had otherwise
    return Node(CHAIN, children=(compile_counter(vectorizer, compile_step), weights))


def build_words(node: Node, _: BuildStep) -> Transform:
    """Kernel of a CountVectorizer."""
    pattern = node.settings.get("pattern")
    if not isinstance(pattern, str) or len(pattern) > _MAX_PATTERN:
        raise node.broken("pattern")
    try:
        compiled = re.compile(_SIMPLER.get(pattern, pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise node.broken("pattern") from error
    fewest, most = node.count("fewest", _MAX_NGRAM), node.count("most", _MAX_NGRAM)
    if compiled.groups > 1 or explodes(pattern) or not 1 <= fewest <= most:
        raise node.broken("pattern")
    terms = node.words("vocabulary")
    analyzer = node.choice("analyzer", *_ANALYZERS)
    split = _Split(
        terms_of=_ANALYZERS[analyzer],
        find=compiled.findall,
        lowercase=node.flag("lowercase"),
        accents=_ACCENTS[node.choice("accents", *_ACCENTS)],
        stopped=frozenset(node.words("stopped")),
        fewest=fewest,
        most=most,
        paired=analyzer == "word" and most == _PAIRS and pattern in _SIMPLER,
    )
    known = split.vocabulary({term: at for at, term in enumerate(terms)})
    return Words(split, known, terms, node.flag("binary"))


def build_weights(node: Node, _: BuildStep) -> Transform:
    """Kernel of a TfidfTransformer."""
    width = node.count("width", 1 << 26)
    idf = node.numbers("idf", np.float64, width) if "idf" in node.arrays else None
    return Weights(width, node.flag("sublinear"), idf, node.choice("norm", *_NORMS))


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part))


def _ascii_only(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


_ACCENTS: dict[str, Callable[[str], str] | None] = {
    "keep": None,
    "unicode": _without_accents,
    "ascii": _ascii_only,
}


class Vocabulary(NamedTuple, Generic[Held]):
    """What is held of each term."""

    terms: Mapping[str, Held]
    """Those that are looked up as they are written."""
    pairs: Mapping[tuple[str, str], Held] | None
    """Pairs of words, looked up without being written; None where they are among the terms."""


@dataclass(frozen=True)
class _Split:
    terms_of: Callable[[_Split, str], Iterable[str]]
    find: Callable[[str], list[str]]
    lowercase: bool
    accents: Callable[[str], str] | None
    stopped: frozenset[str]
    fewest: int
    most: int
    paired: bool
    """Whether the terms are words and pairs of them, and no word holds the space that stands between two."""

    def vocabulary(self, held: Mapping[str, Held]) -> Vocabulary[Held]:
        """What is held by term, as ``found`` looks it up."""
        if not self.paired:
            return Vocabulary(held, None)
        words = {term: each for term, each in held.items() if " " not in term} if self.fewest == 1 else {}
        pairs = {
            (one, other): each
            for (one, _, other), each in ((term.partition(" "), each) for term, each in held.items())
            if other
        }
        return Vocabulary(words, pairs)

    def found(self, text: object, known: Vocabulary[Held]) -> list[Held]:
        """What is held of the terms of one text, in their order. Raises ValueError for anything that is not a text."""
        if not isinstance(text, str):
            raise ValueError("np.nan is an invalid document, expected byte or unicode string.")  # noqa: TRY004
        read = text.lower() if self.lowercase else text
        if self.accents is not None:
            read = self.accents(read)
        if known.pairs is None:
            return [each for each in map(known.terms.get, self.terms_of(self, read)) if each is not None]
        words = self.find(read)
        if self.stopped:
            words = [word for word in words if word not in self.stopped]
        held = [*map(known.terms.get, words), *map(known.pairs.get, pairwise(words))]
        return [each for each in held if each is not None]


def _words(split: _Split, text: str) -> Iterable[str]:
    """Words and runs of words."""
    words = split.find(text)
    if split.stopped:
        words = [word for word in words if word not in split.stopped]
    if split.most == 1:
        return words
    found = list(words) if split.fewest == 1 else []
    for length in range(max(2, split.fewest), min(split.most, len(words)) + 1):
        found.extend([" ".join(words[at : at + length]) for at in range(len(words) - length + 1)])
    return found


def _characters(split: _Split, text: str) -> Iterable[str]:
    """Runs of characters."""
    return _runs(_GAPS.sub(" ", text), split)


def _characters_of_words(split: _Split, text: str) -> Iterable[str]:
    """Runs of characters within words, which have a space on either side."""
    found: list[str] = []
    for word in text.split():
        padded = f" {word} "
        found.extend(_runs(padded, split))
        # A word that is shorter than the runs stands for itself, once.
        if len(padded) < split.fewest:
            found.append(padded)
    return found


def _runs(text: str, split: _Split) -> list[str]:
    return [
        text[at : at + length]
        for length in range(split.fewest, min(split.most, len(text)) + 1)
        for at in range(len(text) - length + 1)
    ]


_GAPS = re.compile(r"\s\s+")
_ANALYZERS: dict[str, Callable[[_Split, str], Iterable[str]]] = {
    "word": _words,
    "char": _characters,
    "char_wb": _characters_of_words,
}


@dataclass(frozen=True)
class Words:
    """Counts the terms of texts."""

    split: _Split
    known: Vocabulary[int]
    """The column of each term."""
    vocabulary: tuple[str, ...]
    """Terms in the order of their columns."""
    binary: bool

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.vocabulary)

    def alone(self, row: object) -> Row | None:
        """See ``RowStep``."""
        if not isinstance(row, str):
            return None
        found = self._counted(row)
        count = len(found)
        columns = np.fromiter(found.keys(), np.intp, count)
        values = np.ones(count) if self.binary else np.fromiter(found.values(), np.float64, count)
        return SparseRow(columns, values, self.width)

    def _counted(self, text: object) -> dict[int, int]:
        found: dict[int, int] = {}
        for at in self.split.found(text, self.known):
            found[at] = found.get(at, 0) + 1
        return found

    def __call__(self, rows: Rows) -> Rows:
        """See ``Transform``."""
        if not isinstance(rows, np.ndarray) or rows.ndim != 1:
            raise ValueError("one column of texts is needed")
        ends, columns, counts = [0], [], []
        for text in rows.tolist():
            found = self._counted(text)
            for at in sorted(found):
                columns.append(at)
                counts.append(1 if self.binary else found[at])
            ends.append(len(columns))
        values = np.asarray(counts, dtype=np.float64)
        return SparseRows(np.asarray(ends), np.asarray(columns, dtype=np.int64), values, self.width)


@dataclass(frozen=True)
class Weights:
    """Weighs counts by how rare their terms are, and by the size of their row."""

    width: int
    sublinear: bool
    idf: np.ndarray | None
    norm: str

    def alone(self, row: Row) -> Row | None:
        """See ``RowStep``."""
        if not isinstance(row, SparseRow) or row.width != self.width:
            return None
        values = row.values
        if self.sublinear:
            values = np.log(values) + 1.0
        if self.idf is not None:
            values = values * self.idf.take(row.columns)
        if self.norm != "none":
            size = float(values.sum()) if self.norm == "l1" else math.sqrt(values.dot(values))
            values = values / (size or 1.0)
        return SparseRow(row.columns, values, row.width)

    def __call__(self, rows: Rows) -> Rows:
        """See ``Transform``."""
        if isinstance(rows, np.ndarray):
            rows = sparse_of(floats(rows))
        if not isinstance(rows, SparseRows) or rows.width != self.width:
            raise ValueError(f"counts of {self.width} terms are needed")
        values = rows.values
        if self.sublinear:
            values = np.log(values) + 1.0
        if self.idf is not None:
            values = values * self.idf[rows.columns]
        if self.norm != "none":
            values = self._normed(values, rows)
        return SparseRows(rows.starts, rows.columns, values, rows.width)

    def _normed(self, values: np.ndarray, rows: SparseRows) -> np.ndarray:
        sizes = np.abs(values) if self.norm == "l1" else values * values
        owners = rows.owners
        total = np.bincount(owners, sizes, minlength=rows.shape[0])
        if self.norm == "l2":
            total = np.sqrt(total)
        total[total == 0] = 1.0
        return np.asarray(values / total[owners])
