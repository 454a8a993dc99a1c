"""Compiled imputers, scalers, encoders and linear models answer as scikit-learn does."""

import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC, LinearSVR

from modelyard_runtime.twin import NotCompiledError, compile_model
from tests.support.twins import assert_agrees

ROWS = 240
CITIES = ["Oslo", "Łódź", "", "São Paulo", "東京", "rare"]


def numbers(*, missing: bool = True) -> np.ndarray:
    made = np.random.default_rng(5)
    X: np.ndarray = made.normal(size=(ROWS, 5)) * np.array([1.0, 1e6, 1e-6, 3.0, 50.0])
    X[:, 3] = np.round(X[:, 3])
    if missing:
        X[made.random(X.shape) < 0.1] = np.nan
    return X


def odd(X: np.ndarray) -> np.ndarray:
    """Some rows as they are, and copies of the first with one value, then all values, out of the ordinary."""
    rows = [*X[:20]]
    for value in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e-300, 3.4e38, 2.0**53 + 1):
        for at in range(X.shape[1]):
            row = X[0].copy()
            row[at] = value
            rows.append(row)
        rows.append(np.full(X.shape[1], value))
    return np.stack(rows)


def mixed() -> np.ndarray:
    made = np.random.default_rng(6)
    X = np.empty((ROWS, 4), dtype=np.object_)
    X[:, 0] = made.normal(size=ROWS).tolist()
    X[:, 1] = [CITIES[at] for at in made.choice(6, size=ROWS, p=[0.3, 0.3, 0.2, 0.1, 0.08, 0.02])]
    X[:, 2] = made.integers(0, 4, size=ROWS).astype(float).tolist()
    X[:, 3] = [CITIES[at] for at in made.integers(0, 4, size=ROWS)]
    for at in range(4):
        X[made.random(ROWS) < 0.1, at] = float("nan")
    return X


def odd_mixed(X: np.ndarray) -> np.ndarray:
    rows = [*X[:40]]
    for at, values in enumerate([(float("nan"), 1e300), ("unseen", "oslo", ""), (7.0, -0.0), ("", "東京")]):
        for value in values:
            row = X[1].copy()
            row[at] = value
            rows.append(row)
    lost = np.empty(4, dtype=np.object_)
    lost[:] = float("nan")
    return np.stack([*rows, lost])


def target(X: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=len(X))
    return np.asarray(np.nan_to_num(X[:, 0]) * 2 + np.nan_to_num(X[:, 3]) + noise)


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler(),
        MinMaxScaler(feature_range=(-2, 3), clip=True),
        MaxAbsScaler(),
        RobustScaler(),
        RobustScaler(with_centering=False),
        "passthrough",
        FunctionTransformer(),
        SimpleImputer(strategy="median"),
        SimpleImputer(strategy="most_frequent"),
        SimpleImputer(strategy="constant", fill_value=-9.5),
        SimpleImputer(add_indicator=True),
    ],
    ids=str,
)
def test_a_scaler_or_imputer_agrees(scaler: object) -> None:
    X = numbers()
    model = Pipeline([("first", scaler), ("fill", SimpleImputer()), ("last", Ridge())]).fit(X, target(X))
    assert_agrees(model, odd(X))


def test_a_scaler_without_an_imputer_refuses_missing_values_as_the_model_does() -> None:
    X = numbers(missing=False)
    assert_agrees(make_pipeline(StandardScaler(), LinearRegression()).fit(X, target(X)), odd(X))


def test_an_imputer_drops_or_keeps_a_column_that_was_always_empty() -> None:
    X = numbers()
    X[:, 2] = np.nan
    for keep in (False, True):
        imputer = SimpleImputer(keep_empty_features=keep)
        with nullcontext() if keep else pytest.warns(UserWarning, match="Skipping features"):
            model = make_pipeline(imputer, Ridge()).fit(X, target(X))
        assert_agrees(model, odd(X))


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        LinearRegression(fit_intercept=False),
        Ridge(),
        Lasso(alpha=0.01),
        ElasticNet(alpha=0.01),
        BayesianRidge(),
        HuberRegressor(max_iter=2000),
        SGDRegressor(random_state=0),
        LinearSVR(random_state=0, max_iter=100_000),
        PoissonRegressor(max_iter=1000),
        GammaRegressor(max_iter=1000),
        TweedieRegressor(power=1.5, max_iter=1000),
        TweedieRegressor(power=0, link="identity", max_iter=1000),
    ],
    ids=str,
)
def test_a_linear_regressor_agrees(model: object) -> None:
    X = numbers()
    steps = make_pipeline(SimpleImputer(), StandardScaler(), model)
    assert_agrees(steps.fit(X, np.abs(target(X)) + 0.5), odd(X))


