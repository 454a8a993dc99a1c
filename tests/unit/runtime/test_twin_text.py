"""Compiled word counts and TF-IDF answer as scikit-learn does."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from modelyard_runtime.twin import NotCompiledError, TwinFormatError, compile_model
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.registry import build_step
from tests.support.twins import assert_agrees

WORDS = [
    "apple",
    "APPLE",
    "äpfel",
    "Äpfel",
    "tree",
    "the",
    "and",
    "İstanbul",
    "ﬁne",
    "①②",
    "x",
    "y",
    "z",
    "3.14",
    "2.718",
    "re-use",
    "don't",
    "東京",
    "москва",
    "naïve",
    "coöperate",
    "straße",
    "STRASSE",
    "éclair",
    "éclair",
    "👍",
    "a1",
    "b2",
    "_under",
    "score",
]
ODD = [
    "",
    " ",
    "\n\t",
    "the and",
    "unseen",
    "apple apple apple",
    "!!!",
    "\x00",
    "ﬁ",
    "A" * 5000,
    "İİ",
    "apple" + "\u200b" + "tree",
]


def texts(count: int = 200) -> np.ndarray:
    made = np.random.default_rng(3)
    X = np.empty((count, 2), dtype=np.object_)
    X[:, 0] = [" ".join(made.choice(WORDS, size=made.integers(1, 9))) for _ in range(count)]
    X[:, 1] = made.normal(size=count).tolist()
    return X


def odd(X: np.ndarray) -> np.ndarray:
    rows = [*X[:30]]
    for text in (*ODD, float("nan"), 3.0):
        row = X[0].copy()
        row[0] = text
        rows.append(row)
    return np.stack(rows)


@pytest.mark.parametrize(
    "vectorizer",
    [
        TfidfVectorizer(),
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(ngram_range=(1, 2)),
        TfidfVectorizer(ngram_range=(1, 2), stop_words=["apple"], norm="l1", token_pattern=r"(?u)\b\w+\b"),
        TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+|\s+"),
        CountVectorizer(ngram_range=(2, 2)),
        CountVectorizer(
            ngram_range=(1, 2), vocabulary=["the and", "the  and", "the and apple", "the ", "a1"]
        ),
        TfidfVectorizer(ngram_range=(2, 3), norm="l1"),
        TfidfVectorizer(use_idf=False, norm=None),
        CountVectorizer(
            ngram_range=(3, 4), vocabulary=["apple tree", "x", "apple apple apple"], lowercase=False
        ),
        TfidfVectorizer(smooth_idf=False, binary=True, max_features=12),
        TfidfVectorizer(strip_accents="unicode", stop_words="english"),
        TfidfVectorizer(strip_accents="ascii", stop_words=["apple"], lowercase=False),
        TfidfVectorizer(token_pattern=r"(?u)\b(\w)\w*\b", min_df=2),
        TfidfVectorizer(token_pattern=r"\S+", max_df=0.5),
        TfidfVectorizer(vocabulary=["tree", "apple", "éclair"]),
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3)),
        TfidfVectorizer(analyzer="char", ngram_range=(4, 9), strip_accents="unicode"),
        CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(6, 7), lowercase=False, max_features=30),
        CountVectorizer(),
        CountVectorizer(binary=True, ngram_range=(1, 3)),
        make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True)),
        make_pipeline(TfidfVectorizer(), MaxAbsScaler()),
    ],
    ids=lambda each: str(each).replace("\n", " "),
)
def test_words_of_one_column_agree(vectorizer: object) -> None:
    X = texts()
    model = make_pipeline(ColumnTransformer([("text", vectorizer, 0)]), LogisticRegression())
    assert_agrees(model.fit(X, np.array(["a", "b", "c"])[np.arange(len(X)) % 3]), odd(X))
    assert_agrees(model.fit(X, np.arange(len(X)) % 2 == 0), odd(X))


@pytest.mark.parametrize(
    "last", [Ridge(), LogisticRegression(), DecisionTreeClassifier(random_state=0)], ids=str
)
def test_words_beside_numbers_agree(last: object) -> None:
    X = texts()
    columns = ColumnTransformer(
        [
            ("text", TfidfVectorizer(), 0),
            ("number", make_pipeline(SimpleImputer(), StandardScaler()), [1]),
            ("again", CountVectorizer(ngram_range=(2, 2)), 0),
        ]
    )
    rows = odd(X)
    rows[2, 1] = float("nan")
    assert_agrees(make_pipeline(columns, last).fit(X, np.arange(len(X)) % 3), rows)


@pytest.mark.parametrize(
    ("vectorizer", "reason"),
    [
        (TfidfVectorizer(analyzer=str.split), "calls a function"),
        (TfidfVectorizer(tokenizer=str.split, token_pattern=None), "calls a function"),
        (TfidfVectorizer(dtype=np.float32), "makes float32"),
    ],
)
def test_a_vectorizer_that_calls_or_rounds_is_not_compiled(vectorizer: object, reason: str) -> None:
    X = texts()
    model = make_pipeline(ColumnTransformer([("text", vectorizer, 0)]), LogisticRegression())
    with pytest.raises(NotCompiledError, match=reason):
        compile_model(model.fit(X, np.arange(len(X)) % 2))


@pytest.mark.parametrize(
    "settings",
    [
        {"pattern": "("},
        {"pattern": "(a)(b)"},
        {"pattern": "a" * 2000},
        {"fewest": 0},
        {"fewest": 3},
        {"most": 1000},
    ],
    ids=str,
)
def test_a_file_with_a_pattern_or_run_that_no_vectorizer_has_is_refused(
    settings: dict[str, str | int],
) -> None:
    sound = {
        "analyzer": "word",
        "pattern": r"\w+",
        "lowercase": True,
        "accents": "keep",
        "fewest": 1,
        "most": 2,
        "binary": False,
    }
    texts_of = {"vocabulary": ("a",), "stopped": ()}
    build_step(Node("words", settings=sound, texts=texts_of))
    with pytest.raises(TwinFormatError):
        build_step(Node("words", settings={**sound, **settings}, texts=texts_of))
