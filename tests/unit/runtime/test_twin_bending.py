"""Compiled powers, quantiles, bins, products, splines and other steps of numbers answer as scikit-learn does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import FactorAnalysis, FastICA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection

from modelyard_runtime.twin import NotCompiledError, TwinFormatError, compile_model
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.registry import build_step, compile_step
from tests.support.twins import assert_agrees

MADE = np.random.default_rng(12)
X = MADE.normal(size=(160, 4)) * np.array([1.0, 100.0, 1e-3, 1.0])
X[:, 3] = np.round(X[:, 3])
Y = X[:, 0] + X[:, 1] / 100 + X[:, 3] ** 2 + MADE.random(160)
POSITIVE = np.abs(X) + 1e-4
CITIES = np.array(["Oslo", "", "東京", "São Paulo", "ﬁ"], dtype=np.object_)


def odd(held: np.ndarray) -> np.ndarray:
    """Rows, the least and the greatest values of training, and copies with one value out of the ordinary."""
    rows = [*held[:6], held.min(axis=0), held.max(axis=0), np.zeros(held.shape[1])]
    for at, value in enumerate((np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-300, -1e-9, 1e5, -1e5)):
        for column in {at % held.shape[1], 1}:
            row = held[at].copy()
            row[column] = value
            rows.append(row)
    return np.stack(rows)


@pytest.mark.parametrize(
    "step",
    [
        PolynomialFeatures(),
        PolynomialFeatures(3, include_bias=False),
        PolynomialFeatures((2, 4), interaction_only=True),
        PolynomialFeatures((3, 3), include_bias=False),
        PolynomialFeatures(1),
        KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
        KBinsDiscretizer(3, encode="ordinal", strategy="uniform"),
        KBinsDiscretizer(6, encode="onehot-dense", strategy="kmeans", random_state=0),
        Binarizer(),
        Binarizer(threshold=0.25),
        Normalizer(),
        Normalizer("l1"),
        Normalizer("max"),
        QuantileTransformer(n_quantiles=50),
        SplineTransformer(extrapolation="constant"),
        SplineTransformer(4, degree=2, knots="quantile", include_bias=False),
        SplineTransformer(3, degree=1, extrapolation="error", sparse_output=True),
        SplineTransformer(extrapolation="continue"),
    ],
    ids=str,
)
def test_a_step_of_numbers_gives_the_same_numbers_bit_for_bit(step: Any) -> None:  # noqa: ANN401
    assert_same(step, X, odd(X), ulps=0)


@pytest.mark.parametrize(
    "step",
    [
        PowerTransformer(),
        PowerTransformer(standardize=False),
        QuantileTransformer(n_quantiles=40, output_distribution="normal"),
        FastICA(2, random_state=0),
        FastICA(whiten=False, random_state=0),
        FactorAnalysis(2, random_state=0),
        GaussianRandomProjection(3, random_state=0),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:FastICA did not converge")
def test_a_step_of_numbers_gives_nearly_the_same_numbers(step: Any) -> None:  # noqa: ANN401
    assert_same(step, X, odd(X), ulps=1e-12)


def test_a_power_of_positive_numbers_refuses_others() -> None:
    for standardize in (False, True):
        step = PowerTransformer(method="box-cox", standardize=standardize)
        assert_same(step, POSITIVE, odd(POSITIVE), ulps=1e-12)


def test_powers_that_are_logarithms_agree() -> None:
    for method, exponents in (("box-cox", [0.0, 1.0, -2.0, 1e-18]), ("yeo-johnson", [0.0, 2.0, -1.0, 1e-16])):
        step = PowerTransformer(method=method, standardize=False).fit(POSITIVE)
        step.lambdas_ = np.array(exponents)
        rows = odd(POSITIVE if method == "box-cox" else X)
        for row in rows:
            agree(step, row[np.newaxis], ulps=1e-15)


def agree(step: Any, rows: np.ndarray, *, ulps: float) -> None:  # noqa: ANN401
    """The compiled step refuses what scikit-learn's refuses, and else makes the same of it."""
    kernel = build_step(compile_step(step))
    try:
        wanted = step.transform(rows)
    except ValueError:
        with pytest.raises(ValueError, match=r"."), np.errstate(all="ignore"):
            kernel(rows)
        return
    wanted = np.asarray(wanted.toarray() if hasattr(wanted, "toarray") else wanted, dtype=np.float64)
    with np.errstate(all="ignore"):
        found = kernel(rows)
        alone = kernel.alone(rows[0]) if len(rows) == 1 else None  # type: ignore[attr-defined]
    dense = found if isinstance(found, np.ndarray) else found.dense()
    np.testing.assert_allclose(dense, wanted, rtol=ulps, atol=ulps * 1e-3)
    if alone is not None:
        np.testing.assert_allclose(alone, wanted[0], rtol=ulps, atol=ulps * 1e-3)


def assert_same(step: Any, fitted: np.ndarray, rows: np.ndarray, *, ulps: float) -> None:  # noqa: ANN401
    step.fit(fitted, Y)
    for row in rows:
        agree(step, row[np.newaxis], ulps=ulps)
    agree(step, fitted, ulps=ulps)
    model = make_pipeline(step, StandardScaler(with_mean=False), Ridge()).fit(fitted, Y)
    # Sums of what differs in the last bit may differ by more where terms are large.
    assert_agrees(model, rows, within=1e-12 if ulps == 0 else 1e-9)


