"""Linear models: one product, then the inverse of the link."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from modelyard_runtime.twin.node import (
    Answer,
    BuildFinal,
    CompileStep,
    Final,
    Node,
    NotCompiledError,
    require,
)
from modelyard_runtime.twin.rows import Row, Rows, is_finite, row_times, times

LINEAR_VALUE = "linearValue"
LINEAR_CLASS = "linearClass"
_MAX_WIDTH = 1 << 26
_MOST_EXPONENT = 709.0
"""The exponential of more is infinite."""
_FIRST_TWO = np.arange(2)
_FEW = 16
_FIRST_FEW = np.arange(_FEW)


def compile_regressor(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted linear regressor, that is one with ``coef_`` and ``intercept_`` and the identity for a link."""
    return _value(model, "identity")


def compile_generalised(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted PoissonRegressor, GammaRegressor or TweedieRegressor."""
    link = type(model._base_loss.link).__name__  # noqa: SLF001  where the fitted model keeps what "auto" became
    known = {"IdentityLink": "identity", "LogLink": "log"}
    if link not in known:
        raise NotCompiledError(f"{type(model).__name__} has {link}")
    return _value(model, known[link])


def compile_classifier(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted linear classifier whose probabilities, if it has any, follow from its scores alone."""
    coefficients = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    classes = len(model.classes_)
    outputs = 1 if classes == 2 else classes  # noqa: PLR2004  two classes share one score
    require(coefficients.ndim == 2 and coefficients.shape[0] == outputs, "the labels are many for each row")  # noqa: PLR2004
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64), (outputs,))
    return Node(
        LINEAR_CLASS,
        settings={"probabilities": _probabilities(model, classes)},
        arrays={"weights": np.ascontiguousarray(coefficients.T), "intercept": intercept},
    )


def linear_classes(weights: np.ndarray, intercept: np.ndarray) -> Node:
    """The node of scores of two or more classes, weights of shape (columns, classes), whose shares are a softmax."""
    arrays = {"weights": np.ascontiguousarray(weights, dtype=np.float64), "intercept": intercept}
    return Node(LINEAR_CLASS, settings={"probabilities": "softmax"}, arrays=arrays)


def build_regressor(node: Node, _: BuildFinal) -> Final:
    """Kernel of a linear regressor."""
    weights = node.numbers("weights", np.float64, None)
    intercept = node.numbers("intercept", np.float64, 1)
    return _Value(weights, float(intercept[0]), node.choice("link", "identity", "log") == "log")


def build_classifier(node: Node, _: BuildFinal) -> Final:
    """Kernel of a linear classifier."""
    weights = node.numbers("weights", np.float64, None, None)
    intercept = node.numbers("intercept", np.float64, weights.shape[1])
    kind = node.choice("probabilities", "none", "logistic", "softmax")
    if weights.shape[1] == 0:
        raise node.broken("weights")
    if weights.shape[1] == 1:
        return _TwoClasses(weights[:, 0], float(intercept[0]), kind != "none")
    return _Classes(weights, intercept, kind)