@pytest.mark.parametrize("labels", [[False, True], ["b", "a"], [3, 1, 2], ["x", "é", "", "東京"]], ids=str)
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        LogisticRegression(fit_intercept=False, class_weight="balanced"),
        RidgeClassifier(),
        Perceptron(random_state=0),
        SGDClassifier(random_state=0),
        SGDClassifier(loss="log_loss", random_state=0),
        LinearSVC(random_state=0),
    ],
    ids=str,
)
def test_a_linear_classifier_agrees(model: object, labels: list[object]) -> None:
    X = numbers()
    y = np.array(labels)[np.digitize(target(X), np.linspace(-4, 4, len(labels) + 1)[1:-1])]
    assert_agrees(make_pipeline(SimpleImputer(), StandardScaler(), model).fit(X, y), odd(X))


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(),
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="ignore", drop="first"),
        OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False),
        OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"),
        OneHotEncoder(max_categories=3, handle_unknown="warn", drop="first"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
        OrdinalEncoder(encoded_missing_value=99),
        OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=77, encoded_missing_value=-2, min_frequency=10
        ),
    ],
    ids=str,
)
def test_an_encoder_agrees_on_texts_and_on_numbers(encoder: object) -> None:
    X = mixed()
    columns = ColumnTransformer(
        [
            ("number", make_pipeline(SimpleImputer(), StandardScaler()), [0]),
            ("category", encoder, [1, 3]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X, np.arange(ROWS) % 3)
    assert_agrees(model, odd_mixed(X))
    codes = np.round(numbers()[:, [3]])
    assert_agrees(make_pipeline(encoder, Ridge()).fit(codes, np.arange(ROWS)), odd(codes))


def test_columns_in_any_order_imputed_texts_and_the_remainder_agree() -> None:
    X = mixed()
    filled = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder(handle_unknown="ignore")
    )
    columns = ColumnTransformer(
        [("text", filled, [3, 1]), ("none", "drop", [0])], remainder=SimpleImputer(), sparse_threshold=1.0
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X, np.arange(ROWS) % 2)
    assert_agrees(model, odd_mixed(X))


def test_infinite_values_beside_counts_of_words_reach_trees_that_take_them() -> None:
    X = mixed()
    columns = ColumnTransformer(
        [("word", CountVectorizer(analyzer="char"), 3), ("number", "passthrough", [0])], sparse_threshold=0.0
    )
    X[:, 3] = "a" + np.arange(ROWS).astype(str).astype(np.object_)
    model = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=3)).fit(X, np.arange(ROWS))
    rows = X[:6].copy()
    rows[:3, 0] = [float("inf"), float("-inf"), float("nan")]
    assert_agrees(model, rows, within=0)


def test_a_feature_with_very_many_categories_agrees() -> None:
    X = np.arange(600.0).reshape(-1, 2) % 211
    encoded = ColumnTransformer(
        [("wide", OneHotEncoder(handle_unknown="ignore"), [0, 1])], remainder="passthrough"
    )
    assert_agrees(make_pipeline(encoded, Ridge()).fit(X, np.arange(300.0)), odd(X))


def test_what_has_no_compiled_form_is_named() -> None:
    X = numbers(missing=False)
    with pytest.raises(NotCompiledError, match="KNeighborsRegressor has no compiled form"):
        compile_model(make_pipeline(StandardScaler(), KNeighborsRegressor()).fit(X, target(X)))
    with pytest.raises(NotCompiledError, match="several targets"):
        compile_model(Ridge().fit(X, X[:, :2]))


def test_rows_of_another_width_are_refused() -> None:
    X = numbers(missing=False)
    program = compile_model(Ridge().fit(X, target(X)))
    with pytest.raises(ValueError, match="rows of 5 values"):
        program.predict(X[:, :4])


def test_the_package_does_not_import_scikit_learn() -> None:
    ask = "import sys, modelyard_runtime.twin; print([m for m in sys.modules if m.split('.')[0] in {'sklearn', 'scipy'}])"
    shown = subprocess.run(
        [sys.executable, "-c", ask],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "[]"
