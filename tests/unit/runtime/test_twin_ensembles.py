"""Programs of votes, stacks and naive Bayes answer as scikit-learn does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from modelyard_runtime.twin import NotCompiledError, compile_model
from tests.support.twins import assert_agrees

GENERATOR = np.random.default_rng(5)
X = GENERATOR.normal(size=(150, 4)).round(2)
Y = X[:, 0] * X[:, 1] + X[:, 2]
LABELS = np.array(["a", "b", "c"])[np.digitize(Y, [-0.5, 0.5])]
REGRESSORS = [
    ("line", LinearRegression()),
    ("trees", RandomForestRegressor(5, random_state=0)),
    ("ridge", Ridge()),
]
CLASSIFIERS = [
    ("line", LogisticRegression()),
    ("trees", RandomForestClassifier(5, random_state=0)),
    ("normal", GaussianNB()),
]


def odd() -> np.ndarray:
    """Rows of which some are to be refused."""
    rows = X[:20].copy()
    for at, value in enumerate((np.nan, np.inf, 1e300, 1e39, -0.0)):
        rows[at, at % 4] = value
    return rows


@pytest.mark.parametrize("weights", [None, [1, 2, 0.5]])
def test_a_vote_of_values_agrees(weights: list[float] | None) -> None:
    assert_agrees(
        make_pipeline(StandardScaler(), VotingRegressor(REGRESSORS, weights=weights)).fit(X, Y), odd()
    )


@pytest.mark.parametrize("weights", [None, [1, 2, 0.5]])
@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_a_vote_of_labels_agrees(voting: str, weights: list[float] | None) -> None:
    model = VotingClassifier(CLASSIFIERS, voting=voting, weights=weights)
    assert_agrees(make_pipeline(StandardScaler(), model).fit(X, LABELS), odd())


def test_a_vote_without_the_estimators_that_were_dropped_agrees() -> None:
    model = VotingRegressor(REGRESSORS, weights=[1, 2, 3]).set_params(trees="drop")
    assert_agrees(make_pipeline(model).fit(X, Y), odd())


@pytest.mark.parametrize("passthrough", [False, True])
def test_a_stack_agrees(passthrough: bool) -> None:  # noqa: FBT001
    values = StackingRegressor(REGRESSORS, Ridge(), cv=3, passthrough=passthrough)
    assert_agrees(make_pipeline(StandardScaler(), values).fit(X, Y), odd())
    for labels in (LABELS, Y > 0):
        model = StackingClassifier(CLASSIFIERS, LogisticRegression(), cv=3, passthrough=passthrough)
        assert_agrees(make_pipeline(StandardScaler(), model).fit(X, labels), odd())


@pytest.mark.parametrize("model", [GaussianNB(), MultinomialNB(), ComplementNB(), ComplementNB(norm=True)])
def test_naive_bayes_agrees(model: Any) -> None:  # noqa: ANN401
    for labels in (LABELS, Y > 0):
        assert_agrees(make_pipeline(MinMaxScaler(), model).fit(X, labels), odd())


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (VotingClassifier([("near", KNeighborsClassifier())]), "KNeighborsClassifier has no compiled form"),
        (StackingClassifier([("line", RidgeClassifier())], cv=2), "StackingClassifier stacks scores"),
    ],
)
def test_an_ensemble_with_an_estimator_that_has_no_compiled_form_has_none(model: Any, reason: str) -> None:  # noqa: ANN401
    with pytest.raises(NotCompiledError, match=reason):
        compile_model(model.fit(X, LABELS))
