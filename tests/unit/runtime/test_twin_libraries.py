"""Programs of XGBoost's and LightGBM's trees answer as these libraries do, missing and infinite values included."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier, XGBRFRegressor

from modelyard_runtime.twin import NotCompiledError, certified, compile_model
from tests.support.twins import assert_agrees

GENERATOR = np.random.default_rng(7)
ROWS = 240
X = GENERATOR.normal(size=(ROWS, 4)).round(2)
X[::5, 1] = np.nan
Y = np.nan_to_num(X[:, 0] * X[:, 1]) + X[:, 2]
LIGHT: dict[str, Any] = {
    "n_estimators": 8,
    "num_leaves": 7,
    "min_child_samples": 5,
    "verbose": -1,
    "n_jobs": 1,
}
SINGLE = 1e-6


def odd() -> np.ndarray:
    """Rows with values that splits look at, and with missing, huge, tiny and infinite ones."""
    rows = X[:40].copy()
    for at, value in enumerate((np.nan, np.inf, -np.inf, 1e300, -1e39, 1e-300, 0.0, -0.0)):
        rows[at, at % 4] = value
    rows[9] = np.nan
    return rows


@pytest.mark.parametrize(
    "model",
    [
        XGBRegressor(n_estimators=6, max_depth=3, n_jobs=1),
        XGBRegressor(n_estimators=5, max_depth=3, objective="count:poisson", n_jobs=1),
        XGBRegressor(n_estimators=5, max_depth=3, objective="reg:absoluteerror", base_score=0.3, n_jobs=1),
        XGBRFRegressor(n_estimators=6, max_depth=4, n_jobs=1),
    ],
    ids=["squares", "counts", "absolute", "forest"],
)
def test_values_of_xgboost_agree(model: Any) -> None:  # noqa: ANN401
    assert_agrees(make_pipeline(model).fit(X, np.abs(Y) + 0.1), odd(), within=SINGLE)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [XGBClassifier, XGBRFClassifier])
def test_labels_of_xgboost_agree_also_in_a_vote_of_one(kind: Any, classes: int) -> None:  # noqa: ANN401
    y = np.digitize(Y, np.quantile(Y, [0.3, 0.7] if classes == 3 else [0.5]))
    model = kind(n_estimators=5, max_depth=3, n_jobs=1)
    assert_agrees(make_pipeline(model).fit(X, y), odd(), within=SINGLE)
    vote = VotingClassifier([("only", model)], voting="soft")
    labels = np.array(["low", "middle", "high"])[y]
    program = assert_agrees(make_pipeline(vote).fit(X, labels), odd(), within=SINGLE)
    assert program.predict(X[:1], probabilities=True).probabilities.dtype == np.float32  # type: ignore[union-attr]


def test_scores_of_xgboost_are_the_same_to_the_last_bit() -> None:
    model = XGBRegressor(n_estimators=40, max_depth=4, n_jobs=1).fit(X, Y)
    assert np.array_equal(compile_model(model).predict(X).values, model.predict(X))


@pytest.mark.parametrize(
    "model",
    [
        LGBMRegressor(**LIGHT),
        LGBMRegressor(**LIGHT, objective="poisson"),
        LGBMRegressor(**LIGHT, objective="quantile", alpha=0.7),
        LGBMRegressor(**LIGHT, use_missing=False),
        LGBMRegressor(**{**LIGHT, "n_estimators": 1, "min_child_samples": 500}),
    ],
    ids=["squares", "counts", "quantile", "missing is zero", "a single leaf"],
)
def test_values_of_lightgbm_agree_bit_for_bit(model: Any) -> None:  # noqa: ANN401
    fitted = make_pipeline(model).fit(X, np.abs(Y) + 0.1)
    assert_agrees(fitted, odd(), within=0 if model.objective != "poisson" else 1e-15)


@pytest.mark.parametrize("classes", [2, 3])
def test_labels_of_lightgbm_agree(classes: int) -> None:
    y = np.digitize(Y, np.quantile(Y, [0.3, 0.7] if classes == 3 else [0.5]))
    labels = np.array(["low", "middle", "high"])[y]
    assert_agrees(make_pipeline(LGBMClassifier(**LIGHT)).fit(X, labels), odd(), within=1e-14)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (XGBRegressor(n_estimators=2, booster="gblinear"), "XGBRegressor boosts by gblinear"),
        (XGBRegressor(n_estimators=2, booster="dart"), "XGBRegressor boosts by dart"),
        (XGBRegressor(n_estimators=2, missing=0.0), "XGBRegressor takes a value for missing"),
        (
            XGBRegressor(n_estimators=2, objective="reg:logistic"),
            "XGBRegressor has the objective reg:logistic",
        ),
        (LGBMRegressor(**LIGHT, zero_as_missing=True), "LGBMRegressor takes zero for missing"),
        (LGBMRegressor(**LIGHT, linear_tree=True), "LGBMRegressor has lines in its leaves"),
        (
            LGBMRegressor(**LIGHT, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5),
            "LGBMRegressor averages its trees",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_more_than_plain_trees_is_not_compiled(model: Any, reason: str) -> None:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.nan_to_num(X), (Y > 0).astype(float))
    with pytest.raises(NotCompiledError, match=reason):
        compile_model(model)


def test_a_certificate_allows_single_precision_what_single_precision_gives() -> None:
    program, certificate = certified(XGBRegressor(n_estimators=20, n_jobs=1).fit(X, Y), X)
    assert program is not None
    assert certificate.used
    assert float(certificate.max_delta) < SINGLE
