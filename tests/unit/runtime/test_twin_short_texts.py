"""A short text is answered in plain Python, as by the way for many rows."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from modelyard_runtime.twin import Program
from tests.support.twins import stored

TITLES = [
    "red shoe",
    "red shoe red",
    "blue hat for a blue shoe",
    "hat",
    "smart phone case",
    "phone phone phone",
    "nothing that it knows",
    "",
]
LONG = " ".join(["red shoe"] * 40)


def rows(texts: list[str]) -> np.ndarray:
    return np.array([texts], dtype=np.object_).T


def program(vectorizer: object, last: object, kinds: int = 3) -> Program:
    X = rows(TITLES * 4)
    columns = ColumnTransformer([("title", vectorizer, 0)])
    labels = np.array(["hats", "phones", "shoes"])[np.arange(len(X)) % kinds]
    return stored(make_pipeline(columns, last).fit(X, labels))


@pytest.mark.parametrize(
    "vectorizer",
    [
        TfidfVectorizer(),
        TfidfVectorizer(ngram_range=(1, 2)),
        TfidfVectorizer(norm="l1"),
        TfidfVectorizer(norm=None),
        TfidfVectorizer(use_idf=False),
        CountVectorizer(ngram_range=(1, 3)),
    ],
    ids=lambda each: str(each).replace("\n", " "),
)
@pytest.mark.parametrize(
    ("last", "kinds"),
    [(LogisticRegression(), 2), (LogisticRegression(), 3), (RidgeClassifier(), 2), (MultinomialNB(), 3)],
)
def test_a_title_by_itself_is_answered_as_among_others(vectorizer: object, last: object, kinds: int) -> None:
    built = program(vectorizer, last, kinds)
    together = built.predict(rows(TITLES), probabilities=True)
    for place, title in enumerate(TITLES):
        assert built.brief is not None
        alone = built.brief(rows([title])[0], probabilities=True)
        assert alone is not None
        assert alone.values.tolist() == [together.values[place]]
        assert (alone.probabilities is None) == (together.probabilities is None)
        if alone.probabilities is not None and together.probabilities is not None:
            np.testing.assert_allclose(alone.probabilities[0], together.probabilities[place], rtol=1e-12)


def test_probabilities_are_left_out_where_nobody_asks_for_them() -> None:
    built = program(TfidfVectorizer(), LogisticRegression())
    assert built.predict(rows(["red shoe"]), probabilities=False).probabilities is None


def test_a_long_text_and_what_is_no_text_go_the_way_of_many_rows() -> None:
    built = program(TfidfVectorizer(), LogisticRegression())
    assert built.brief is not None
    assert built.brief(rows([LONG])[0], probabilities=True) is None
    assert built.brief(np.array([3.5], dtype=np.object_), probabilities=True) is None
    assert built.predict(rows([LONG]), probabilities=True).values.tolist() == [
        built.predict(rows([LONG, LONG]), probabilities=True).values[0]
    ]


@pytest.mark.parametrize(
    "vectorizer", [TfidfVectorizer(sublinear_tf=True), CountVectorizer(binary=True)], ids=str
)
def test_what_is_no_plain_sum_has_no_short_way(vectorizer: object) -> None:
    assert program(vectorizer, LogisticRegression()).brief is None


def test_weights_that_would_take_much_memory_have_no_short_way() -> None:
    words = [f"word{number}" for number in range(90_000)]
    built = program(CountVectorizer(vocabulary=[*words, "red", "shoe", "hat"]), LogisticRegression())
    assert built.brief is None
    assert built.predict(rows(["red shoe"])).values.shape == (1,)
