"""Pipelines put together at random, on tables and on plain numbers: the program of each passes its certificate."""

from collections.abc import Callable

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from modelyard_runtime.twin import certified
from tests.support.thorough import shared

ROWS = 160
SEEDS = sorted(range(60), key=lambda seed: (seed // 2 % 16, seed % 2))
"""Those of one estimator side by side, so that an even share meets nearly every one."""
ALPHABET = ["a", "b ", "Å", "", "ß", "İ", "0", "-", "ﬁ", "\u0301", "👍", " ", "\t", "東"]
Make = Callable[[np.random.Generator], object]


def _coin(made: np.random.Generator) -> bool:
    return bool(made.random() < 0.5)


def _products(made: np.random.Generator) -> PolynomialFeatures:
    return PolynomialFeatures(
        int(made.integers(1, 3)), interaction_only=_coin(made), include_bias=_coin(made)
    )


def _bins(made: np.random.Generator, *encodings: str) -> KBinsDiscretizer:
    return KBinsDiscretizer(int(made.integers(2, 6)), encode=str(made.choice(encodings)), strategy="uniform")


def _splines(made: np.random.Generator) -> SplineTransformer:
    return SplineTransformer(
        n_knots=int(made.integers(2, 6)), degree=int(made.integers(1, 4)), include_bias=_coin(made)
    )


def _quantiles(made: np.random.Generator) -> QuantileTransformer:
    return QuantileTransformer(
        n_quantiles=int(made.integers(5, 60)), output_distribution=str(made.choice(["uniform", "normal"]))
    )


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
    lambda made: make_pipeline(PowerTransformer(standardize=_coin(made)), SimpleImputer()),
    lambda made: make_pipeline(_quantiles(made), SimpleImputer(add_indicator=True)),
    lambda made: make_pipeline(SimpleImputer(), _bins(made, "onehot", "onehot-dense", "ordinal")),
    lambda made: make_pipeline(SimpleImputer(), _splines(made)),
    lambda made: make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), _products(made)),
    lambda made: MissingIndicator(features="all", error_on_new=_coin(made)),
]
CATEGORIES: list[Make] = [
    lambda made: OneHotEncoder(handle_unknown="ignore", min_frequency=int(made.integers(1, 9)), drop=None),
    lambda made: OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=int(made.integers(2, 6))),
    lambda _: OneHotEncoder(handle_unknown="ignore", drop="first"),
    lambda _: OneHotEncoder(),
    lambda made: TargetEncoder(cv=2, smooth=float(made.choice([0.5, 5.0]))),
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
    lambda made: TfidfVectorizer(
        analyzer=str(made.choice(["char", "char_wb"])), ngram_range=(1, int(made.integers(1, 5)))
    ),
]
REGRESSORS: list[Make] = [
    lambda _: Ridge(),
    lambda _: Lasso(alpha=0.01, max_iter=100_000),
    lambda _: PoissonRegressor(max_iter=3000),
    lambda made: RandomForestRegressor(n_estimators=int(made.integers(1, 12)), n_jobs=1, random_state=0),
    lambda made: GradientBoostingRegressor(n_estimators=int(made.integers(1, 12)), random_state=0),
    lambda _: HistGradientBoostingRegressor(max_iter=8, random_state=0),
    lambda _: XGBRegressor(n_estimators=5, max_depth=3, n_jobs=1),
    lambda _: LGBMRegressor(n_estimators=5, num_leaves=7, verbose=-1, n_jobs=1),
    lambda _: MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0),
    lambda made: VotingRegressor(
        [("ridge", Ridge()), ("trees", RandomForestRegressor(3, random_state=0))],
        weights=[1.0, 3.0] if _coin(made) else None,
    ),
    lambda made: StackingRegressor([("ridge", Ridge())], Ridge(), cv=2, passthrough=_coin(made)),
    lambda made: BaggingRegressor(max_features=float(made.choice([0.5, 1.0])), random_state=0),
    lambda _: BaggingRegressor(Ridge(), 3, max_features=0.7, random_state=0),
    lambda made: AdaBoostRegressor(n_estimators=int(made.integers(1, 12)), random_state=0),
    lambda _: TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
    lambda _: TransformedTargetRegressor(DecisionTreeRegressor(max_depth=3), transformer=RobustScaler()),
]
CLASSIFIERS: list[Make] = [
    lambda made: LogisticRegression(max_iter=3000, C=float(made.choice([0.1, 1.0]))),
    lambda _: RidgeClassifier(),
    lambda made: RandomForestClassifier(n_estimators=int(made.integers(1, 12)), n_jobs=1, random_state=0),
    lambda made: ExtraTreesClassifier(n_estimators=int(made.integers(1, 12)), n_jobs=1, random_state=0),
    lambda _: GradientBoostingClassifier(n_estimators=4, random_state=0),
    lambda _: HistGradientBoostingClassifier(max_iter=4, random_state=0),
    lambda _: VotingClassifier([("only", XGBClassifier(n_estimators=4, n_jobs=1))], voting="soft"),
    lambda _: LGBMClassifier(n_estimators=4, num_leaves=7, verbose=-1, n_jobs=1),
    lambda _: MLPClassifier(hidden_layer_sizes=(5,), max_iter=20, random_state=0),
    lambda _: GaussianNB(),
    lambda made: VotingClassifier(
        [("line", LogisticRegression()), ("tree", DecisionTreeClassifier(random_state=0))],
        voting=str(made.choice(["soft", "hard"])),
    ),
    lambda made: BaggingClassifier(max_features=float(made.choice([0.5, 1.0])), random_state=0),
    lambda _: BaggingClassifier(LogisticRegression(), 3, max_features=0.7, random_state=0),
    lambda made: AdaBoostClassifier(n_estimators=int(made.integers(1, 12)), random_state=0),
    lambda made: CalibratedClassifierCV(
        LogisticRegression(), method=str(made.choice(["sigmoid", "isotonic"])), cv=2
    ),
    lambda made: CalibratedClassifierCV(
        DecisionTreeClassifier(max_depth=3, random_state=0),
        method=str(made.choice(["sigmoid", "isotonic"])),
        ensemble=_coin(made),
        cv=2,
    ),
]
PLAIN: list[Make] = [
    lambda _: StandardScaler(),
    lambda made: MinMaxScaler(clip=_coin(made)),
    lambda made: PCA(n_components=1, whiten=_coin(made), random_state=0),
    lambda _: SelectKBest(f_classif, k=1),
    lambda _: VarianceThreshold(),
    lambda _: make_pipeline(RobustScaler(), PCA(random_state=0)),
    lambda _: make_pipeline(SimpleImputer(add_indicator=True), MaxAbsScaler()),
    _products,
    lambda made: _bins(made, "onehot-dense", "ordinal"),
    _splines,
    _quantiles,
    lambda made: PowerTransformer(standardize=_coin(made)),
    lambda made: Normalizer(str(made.choice(["l1", "l2", "max"]))),
    lambda made: Binarizer(threshold=float(made.choice([0.0, 0.5]))),
    lambda _: make_pipeline(StandardScaler(), FactorAnalysis(1, random_state=0)),
]


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


