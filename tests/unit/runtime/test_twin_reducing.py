"""Compiled selections, projections, discriminants and perceptrons answer as scikit-learn does."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
    chi2,
    f_regression,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from modelyard_runtime.twin import NotCompiledError, TwinFormatError, compile_model
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.registry import build_final, build_step
from tests.support.twins import assert_agrees

X = np.random.default_rng(4).normal(size=(120, 6))
Y = X[:, 0] - 2 * X[:, 3] + np.random.default_rng(5).normal(size=120) / 4


def odd() -> np.ndarray:
    rows = [*X[:20]]
    for value in (np.nan, np.inf, 0.0, 1e6, -1e6):
        for at in range(6):
            row = X[at].copy()
            row[at] = value
            rows.append(row)
    return np.stack(rows)


@pytest.mark.parametrize(
    "step",
    [
        SelectKBest(k=2),
        SelectPercentile(percentile=50),
        VarianceThreshold(0.9),
        PCA(3),
        PCA(2, whiten=True),
        IncrementalPCA(2, whiten=True),
        RFE(Ridge(), n_features_to_select=3),
        RFECV(Ridge(), cv=3),
        SelectFromModel(Ridge()),
        SelectFromModel(DecisionTreeClassifier(random_state=0)),
        SequentialFeatureSelector(Ridge(), n_features_to_select=2, cv=2),
        TruncatedSVD(3, random_state=0),
    ],
    ids=str,
)
def test_fewer_columns_agree(step: object) -> None:
    assert_agrees(make_pipeline(StandardScaler(), step, LogisticRegression()).fit(X * 1.5, Y > 0), odd())


def test_a_selection_that_takes_missing_values_hands_them_on_and_infinite_ones_too() -> None:
    model = make_pipeline(VarianceThreshold(), HistGradientBoostingRegressor(max_iter=5)).fit(X, Y)
    assert_agrees(model, odd(), within=0)


@pytest.mark.parametrize(
    "step", [SelectKBest(chi2, k=3), TruncatedSVD(2, random_state=0)], ids=["best", "svd"]
)
def test_fewer_columns_of_texts_agree(step: object) -> None:
    rows = np.empty((60, 1), dtype=np.object_)
    rows[:, 0] = [f"word{at % 7} word{at % 3} word{at % 5}" for at in range(60)]
    columns = ColumnTransformer([("text", make_pipeline(TfidfVectorizer(), step), 0)])
    assert_agrees(make_pipeline(columns, LogisticRegression()).fit(rows, np.arange(60) % 3), rows)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "model",
    [
        LinearDiscriminantAnalysis(),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        *(MLPClassifier((5, 3), activation=each, max_iter=30, random_state=0) for each in ("relu", "tanh")),
        MLPClassifier((4,), activation="logistic", max_iter=30, random_state=0),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_discriminant_or_perceptron_agrees(model: object, classes: int) -> None:
    y = np.array(["a", "b", "c"])[np.digitize(Y, [0.0, 1.0][: classes - 1])]
    assert_agrees(make_pipeline(StandardScaler(), model).fit(X, y), odd())


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_perceptron_of_values_agrees_and_one_of_several_targets_is_not_compiled() -> None:
    assert_agrees(MLPRegressor(hidden_layer_sizes=(4, 4), max_iter=30, random_state=0).fit(X, Y), odd())
    with pytest.raises(NotCompiledError, match="several targets"):
        compile_model(MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, random_state=0).fit(X, X[:, :2]))


def test_a_selection_that_keeps_nothing_is_not_compiled() -> None:
    selector = SelectKBest(f_regression, k=0).fit(X, Y)
    with pytest.raises(NotCompiledError, match="keeps no column"):
        compile_model(make_pipeline(selector, Ridge().fit(X, Y)))


def test_layers_and_columns_that_do_not_fit_are_refused() -> None:
    wide, bias = np.zeros((2, 3)), np.zeros(3)
    for arrays in (
        {"weights0": wide, "bias0": np.zeros(2)},
        {"weights0": wide, "bias0": bias, "weights1": wide, "bias1": bias},
        {"weights0": wide},
        {},
    ):
        layers = sum(name.startswith("weights") for name in arrays)
        with pytest.raises(TwinFormatError):
            build_final(
                Node(
                    "network",
                    settings={"layers": layers, "activation": "relu", "labels": True},
                    arrays=arrays,
                )
            )
    for kept in ([], [-1], [4]):
        positions = {"kept": np.asarray(kept, dtype=np.int64)}
        with pytest.raises(TwinFormatError):
            build_step(Node("select", settings={"width": 4, "missing": False}, arrays=positions))
    with pytest.raises(TwinFormatError):
        build_step(Node("project", arrays={"weights": wide, "offset": np.zeros(2)}))
