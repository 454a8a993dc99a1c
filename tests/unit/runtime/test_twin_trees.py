"""Compiled trees and ensembles answer as scikit-learn does, forests and boosted regressions bit for bit."""

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from modelyard_runtime.twin import NotCompiledError, TwinFormatError, compile_model
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.registry import build_final
from tests.support.twins import assert_agrees

ROWS = 300
REGRESSORS = [
    DecisionTreeRegressor(random_state=0),
    DecisionTreeRegressor(random_state=0, max_depth=1),
    DecisionTreeRegressor(criterion="absolute_error", random_state=0, max_depth=4),
    ExtraTreeRegressor(random_state=0),
    RandomForestRegressor(n_estimators=23, random_state=0, n_jobs=1),
    ExtraTreesRegressor(n_estimators=7, random_state=0, bootstrap=True, n_jobs=1),
]
BOOSTED_REGRESSORS = [
    GradientBoostingRegressor(n_estimators=20, random_state=0),
    GradientBoostingRegressor(n_estimators=20, random_state=0, init="zero", loss="huber"),
    HistGradientBoostingRegressor(max_iter=30, random_state=0),
    HistGradientBoostingRegressor(max_iter=20, random_state=0, loss="absolute_error"),
]
CLASSIFIERS = [
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(n_estimators=19, random_state=0, n_jobs=1, class_weight="balanced"),
    ExtraTreesClassifier(n_estimators=11, random_state=0, n_jobs=1),
    GradientBoostingClassifier(n_estimators=12, random_state=0),
    HistGradientBoostingClassifier(max_iter=12, random_state=0),
]


def rows_of(*, missing: bool) -> np.ndarray:
    made = np.random.default_rng(8)
    X: np.ndarray = made.normal(size=(ROWS, 4)) * np.array([1.0, 1e5, 1e-5, 1.0])
    X[:, 3] = np.round(X[:, 3])
    if missing:
        X[made.random(X.shape) < 0.15] = np.nan
    return X


def target(X: np.ndarray) -> np.ndarray:
    return np.asarray(
        np.nan_to_num(X[:, 0]) ** 2 + np.isnan(X[:, 1]) + np.random.default_rng(1).random(len(X))
    )


def odd(X: np.ndarray) -> np.ndarray:
    """Rows, copies of the first with extreme values, and values on both sides of what single precision can tell apart."""
    rows = [*X[:20]]
    for value in (
        np.nan,
        np.inf,
        -np.inf,
        -0.0,
        1e300,
        1e39,
        3.4e38,
        -1e38,
        1e-300,
        16777217.0,
        np.float64(0.1),
    ):
        for at in range(X.shape[1]):
            row = X[0].copy()
            row[at] = value
            rows.append(row)
        rows.append(np.full(X.shape[1], value))
    for row in X[:10]:
        rows.append(row.astype(np.float32).astype(np.float64))
        rows.append(np.nextafter(row, np.inf))
    return np.stack(rows)


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_a_tree_or_forest_of_regressors_agrees_bit_for_bit(model: object) -> None:
    X = rows_of(missing=False)
    assert_agrees(make_pipeline(model).fit(X, target(X)), odd(X), within=0)
    if getattr(model, "criterion", "") != "absolute_error":
        X = rows_of(missing=True)
        assert_agrees(make_pipeline(model).fit(X, target(X)), odd(X), within=0)


@pytest.mark.parametrize("model", BOOSTED_REGRESSORS, ids=str)
def test_boosted_regressors_agree_bit_for_bit(model: object) -> None:
    X = rows_of(missing=isinstance(model, HistGradientBoostingRegressor))
    assert_agrees(make_pipeline(StandardScaler(), model).fit(X, target(X)), odd(X), within=0)
    assert_agrees(make_pipeline(model).fit(X, target(X)), odd(X), within=0)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_boosted_regressors_of_counts_agree(loss: str) -> None:
    X = rows_of(missing=True)
    model = HistGradientBoostingRegressor(loss=loss, max_iter=15, random_state=0)
    assert_agrees(make_pipeline(model).fit(X, target(X) + 0.1), odd(X))


@pytest.mark.parametrize("labels", [[False, True], ["b", "a", "é"]], ids=str)
@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_classifiers_agree(model: object, labels: list[object]) -> None:
    X = rows_of(missing=not isinstance(model, GradientBoostingClassifier))
    y = np.array(labels)[np.digitize(target(X), [0.7, 1.5][: len(labels) - 1])]
    exact = isinstance(model, DecisionTreeClassifier | RandomForestClassifier | ExtraTreesClassifier)
    assert_agrees(make_pipeline(model).fit(X, y), odd(X), within=0 if exact else 1e-14)


def test_boosting_by_exponential_loss_agrees() -> None:
    X = rows_of(missing=False)
    model = GradientBoostingClassifier(loss="exponential", n_estimators=10, random_state=0)
    assert_agrees(make_pipeline(model).fit(X, target(X) > 1), odd(X))


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(n_estimators=30, random_state=0, n_jobs=1),
        RandomForestClassifier(n_estimators=9, random_state=0, n_jobs=1),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingRegressor(max_iter=10, random_state=0),
    ],
    ids=str,
)
def test_many_rows_at_once_agree_with_each_by_itself(model: Any) -> None:  # noqa: ANN401
    X = rows_of(missing=False)
    many = np.random.default_rng(2).normal(size=(600, 4))
    many[5:50, 0] = np.nan if not isinstance(model, GradientBoostingClassifier) else 0.0
    y = np.digitize(target(X), [0.5, 1.0, 2.0])
    program = compile_model(model.fit(X, y))
    together = program.predict(many, probabilities=True)
    pieces = [program.predict(many[at : at + 100], probabilities=True) for at in range(0, 600, 100)]
    assert together.values.tolist() == model.predict(many).tolist()
    assert together.values.tolist() == [value for piece in pieces for value in piece.values.tolist()]
    if together.probabilities is not None:
        sure = np.concatenate([np.asarray(piece.probabilities) for piece in pieces])
        assert together.probabilities.tolist() == sure.tolist()


