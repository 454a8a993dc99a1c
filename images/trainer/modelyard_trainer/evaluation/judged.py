"""Answers beside the truth, and what all metrics are worked out from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.metrics import Needs


@dataclass(frozen=True)
class Judged:
    """Answers beside the truth, one a row."""

    truth: np.ndarray
    predicted: np.ndarray
    classes: np.ndarray | None = None
    """Labels in the order of the probabilities; None for regression."""
    probabilities: np.ndarray | None = None
    """Shape (rows, classes); None where the estimator gives none."""
    decisions: np.ndarray | None = None
    """Like probabilities but only ranks; where the estimator gives no probabilities."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.truth)

    @property
    def scores(self) -> np.ndarray | None:
        """Probabilities, or else decisions."""
        return self.decisions if self.probabilities is None else self.probabilities

    def take(self, places: np.ndarray) -> Judged:
        """The answers for some rows."""
        return Judged(
            self.truth[places],
            self.predicted[places],
            self.classes,
            None if self.probabilities is None else self.probabilities[places],
            None if self.decisions is None else self.decisions[places],
        )

    @cached_property
    def labels(self) -> np.ndarray:
        """All labels of truth, predictions and model, sorted."""
        known = [] if self.classes is None else [self.classes]
        return np.unique(np.concatenate([self.truth, self.predicted, *known]))

    @cached_property
    def truth_codes(self) -> np.ndarray:
        """Place of each row's true label in ``labels``."""
        return np.searchsorted(self.labels, self.truth)

    @cached_property
    def predicted_codes(self) -> np.ndarray:
        """Place of each row's predicted label in ``labels``."""
        return np.searchsorted(self.labels, self.predicted)

    @cached_property
    def class_codes(self) -> np.ndarray:
        """Place of each row's true label in ``classes``, -1 where the model does not know it."""
        if self.classes is None:
            return np.full(self.rows, -1)
        place = {label: number for number, label in enumerate(self.classes.tolist())}
        places = np.array([place.get(label, -1) for label in self.labels.tolist()])
        return np.asarray(places[self.truth_codes])

    @cached_property
    def whole(self) -> Sample:
        """Every row once."""
        return Sample(self, np.ones((1, self.rows)))

    @cached_property
    def error(self) -> np.ndarray:
        """Prediction less truth, for regression."""
        return np.asarray(self.predicted - self.truth, dtype=np.float64)

    def score_of(self, label: object) -> np.ndarray | None:
        """The scores of a class; None where the model does not know it."""
        if self.scores is None or self.classes is None:
            return None
        places = np.flatnonzero(self.classes == label)
        return self.scores[:, places[0]] if len(places) else None

    @property
    def given(self) -> frozenset[Needs]:
        """What metrics may need and is there."""
        found = {Needs.PREDICTIONS}
        if self.scores is not None:
            found.add(Needs.SCORES)
        if self.probabilities is not None:
            found.add(Needs.PROBABILITIES)
        return frozenset(found)


@dataclass(frozen=True)
class Counts:
    """Weight of rows by class, shape (resamples, labels)."""

    right: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Sample:
    """Rows with weights: shape (resamples, rows). All ones is the part itself, counts of draws are resamples of it."""

    judged: Judged
    weights: np.ndarray

    @cached_property
    def by_row(self) -> np.ndarray:
        """The weights with a row's together, shape (rows, resamples)."""
        return np.ascontiguousarray(self.weights.T)

    @cached_property
    def total(self) -> np.ndarray:
        """Weight of all rows, one a resample."""
        return np.asarray(self.weights.sum(axis=1))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Weighted mean of a value a row, one a resample."""
        return np.asarray(self.weights @ values / self.total)

    @cached_property
    def counts(self) -> Counts:
        """How often each label is true, predicted, and both."""
        truth, predicted = self.judged.truth_codes, self.judged.predicted_codes
        right = truth == predicted
        return Counts(
            right=self._by_label(truth[right], np.flatnonzero(right)),
            truth=self._by_label(truth, np.arange(len(truth))),
            predicted=self._by_label(predicted, np.arange(len(truth))),
        )

    def _by_label(self, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        shape = (len(self.judged.labels), self.judged.rows)
        chosen = sparse.csr_array((np.ones(len(codes)), (codes, rows)), shape=shape)
        return np.asarray((chosen @ self.weights.T).T)


def gives(model: FittablePipeline) -> frozenset[Needs]:
    """What metrics may need and this estimator, fitted or not, gives."""
    found = {Needs.PREDICTIONS}
    if hasattr(model, "predict_proba"):
        found |= {Needs.SCORES, Needs.PROBABILITIES}
    elif hasattr(model, "decision_function"):
        found.add(Needs.SCORES)
    return frozenset(found)


def judge(model: FittablePipeline, X: np.ndarray, y: np.ndarray, needed: Needs | None = None) -> Judged:
    """The model's answers for rows of features, beside their truth ``y``.

    ``needed`` is the most that is worked out from them, None for all that the model gives: where labels are enough, an
    estimator is not asked for scores as well, which would take as long again.
    """
    # Once for both: what stands before an estimator often takes longer than its answers.
    inputs, estimator = X, model
    if isinstance(model, FittablePipeline):
        inputs, estimator = model[:-1].transform(X) if len(model) > 1 else X, model[-1]
    predicted = estimator.predict(inputs)
    if not hasattr(estimator, "classes_"):
        return Judged(y, np.asarray(predicted, dtype=np.float64).reshape(len(y)))
    classes = estimator.classes_
    if needed is Needs.PREDICTIONS:
        return Judged(y, predicted, classes)
    if hasattr(estimator, "predict_proba"):
        return Judged(y, predicted, classes, estimator.predict_proba(inputs))
    if hasattr(estimator, "decision_function"):
        decisions = np.asarray(estimator.decision_function(inputs))
        if decisions.ndim == 1:
            decisions = np.column_stack([-decisions, decisions])
        return Judged(y, predicted, classes, decisions=decisions)
    return Judged(y, predicted, classes)
