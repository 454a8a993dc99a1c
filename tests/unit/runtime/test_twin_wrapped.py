"""Programs of bags, AdaBoost, calibrated classifiers and transformed targets answer as scikit-learn does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, RANSACRegressor, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier

from modelyard_runtime.twin import NotCompiledError, TwinFormatError, compile_model
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.registry import build_final
from tests.support.twins import assert_agrees

GENERATOR = np.random.default_rng(9)
X = GENERATOR.normal(size=(180, 5)).round(2)
Y = X[:, 0] * X[:, 1] + X[:, 2] + GENERATOR.random(180) / 5
TWO = np.array(["no", "yes"])[(Y > 0.2).astype(int)]
THREE = np.array(["a", "b", "c"])[np.digitize(Y, [-0.5, 0.5])]
SCARCE = np.array(["a", "b", "c"])[np.where(np.arange(180) < 3, 2, (Y > 0).astype(int))]


def odd() -> np.ndarray:
    """Rows, and copies of them in which one value is out of the ordinary."""
    rows = [*X[:10]]
    for at, value in enumerate((np.nan, np.inf, -np.inf, 1e300, 1e39, -0.0, 1e-300, -1e300)):
        row = X[at].copy()
        row[at % 5] = value
        rows.append(row)
    return np.stack(rows)


@pytest.mark.parametrize(
    "model",
    [
        BaggingRegressor(random_state=0),
        BaggingRegressor(DecisionTreeRegressor(max_depth=3), max_features=0.5, random_state=0),
        BaggingRegressor(max_features=2, bootstrap_features=True, n_estimators=15, random_state=0),
        BaggingRegressor(HistGradientBoostingRegressor(max_iter=4), 3, max_features=0.6, random_state=0),
    ],
    ids=str,
)
def test_a_bag_of_trees_agrees_bit_for_bit(model: Any) -> None:  # noqa: ANN401
    assert_agrees(make_pipeline(model).fit(X, Y), odd(), within=0)


def test_a_bag_that_never_looks_at_a_column_takes_whatever_stands_there() -> None:
    model = BaggingRegressor(n_estimators=2, max_features=2, random_state=1).fit(X, Y)
    unseen = set(range(5)) - {int(at) for drawn in model.estimators_features_ for at in drawn}
    assert unseen
    rows = np.repeat(X[:1], 5, axis=0)
    np.fill_diagonal(rows, np.inf)
    assert_agrees(model, np.concatenate([rows, odd()]), within=0)


def test_a_bag_of_lines_agrees() -> None:
    assert_agrees(make_pipeline(BaggingRegressor(Ridge(), 7, random_state=0)).fit(X, Y), odd())
    drawn = BaggingRegressor(Ridge(), 7, max_features=3, random_state=0)
    assert_agrees(make_pipeline(StandardScaler(), drawn).fit(X, Y), odd())


@pytest.mark.parametrize("labels", [TWO, THREE, SCARCE, Y > 0], ids=["two", "three", "scarce", "truth"])
@pytest.mark.parametrize(
    "model",
    [
        BaggingClassifier(random_state=0),
        BaggingClassifier(max_features=0.5, max_samples=0.2, n_estimators=20, random_state=0),
        BaggingClassifier(LogisticRegression(), 5, max_features=3, random_state=0),
        BaggingClassifier(GaussianNB(), 5, max_samples=0.5, random_state=0),
        BaggingClassifier(RidgeClassifier(), 5, max_samples=0.3, random_state=0),
    ],
    ids=str,
)
def test_a_bag_of_labels_agrees_also_where_members_do_not_know_all(model: Any, labels: Any) -> None:  # noqa: ANN401
    assert_agrees(make_pipeline(model).fit(X, labels), odd())


@pytest.mark.parametrize("loss", ["linear", "square", "exponential"])
def test_a_weighed_median_of_trees_agrees_bit_for_bit(loss: str) -> None:
    model = AdaBoostRegressor(n_estimators=20, loss=loss, random_state=0)
    program = assert_agrees(make_pipeline(model).fit(X, Y), odd(), within=0)
    many = np.random.default_rng(3).normal(size=(700, 5))
    assert np.array_equal(program.predict(many).values, model.fit(X, Y).predict(many))


@pytest.mark.parametrize("labels", [TWO, THREE, Y > 0], ids=["two", "three", "truth"])
@pytest.mark.parametrize("depth", [1, 3, None])
def test_weighed_votes_of_trees_agree(depth: int | None, labels: Any) -> None:  # noqa: ANN401
    tree = DecisionTreeClassifier(max_depth=depth)
    model = AdaBoostClassifier(tree, n_estimators=15, random_state=0)
    assert_agrees(make_pipeline(StandardScaler(), model).fit(X, labels), odd())


CALIBRATED = [
    LogisticRegression(),
    LinearSVC(random_state=0),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5),
    AdaBoostClassifier(n_estimators=5, random_state=0),
]


@pytest.mark.parametrize("labels", [TWO, THREE, Y > 0], ids=["two", "three", "truth"])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("inner", CALIBRATED, ids=str)
def test_a_calibrated_classifier_agrees(inner: Any, method: str, labels: Any) -> None:  # noqa: ANN401
    model = CalibratedClassifierCV(inner, method=method, cv=3)
    assert_agrees(make_pipeline(StandardScaler(), model).fit(X, labels), odd())


def test_a_classifier_that_was_calibrated_once_for_all_folds_agrees() -> None:
    model = CalibratedClassifierCV(LinearSVC(random_state=0), cv=3, ensemble=False)
    assert_agrees(make_pipeline(model).fit(X, THREE), odd())


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"func": np.log1p, "inverse_func": np.expm1},
        {"func": np.log, "inverse_func": np.exp},
        {"func": np.sqrt, "inverse_func": np.square},
        {"func": np.arcsinh, "inverse_func": np.sinh},
        {"func": np.log2, "inverse_func": np.exp2},
        {"transformer": StandardScaler()},
        {"transformer": StandardScaler(with_mean=False)},
        {"transformer": MinMaxScaler()},
        {"transformer": MaxAbsScaler()},
        {"transformer": RobustScaler()},
    ],
    ids=str,
)
def test_a_transformed_target_comes_back(given: dict[str, Any]) -> None:
    for inner in (Ridge(), DecisionTreeRegressor(max_depth=4)):
        model = TransformedTargetRegressor(inner, **given)
        assert_agrees(make_pipeline(StandardScaler(), model).fit(X, np.abs(Y) + 0.1), odd())


def test_a_line_through_what_agrees_agrees() -> None:
    assert_agrees(make_pipeline(RANSACRegressor(random_state=0)).fit(X, Y), odd())


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (AdaBoostRegressor(Ridge()), "boosts Ridge, which is no tree"),
        (CalibratedClassifierCV(method="temperature"), "calibrates by temperature"),
        (CalibratedClassifierCV(BaggingClassifier(RidgeClassifier())), "asks BaggingClassifier for scores"),
        (CalibratedClassifierCV(XGBClassifier(n_estimators=2), method="isotonic"), "in single precision"),
        (TransformedTargetRegressor(transformer=PowerTransformer()), "the target by PowerTransformer"),
        (
            TransformedTargetRegressor(func=lambda y: y, inverse_func=lambda y: y),
            "calls a function",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_compiled_is_named(model: Any, reason: str) -> None:  # noqa: ANN401
    y = (Y > 0).astype(int) if isinstance(model, CalibratedClassifierCV) else Y
    with pytest.raises(NotCompiledError, match=reason):
        compile_model(model.fit(X, y))


def test_bags_of_several_targets_or_of_very_many_lines_are_not_compiled() -> None:
    with pytest.raises(NotCompiledError, match="several targets"):
        compile_model(BaggingRegressor(n_estimators=2).fit(X, X[:, :2]))
    with pytest.raises(NotCompiledError, match="too many estimators"):
        compile_model(BaggingRegressor(Ridge(), 1001).fit(X[:9], Y[:9]))


def _line() -> Node:
    arrays = {"weights": np.zeros(2), "intercept": np.zeros(1)}
    return Node("linearValue", settings={"link": "identity"}, arrays=arrays)


def _two_labels() -> Node:
    arrays = {"weights": np.zeros((2, 1)), "intercept": np.zeros(1)}
    return Node("linearClass", settings={"probabilities": "none"}, arrays=arrays)


def _member(positions: list[int], labels: list[int], child: Node) -> Node:
    arrays = {
        name: np.array(held, dtype=np.int64) for name, held in (("positions", positions), ("labels", labels))
    }
    return Node("member", arrays=arrays, children=(child,))


@pytest.mark.parametrize(
    "members",
    [
        (),
        (_line(),),
        (_member([], [], _line()),),
        (_member([5], [], _line()),),
        (_member([-1], [], _line()),),
        (_member([0, 1], [0], _line()),),
        (_member([0, 1], [0, 1], _two_labels()),),
    ],
    ids=range(7),
)
def test_a_bag_that_does_not_hold_together_is_refused(members: tuple[Node, ...]) -> None:
    with pytest.raises(TwinFormatError):
        build_final(Node("bag", settings={"width": 2, "classes": 0}, children=members))


@pytest.mark.parametrize(
    ("settings", "arrays", "child"),
    [
        ({}, {"labels": [0, 2]}, _two_labels()),
        ({}, {"labels": [0]}, _two_labels()),
        ({"scored": False}, {}, _two_labels()),
        ({"curves": 2}, {}, _two_labels()),
        ({"method": "isotonic"}, {}, _two_labels()),
        ({"method": "temperature"}, {}, _two_labels()),
        ({}, {}, _line()),
    ],
    ids=range(7),
)
def test_a_calibration_that_does_not_hold_together_is_refused(
    settings: dict[str, Any], arrays: dict[str, Any], child: Node
) -> None:
    held = {"labels": np.array(arrays.get("labels", [0, 1]), dtype=np.int64), "curve0": np.zeros(2)}
    plain = {"method": "sigmoid", "scored": True, "curves": 1}
    member = Node("calibratedMember", settings={**plain, **settings}, arrays=held, children=(child,))
    with pytest.raises(TwinFormatError):
        build_final(Node("calibrated", settings={"classes": 2}, children=(member,)))


@pytest.mark.parametrize(
    ("operations", "operands", "child"),
    [
        (["exp"], [], _line()),
        (["system"], [0.0], _line()),
        (["exp"], [0.0], _two_labels()),
        (None, [], _line()),
    ],
    ids=range(4),
)
def test_a_target_that_does_not_hold_together_is_refused(operations: Any, operands: Any, child: Node) -> None:  # noqa: ANN401
    with pytest.raises(TwinFormatError):
        build_final(
            Node(
                "target",
                settings={"operations": operations},
                arrays={"operands": np.array(operands, dtype=np.float64)},
                children=(child,),
            )
        )
