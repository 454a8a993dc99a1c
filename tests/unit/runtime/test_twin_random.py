"""Pipelines put together at random: where one compiles, its program passes its certificate."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from modelyard_runtime.twin import certified

ROWS = 160
ALPHABET = ["a", "b ", "Å", "", "ß", "İ", "0", "-", "ﬁ", "\u0301", "👍", " ", "\t", "東"]
Make = Callable[[np.random.Generator], object]

NUMERIC: list[Make] = [
    lambda made: SimpleImputer(
        strategy=made.choice(["mean", "median", "most_frequent"]), add_indicator=_coin(made)
    ),
    lambda made: make_pipeline(SimpleImputer(), StandardScaler(with_mean=_coin(made))),
    lambda made: make_pipeline(
        MinMaxScaler(clip=_coin(made)), SimpleImputer(strategy="constant", fill_value=0.5)
    ),
    lambda made: make_pipeline(
        RobustScaler(with_centering=_coin(made)), SimpleImputer(keep_empty_features=_coin(made))
    ),
    lambda _: make_pipeline(MaxAbsScaler(), SimpleImputer()),
]
CATEGORIES: list[Make] = [
    lambda made: OneHotEncoder(handle_unknown="ignore", min_frequency=int(made.integers(1, 9)), drop=None),
    lambda made: OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=int(made.integers(2, 6))),
    lambda _: OneHotEncoder(handle_unknown="ignore", drop="first"),
    lambda _: OneHotEncoder(),
    lambda made: OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=int(made.integers(-9, -2))
    ),
    lambda _: make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore")
    ),
]
TEXTS: list[Make] = [
    lambda made: TfidfVectorizer(
        ngram_range=(1, int(made.integers(1, 4))),
        sublinear_tf=_coin(made),
        norm=made.choice(["l1", "l2"]),
        lowercase=_coin(made),
        token_pattern=r"\w+",
    ),
    lambda made: CountVectorizer(
        strip_accents=str(made.choice(["ascii", "unicode"])), token_pattern=r"(?u)\S+"
    ),
]
REGRESSORS: list[Make] = [
    lambda _: Ridge(),
    lambda _: Lasso(alpha=0.01, max_iter=100_000),
    lambda _: PoissonRegressor(max_iter=3000),
    lambda made: RandomForestRegressor(n_estimators=int(made.integers(1, 12)), n_jobs=1, random_state=0),
    lambda made: GradientBoostingRegressor(n_estimators=int(made.integers(1, 12)), random_state=0),
    lambda _: HistGradientBoostingRegressor(max_iter=8, random_state=0),
]
CLASSIFIERS: list[Make] = [
    lambda made: LogisticRegression(max_iter=3000, C=float(made.choice([0.1, 1.0]))),
    lambda _: RidgeClassifier(),
    lambda made: RandomForestClassifier(n_estimators=int(made.integers(1, 12)), n_jobs=1, random_state=0),
    lambda made: ExtraTreesClassifier(n_estimators=int(made.integers(1, 12)), n_jobs=1, random_state=0),
    lambda _: GradientBoostingClassifier(n_estimators=4, random_state=0),
    lambda _: HistGradientBoostingClassifier(max_iter=4, random_state=0),
]


def _coin(made: np.random.Generator) -> bool:
    return bool(made.random() < 0.5)


def _one(made: np.random.Generator, makers: list[Make]) -> object:
    return makers[int(made.integers(len(makers)))](made)


def _table(made: np.random.Generator) -> np.ndarray:
    """Two columns of numbers, two of categories, one of texts; a tenth is missing, but for the texts."""
    X = np.empty((ROWS, 5), dtype=np.object_)
    X[:, 0] = (made.normal(size=ROWS) * 10.0 ** made.integers(-6, 7)).tolist()
    X[:, 1] = np.round(made.normal(size=ROWS)).tolist()
    X[:, 2] = [ALPHABET[at] for at in made.integers(0, 5, size=ROWS)]
    X[:, 3] = made.integers(0, 4, size=ROWS).astype(float).tolist()
    X[:, 4] = ["".join(made.choice(ALPHABET, size=made.integers(0, 12))) + " word" for _ in range(ROWS)]
    for at in range(4):
        X[made.random(ROWS) < 0.1, at] = float("nan")
    return X


def _pipeline(made: np.random.Generator, *, classify: bool) -> Pipeline:
    branches = [
        ("number", _one(made, NUMERIC), [1, 0]),
        ("category", _one(made, CATEGORIES), [2]),
        ("code", _one(made, CATEGORIES[:-1]), [3]),
        ("text", _one(made, TEXTS), 4),
    ]
    kept = [branches[at] for at in sorted(made.permutation(4)[: made.integers(1, 5)])]
    dense = ColumnTransformer(kept, sparse_threshold=0.0)
    return make_pipeline(dense, _one(made, CLASSIFIERS if classify else REGRESSORS))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(40))
def test_a_pipeline_put_together_at_random_passes_its_certificate(seed: int) -> None:
    made = np.random.default_rng(seed)
    X, classify = _table(made), seed % 2 == 0
    labels = np.array([["no", "yes"], ["x", "y", "z"]][seed % 4 // 2], dtype=np.object_)
    y = labels[made.integers(0, len(labels), size=ROWS)].astype(str) if classify else made.random(ROWS)
    model = _pipeline(made, classify=classify).fit(X[:120], y[:120])
    program, certificate = certified(model, X[120:])
    assert certificate.used, f"{certificate} {model}"
    assert program is not None