def test_what_does_not_start_from_a_constant_or_has_several_targets_is_not_compiled() -> None:
    X = rows_of(missing=False)
    for init in (LinearRegression(), DummyRegressor()):
        with pytest.raises(NotCompiledError, match="starts from another estimator"):
            compile_model(GradientBoostingRegressor(init=init, n_estimators=2).fit(X, target(X)))
    with pytest.raises(NotCompiledError, match="several targets"):
        compile_model(RandomForestRegressor(n_estimators=2).fit(X, X[:, :2]))


def hostile(**arrays: object) -> Node:
    """A tree of two strides: below 0.5 a leaf, else another comparison with two more."""
    infinite = [np.inf] * 6
    sound: dict[str, np.ndarray] = {
        "first": np.array([0], dtype=np.int32),
        "features": np.array([[0] * 8, [1] + [0] * 7], dtype=np.uint8),
        "thresholds": np.array([[0.5, *infinite, 0], [2.5, *infinite, 0]], dtype=np.float32),
        "missing": np.zeros(2, dtype=np.uint8),
        "ends": np.array([[-1] * 4 + [1] + [-1] * 3, [-2] * 4 + [-3] * 4], dtype=np.int32),
        "values": np.arange(1.0, 4.0)[:, np.newaxis],
    }
    changed = {name: np.asarray(values, dtype=sound[name].dtype) for name, values in arrays.items()}
    settings = {"width": 2, "missing": False, "classes": 0}
    return Node("forest", settings=settings, arrays={**sound, **changed})


def test_a_tree_of_a_file_is_walked() -> None:
    rows = np.array([[0.0, 9.0], [1.0, 2.0], [1.0, 9.0]])
    answer = build_final(hostile())(rows, probabilities=False)
    assert answer.values.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "arrays",
    [
        {"features": [[2] * 8] * 2},
        {"features": [[0] * 8]},
        {"first": [2]},
        {"first": [1]},
        {"first": [-1]},
        {"first": [0, 0]},
        {"first": []},
        {"ends": [[-1] * 8, [-2] * 4 + [-3] * 4]},
        {"ends": [[-1] * 4 + [1] * 4, [-2] * 4 + [-3] * 4]},
        {"ends": [[-1] * 4 + [2] + [-1] * 3, [-2] * 4 + [-3] * 4]},
        {"ends": [[-1] * 8, [-2] * 4 + [1] * 4]},
        {"ends": [[-1] * 4 + [1] + [-1] * 3, [-2] * 4 + [-4] * 4]},
        {"ends": [[-1] * 4 + [1] + [-1] * 3, [0] + [-2] * 3 + [-3] * 4]},
        {"ends": [[-1] * 4 + [1] + [-1] * 3]},
        {"thresholds": [[0.5] * 8]},
        {"values": [[1.0], [2.0]]},
        {"values": [[1.0]] * 4},
        {"values": [[1.0, 1.0]] * 3},
        {"missing": [0]},
    ],
    ids=str,
)
def test_a_tree_that_points_outside_of_itself_is_refused(arrays: dict[str, object]) -> None:
    with pytest.raises(TwinFormatError):
        build_final(hostile(**arrays))


def test_a_tree_that_takes_hours_to_walk_is_refused() -> None:
    count = 20_000
    ends = np.full((count, 8), -1, dtype=np.int32)
    ends[:-1, 0] = np.arange(1, count)
    arrays: dict[str, np.ndarray] = {
        "first": np.array([0], dtype=np.int32),
        "features": np.zeros((count, 8), dtype=np.uint8),
        "thresholds": np.ones((count, 8), dtype=np.float32),
        "missing": np.zeros(count, dtype=np.uint8),
        "ends": ends,
        "values": np.zeros((1, 1)),
    }
    with pytest.raises(TwinFormatError, match=r"forest\.ends"):
        build_final(Node("forest", settings=hostile().settings, arrays=arrays))


def test_features_beyond_what_a_byte_holds_are_found() -> None:
    X = np.zeros((60, 300))
    X[:, 299] = np.arange(60)
    model = RandomForestRegressor(n_estimators=3, max_features=None, random_state=0).fit(X, X[:, 299])
    assert_agrees(make_pipeline(model), X, within=0)
    assert compile_model(model).node.children[0].arrays["features"].dtype == np.uint16


def test_what_was_compiled_before_strides_were_in_the_file_is_refused_by_name() -> None:
    before: dict[str, np.ndarray] = {
        "feature": np.array([0, 0, 0], dtype=np.int32),
        "threshold": np.array([0.5, np.inf, np.inf]),
        "left": np.array([1, 1, 2], dtype=np.int32),
        "missingRight": np.zeros(3, dtype=np.bool_),
        "roots": np.array([0], dtype=np.int32),
        "depths": np.array([1], dtype=np.int32),
        "values": np.arange(3.0)[:, np.newaxis],
    }
    with pytest.raises(TwinFormatError, match=r"forest\.first"):
        build_final(Node("forest", settings=hostile().settings, arrays=before))
