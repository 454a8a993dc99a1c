"""Unrolled pipelines give what scikit-learn's containers give, to the last bit."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard_server.models.scikit import SklearnPredictor
from modelyard_server.models.unrolled import unrolled

WORDS = ["red shoe", "blue hat", "smart phone", "phone case", "winter hat", "running shoe"]
ROWS = np.empty((60, 4), dtype=object)
ROWS[:, 0] = [WORDS[n % 6] + f" {n}" for n in range(60)]
ROWS[:, 1] = [np.nan if n % 7 == 0 else n / 3 for n in range(60)]
ROWS[:, 2] = [float(n * n) for n in range(60)]
ROWS[:, 3] = [WORDS[n % 3] for n in range(60)]
NUMERIC = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
BRANCHES: dict[str, list[tuple[str, Any, Any]]] = {
    "text and numbers": [("t", Pipeline([("tfidf", TfidfVectorizer())]), 0), ("n", NUMERIC, [1, 2])],
    "text alone": [("t", TfidfVectorizer(), 0)],
    "numbers alone": [("n", NUMERIC, [2, 1])],
    "a category as a table": [("c", OneHotEncoder(sparse_output=False), [3]), ("n", NUMERIC, [1, 2])],
    "two sparse branches": [("t", TfidfVectorizer(), 0), ("c", OneHotEncoder(), [3])],
    "a branch that is dropped": [("t", TfidfVectorizer(), 0), ("d", "drop", [1, 2, 3])],
    "columns as a slice": [("n", NUMERIC, slice(1, 3))],
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_side_by_side_are_those_of_the_column_transformer(name: str) -> None:
    whole = ColumnTransformer(BRANCHES[name]).fit(ROWS)
    transform = unrolled(whole)
    for rows in (ROWS, ROWS[:1], ROWS[5:7]):
        expected, found = whole.transform(rows), transform(rows)
        assert sparse.issparse(found) == sparse.issparse(expected)
        if sparse.issparse(expected):
            assert found.format == expected.format
            expected, found = expected.toarray(), found.toarray()
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


def test_a_model_whose_steps_do_not_add_up_is_asked_as_a_whole() -> None:
    model = Pipeline([("scale", StandardScaler()), ("estimator", LogisticRegression())])
    rows = np.arange(20.0).reshape(10, 2)
    model.fit(rows, ["a", "b"] * 5)
    predictor = SklearnPredictor(model)
    assert predictor.agrees(rows)
    predictor._transform = lambda values: values
    assert not predictor.agrees(rows)
    predictor.as_a_whole()
    assert predictor.agrees(rows)
    assert predictor.gives_probabilities