def logistic(scores: np.ndarray) -> np.ndarray:
    """The logistic function, also far from zero."""
    return np.asarray(1.0 / (1.0 + np.exp(-scores)))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Shares of the exponentials in each row."""
    shares: np.ndarray = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


class Lines(NamedTuple):
    """The scores of a classifier, which are sums, and what it says to them."""

    weights: np.ndarray
    """Shape (width, outputs)."""
    intercept: tuple[float, ...]
    tell: Callable[[list[float], bool], Answer]
    """The answer to a row whose scores are finite; the second argument is ``probabilities``."""


def lines_of(final: Final) -> Lines | None:
    """The scores of a linear classifier whose answers take no NumPy; None for anything else."""
    if isinstance(final, _TwoClasses):
        return Lines(final.weights[:, np.newaxis], (final.intercept,), final.tell)
    if isinstance(final, _Classes) and final.kind == "softmax" and final.classes <= _FEW:
        return Lines(final.weights, tuple(final.intercept.tolist()), _of_few)
    return None


def two_columns(second: np.ndarray) -> np.ndarray:
    """Probabilities of both classes, from those of the second."""
    out = np.empty((len(second), 2), dtype=second.dtype)
    out[:, 1] = second
    np.subtract(1.0, second, out=out[:, 0])
    return out


def _value(model: Any, link: str) -> Node:  # noqa: ANN401
    coefficients = np.asarray(model.coef_, dtype=np.float64)
    intercept = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    require(coefficients.ndim == 1 and intercept.shape == (1,), f"{type(model).__name__} has several targets")
    return Node(
        LINEAR_VALUE, settings={"link": link}, arrays={"weights": coefficients, "intercept": intercept}
    )


def _probabilities(model: Any, classes: int) -> str:  # noqa: ANN401
    if not hasattr(model, "predict_proba"):
        return "none"
    name = type(model).__name__
    if name in {"LinearDiscriminantAnalysis", "LogisticRegression", "LogisticRegressionCV"}:
        return "logistic" if classes <= 2 else "softmax"  # noqa: PLR2004
    if name == "SGDClassifier" and model.loss == "log_loss":
        return "logistic"
    raise NotCompiledError(f"the probabilities of {name} are not those of a logistic function")


@dataclass(frozen=True)
class _Value:
    weights: np.ndarray
    intercept: float
    exponential: bool

    gives_probabilities = False
    classes = None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        _check_width(rows, self.weights)
        raw = times(rows, self.weights) + self.intercept
        return Answer(np.exp(raw) if self.exponential else raw)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        del probabilities
        raw = row_times(row, self.weights)
        if raw is None or not math.isfinite(raw):
            return None
        raw = raw + self.intercept
        return Answer(np.array([np.exp(raw) if self.exponential else raw]))


@dataclass(frozen=True)
class _TwoClasses:
    weights: np.ndarray
    intercept: float
    gives_probabilities: bool

    classes = 2

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        scores = self.scores(rows)[:, 0]
        labels = (scores > 0).astype(np.int64)
        asked = probabilities and self.gives_probabilities
        return Answer(labels, two_columns(logistic(scores)) if asked else None)

    def scores(self, rows: Rows) -> np.ndarray:
        """What the decision function of scikit-learn says, shape (rows, 1)."""
        _check_width(rows, self.weights)
        return np.asarray(times(rows, self.weights) + self.intercept)[:, np.newaxis]

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        product = row_times(row, self.weights)
        if product is None or not math.isfinite(product):
            return None
        return self.tell([float(product) + self.intercept], probabilities)

    def tell(self, scores: list[float], probabilities: bool) -> Answer:  # noqa: FBT001  see ``Lines``
        """The answer to a row with this score."""
        score = scores[0]
        label = _FIRST_TWO[1:] if score > 0 else _FIRST_TWO[:1]
        if not (probabilities and self.gives_probabilities):
            return Answer(label)
        second = 1.0 / (1.0 + math.exp(min(-score, _MOST_EXPONENT)))
        return Answer(label, np.array([[1.0 - second, second]]))


@dataclass(frozen=True)
class _Classes:
    weights: np.ndarray
    intercept: np.ndarray
    kind: str

    @property
    def classes(self) -> int:
        return len(self.intercept)

    @property
    def gives_probabilities(self) -> bool:
        return self.kind != "none"

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        scores = self.scores(rows)
        asked = probabilities and self.gives_probabilities
        return Answer(scores.argmax(axis=1), _SHARES[self.kind](scores) if asked else None)

    def scores(self, rows: Rows) -> np.ndarray:
        """What the decision function of scikit-learn says, shape (rows, classes)."""
        _check_width(rows, self.weights)
        return np.asarray(times(rows, self.weights) + self.intercept)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        product = row_times(row, self.weights)
        if product is None or not is_finite(product):
            return None
        scores = product + self.intercept
        if self.kind == "softmax" and len(scores) <= _FEW:
            return _of_few(scores.tolist(), probabilities)
        label = scores.argmax(axis=0, keepdims=True)
        if not (probabilities and self.gives_probabilities):
            return Answer(label)
        if self.kind != "softmax":
            return Answer(label, _SHARES[self.kind](scores[np.newaxis]))
        shares = np.exp(scores - scores[label])
        shares /= shares.sum()
        return Answer(label, shares[np.newaxis])


def _of_few(scores: list[float], probabilities: bool) -> Answer:  # noqa: FBT001  see ``Lines``
    """The likeliest of a few classes and, as a softmax, all their shares: Python is done before NumPy has begun."""
    most = max(scores)
    likeliest = scores.index(most)
    label = _FIRST_FEW[likeliest : likeliest + 1]
    if not probabilities:
        return Answer(label)
    shares = [math.exp(score - most) for score in scores]
    total = sum(shares)
    return Answer(label, np.array([[share / total for share in shares]]))


def _one_against_all(scores: np.ndarray) -> np.ndarray:
    shares = logistic(scores)
    total = shares.sum(axis=1)
    nowhere = total == 0
    shares[nowhere] = 1.0
    total[nowhere] = shares.shape[1]
    shares /= total[:, np.newaxis]
    return shares


_SHARES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"logistic": _one_against_all, "softmax": softmax}


def _check_width(rows: Rows, weights: np.ndarray) -> None:
    if len(rows.shape) != 2 or rows.shape[1] != len(weights):  # noqa: PLR2004  rows and columns
        raise ValueError(f"X has not the {len(weights)} columns that the model was fitted with.")