def _estimator(made: np.random.Generator, seed: int) -> object:
    """One in turn, so that each is met; seeds that are even classify."""
    makers = REGRESSORS if seed % 2 else CLASSIFIERS
    return makers[seed // 2 % len(makers)](made)


def _pipeline(made: np.random.Generator, estimator: object) -> Pipeline:
    branches = [
        ("number", _one(made, NUMERIC), [1, 0]),
        ("category", _one(made, CATEGORIES), [2]),
        ("code", _one(made, CATEGORIES[:-1]), [3]),
        ("text", _one(made, TEXTS), 4),
    ]
    kept = [branches[at] for at in sorted(made.permutation(4)[: made.integers(1, 5)])]
    dense = ColumnTransformer(kept, sparse_threshold=0.0)
    return make_pipeline(dense, estimator)


def _labels(made: np.random.Generator, turn: int) -> np.ndarray:
    """Two texts, three texts, whole numbers or truth values, at random; an estimator meets another kind at its next turn."""
    kinds: list[list[object]] = [["no", "yes"], ["x", "y", "z"], [3, 7, 11], [False, True]]
    chosen = kinds[(turn + turn // len(CLASSIFIERS)) % len(kinds)]
    return np.array([chosen[at] for at in made.integers(0, len(chosen), size=ROWS)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", shared(SEEDS, most=30))
def test_a_pipeline_put_together_at_random_passes_its_certificate(seed: int) -> None:
    made = np.random.default_rng(seed)
    X, classify = _table(made), seed % 2 == 0
    y = _labels(made, seed // 2) if classify else made.random(ROWS)
    model = _pipeline(made, _estimator(made, seed)).fit(X[:120], y[:120])
    program, certificate = certified(model, X[120:])
    assert certificate.used, f"{certificate} {model}"
    assert program is not None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", shared(SEEDS, most=20))
def test_a_pipeline_of_numbers_put_together_at_random_passes_its_certificate(seed: int) -> None:
    made = np.random.default_rng(1000 + seed)
    X = made.normal(size=(ROWS, 4)) * 10.0 ** made.integers(-3, 4, size=4) + made.integers(-2, 3, size=4)
    X[:, 3] = made.integers(0, 2, size=ROWS)
    classify = seed % 2 == 0
    y = _labels(made, seed // 2 + 2) if classify else np.abs(X[:, 0]) + made.random(ROWS)
    steps = [_one(made, PLAIN) for _ in range(int(made.integers(0, 3)))]
    model = make_pipeline(*steps, _estimator(made, seed))
    rows = X[120:].copy()
    model.fit(X[:120], y[:120])
    program, certificate = certified(model, rows)
    assert certificate.used, f"{certificate} {model}"
    assert program is not None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", shared(range(16), most=6))
def test_boosting_that_splits_by_category_passes_its_certificate(seed: int) -> None:
    made = np.random.default_rng(2000 + seed)
    X, classify = _table(made)[:, :4], seed % 2 == 0
    y = _labels(made, seed // 2) if classify else made.random(ROWS)
    columns = [2, 3] if _coin(made) else [2]
    kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    model = kind(categorical_features=columns, max_iter=4, min_samples_leaf=5, random_state=0)
    program, certificate = certified(make_pipeline(model).fit(X[:120], y[:120]), X[120:])
    assert certificate.used, f"{certificate} {model}"
    assert program is not None