@pytest.mark.parametrize("features", ["all", "missing-only"])
@pytest.mark.parametrize("strict", [True, False])
def test_an_indicator_of_missing_values_agrees(features: str, strict: bool) -> None:  # noqa: FBT001
    held = X.copy()
    held[::5, 1] = held[1::7, 2] = np.nan
    if not strict and features == "all":
        held[:, 0] = np.nan
    step = MissingIndicator(features=features, error_on_new=strict)
    assert_same(step, held, odd(held), ulps=0)
    texts = np.stack([CITIES[MADE.integers(0, 5, size=160)] for _ in range(2)], axis=1)
    texts[::4, 0] = float("nan")
    fresh = texts[:6].copy()
    fresh[1, 1] = float("nan")
    for rows in (texts[:9], fresh[:1], fresh[1:2]):
        agree(MissingIndicator(features=features, error_on_new=strict).fit(texts), rows, ulps=0)


@pytest.mark.parametrize("target", ["continuous", "binary", "multiclass"])
def test_categories_encoded_by_their_targets_agree(target: str) -> None:
    rows = np.empty((160, 2), dtype=np.object_)
    rows[:, 0] = CITIES[MADE.integers(0, 4, size=160)]
    rows[:, 1] = MADE.integers(0, 3, size=160).astype(float).tolist()
    rows[::9, 0] = float("nan")
    y = (
        Y
        if target == "continuous"
        else np.array(["a", "b", "c"])[np.arange(160) % (2 if target == "binary" else 3)]
    )
    step = TargetEncoder(target_type=target, cv=2)
    model = make_pipeline(step, Ridge() if target == "continuous" else LogisticRegression()).fit(rows, y)
    unseen = rows[:4].copy()
    unseen[:, 0] = ["new", "", float("nan"), "ﬁ"]
    unseen[1:, 1] = [float("nan"), 7.0, -0.0]
    assert_agrees(model, np.concatenate([rows[:20], unseen]))


def test_weights_of_counts_agree_where_no_counter_made_them() -> None:
    counts = MADE.integers(0, 3, size=(160, 5)).astype(float)
    for step in (TfidfTransformer(), TfidfTransformer(norm="l1", sublinear_tf=True)):
        fitted = make_pipeline(step, Ridge()).fit(counts, Y)
        rows = np.concatenate(
            [counts[:12], np.zeros((1, 5)), np.full((1, 5), np.nan), np.full((1, 5), np.inf)]
        )
        assert_agrees(fitted, rows)


def test_steps_that_take_missing_values_hand_them_on() -> None:
    held = X.copy()
    held[::6, 0] = np.nan
    for step in (
        PowerTransformer(),
        QuantileTransformer(n_quantiles=30),
        QuantileTransformer(n_quantiles=30, output_distribution="normal"),
    ):
        model = make_pipeline(step, HistGradientBoostingRegressor(max_iter=5)).fit(held, Y)
        assert_agrees(model, odd(held), within=0)
        assert_agrees(make_pipeline(step, SimpleImputer(), Ridge()).fit(held, Y), odd(held), within=1e-11)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (SplineTransformer(extrapolation="linear"), "extrapolates by linear"),
        (SplineTransformer(extrapolation="periodic"), "extrapolates by periodic"),
        (SplineTransformer(degree=0), "steps, not curves"),
        (SplineTransformer(handle_missing="zeros"), "takes missing values"),
        (KBinsDiscretizer(dtype=np.float32, strategy="uniform"), "makes"),
        (MissingIndicator(missing_values=0.0, features="all"), "another value for missing"),
        (MissingIndicator(), "keeps no column"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_compiled_is_named(step: Any, reason: str) -> None:  # noqa: ANN401
    with pytest.raises(NotCompiledError, match=reason):
        compile_step(step.fit(X))


def test_very_many_products_are_not_compiled() -> None:
    wide = np.zeros((3, 1500))
    model = make_pipeline(PolynomialFeatures(2).fit(wide), Ridge().fit(wide, Y[:3]))
    with pytest.raises(NotCompiledError, match="too many columns"):
        compile_model(model)


NUMBERS = np.arange(3.0)
POSITIONS = np.arange(3)


@pytest.mark.parametrize(
    "node",
    [
        Node("products", settings={"width": 2, "low": 0, "high": 0, "one": True}),
        Node("products", settings={"width": 2, "low": 3, "high": 2, "one": True}),
        Node(
            "products",
            settings={"width": 2, "low": 0, "high": 2, "one": True},
            arrays={"factor2": POSITIONS, "rest2": POSITIONS},
        ),
        Node("bins", settings={"features": 0, "columns": True, "width": 0}),
        Node("bins", settings={"features": 1, "columns": True, "width": 9}, arrays={"edges0": NUMBERS}),
        Node("bins", settings={"features": 1, "columns": True, "width": 4}, arrays={"edges0": -NUMBERS}),
        Node("powers", settings={"method": "of two"}, arrays={"exponents": NUMBERS}),
        Node(
            "quantiles",
            settings={"distribution": "normal"},
            arrays={"quantiles": np.zeros((1, 2)), "shares": NUMBERS},
        ),
        Node("lengths", settings={"norm": "l3", "width": 1}),
        Node(
            "splines",
            settings={"degree": 1, "beyond": "error", "all": True},
            arrays={"knots": NUMBERS[np.newaxis]},
        ),
        Node(
            "splines",
            settings={"degree": 1, "beyond": "error", "all": True},
            arrays={"knots": -np.arange(9.0)[np.newaxis]},
        ),
        Node("indicate", settings={"width": 2, "refusesNew": False}, arrays={"shown": POSITIONS}),
    ],
    ids=lambda node: node.kind,
)
def test_a_step_that_does_not_hold_together_is_refused(node: Node) -> None:
    with pytest.raises(TwinFormatError):
        build_step(node)
