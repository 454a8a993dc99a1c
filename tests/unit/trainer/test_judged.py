"""Answers for rows: what an estimator is asked, and how often what stands before it works."""

from collections import Counter
from typing import Any, Self

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard_api.metrics import Needs
from modelyard_trainer.evaluation.judged import judge

RNG = np.random.default_rng(8)
X = RNG.normal(size=(60, 3))
Y = np.array(["ant", "bee", "cat"])[RNG.integers(0, 3, 60)]


class Counting(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Counts how often it is asked to transform; leaves rows as they are."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        del X, y
        self.asked_ = Counter[str]()
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        self.asked_["transform"] += 1
        return X


class Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Counts what it is asked for; answers with the first class."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        del X
        self.asked_ = Counter[str]()
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        self.asked_["predict"] += 1
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        self.asked_["predict_proba"] += 1
        return np.tile([1.0, 0.0, 0.0], (len(X), 1))


def counted() -> Pipeline:
    model = make_pipeline(Counting(), Told()).fit(X, Y)
    for step in model:
        step.asked_.clear()
    return model


def test_where_labels_are_enough_no_scores_are_asked_for() -> None:
    model = counted()
    judged = judge(model, X, Y, Needs.PREDICTIONS)
    assert model[-1].asked_ == {"predict": 1}
    assert judged.scores is None
    assert judged.classes is not None
    assert judged.classes.tolist() == ["ant", "bee", "cat"]


@pytest.mark.parametrize("needed", [None, Needs.SCORES, Needs.PROBABILITIES])
def test_rows_are_prepared_once_for_labels_and_scores(needed: Needs | None) -> None:
    model = counted()
    judged = judge(model, X, Y, needed)
    assert model[-1].asked_ == {"predict": 1, "predict_proba": 1}
    assert model[0].asked_ == {"transform": 1}
    assert judged.probabilities is not None


@pytest.mark.parametrize("estimator", [LogisticRegression(), RidgeClassifier()], ids=["scores", "decisions"])
@pytest.mark.parametrize("before", [(), (StandardScaler(),)], ids=["bare", "prepared"])
def test_answers_are_those_of_the_whole_pipeline(estimator: Any, before: tuple[Any, ...]) -> None:  # noqa: ANN401
    model = make_pipeline(*before, estimator).fit(X, Y)
    judged = judge(model, X, Y)
    assert judged.predicted.tolist() == model.predict(X).tolist()
    wanted = model.predict_proba(X) if hasattr(model, "predict_proba") else model.decision_function(X)
    assert judged.scores is not None
    assert judged.scores.tolist() == wanted.tolist()
