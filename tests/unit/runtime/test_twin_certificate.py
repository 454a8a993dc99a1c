"""A program may answer in the model's place only where both say the same."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard_api.contract.bundle import Certificate
from modelyard_runtime.twin import Program, certified, certify, compile_model
from modelyard_runtime.twin.certificate import special_rows
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.program import build

X = np.random.default_rng(0).normal(size=(120, 3))


def nudged(program: Program, by: float, name: str = "weights") -> Program:
    """The program with the weights of its last step, or another array, moved a little."""
    *before, last = program.node.children
    arrays = {**last.arrays, name: last.arrays[name] * (1 + by)}
    moved = Node(last.kind, last.settings, arrays, last.texts, last.children)
    return build(dataclasses.replace(program.node, children=(*before, moved)))


def test_a_program_that_agrees_is_used() -> None:
    model = RandomForestRegressor(n_estimators=10, random_state=0, n_jobs=1).fit(X, X[:, 0] ** 2)
    program, certificate = certified(model, X)
    assert program is not None
    assert certificate == Certificate(
        rows=120, special_rows=40, max_delta="0", label_agreement="1", used=True
    )


def test_a_value_that_differs_by_more_than_the_tolerance_is_told() -> None:
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, X[:, 0] * 3 + 100)
    certificate = certify(nudged(compile_model(model), 1e-9), model, X)
    assert not certificate.used
    assert certificate.reason == f"answers differ by {certificate.max_delta}, 1e-12 is allowed"
    assert 1e-12 < float(certificate.max_delta) < 1e-8
    assert certify(nudged(compile_model(model), 1e-9), model, X, tolerance=1e-8).used


def test_a_single_huge_value_does_not_hide_what_differs_at_the_others() -> None:
    model = LinearRegression().fit(X, X[:, 0] + 1)
    rows = X.copy()
    rows[7] = 1e9
    assert "differ" in certify(nudged(compile_model(model), 1e-8, "intercept"), model, rows).reason


def test_a_label_that_differs_is_told() -> None:
    model = LogisticRegression().fit(X, X[:, 0] + X[:, 1] > 0)
    certificate = certify(nudged(compile_model(model), -2.0), model, X)
    assert not certificate.used
    assert certificate.reason.endswith("labels differ")
    assert not certificate.reason.startswith("0 of")
    assert float(certificate.label_agreement) < 0.5


def test_a_row_that_only_one_of_them_refuses_is_told() -> None:
    y = X[:, 0]
    strict, lenient = (
        LinearRegression().fit(X, y),
        make_pipeline(SimpleImputer(), LinearRegression()).fit(X, y),
    )
    assert "scikit-learn refuses a row" in certify(compile_model(lenient), strict, X).reason
    assert "program refuses a row" in certify(compile_model(strict), lenient, X).reason


def test_a_model_without_a_compiled_form_says_which_part_has_none() -> None:
    model = make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(X, X[:, 0] > 0)
    program, certificate = certified(model, X)
    assert (program, certificate.used) == (None, False)
    assert certificate.reason == "KNeighborsClassifier has no compiled form"


def test_a_model_that_is_not_what_it_seems_does_not_stop_the_training() -> None:
    model: Any = LinearRegression().fit(X, X[:, 0])
    del model.coef_
    program, certificate = certified(model, X)
    assert program is None
    assert certificate.reason.startswith("compiling it failed: AttributeError")


@pytest.mark.parametrize("held", [X[:0], X[:1]])
def test_no_program_is_used_without_rows_to_compare_on(held: np.ndarray) -> None:
    _, certificate = certified(LinearRegression().fit(X, X[:, 0]), held)
    assert certificate.used == bool(len(held))


def test_texts_that_are_missing_empty_and_unseen_are_compared() -> None:
    rows = np.empty((60, 2), dtype=np.object_)
    rows[:, 0] = [f"word{at % 7} word{at % 3}" for at in range(60)]
    rows[:, 1] = ["ab"[at % 2] for at in range(60)]
    columns = ColumnTransformer(
        [("text", TfidfVectorizer(), 0), ("kind", OneHotEncoder(handle_unknown="ignore"), [1])]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(rows, np.arange(60) % 3)
    _, certificate = certified(model, rows)
    assert certificate.used
    assert certificate.special_rows == 21
    values = [row[0] for group in special_rows(rows) for row in group]
    assert "" in values
    assert any(value != value for value in values)  # noqa: PLR0124  NaN


def test_special_rows_leave_the_held_out_rows_as_they_are() -> None:
    before = X.copy()
    assert sum(map(len, special_rows(X))) == 40
    assert np.array_equal(X, before)
