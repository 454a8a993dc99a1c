"""Programs of histogram boosting that splits by category answer as scikit-learn does, unseen categories included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, VotingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from modelyard_runtime.twin import TwinFormatError, compile_model
from modelyard_runtime.twin.node import Node
from modelyard_runtime.twin.registry import build_final
from tests.support.twins import assert_agrees

ROWS = 400
WORDS = ["a", "b", "", "東", "é", " "]


def mixed() -> np.ndarray:
    """A number, a text, a whole number of forty, a number; a tenth is missing."""
    made = np.random.default_rng(0)
    X = np.empty((ROWS, 4), dtype=np.object_)
    X[:, 0] = made.normal(size=ROWS).tolist()
    X[:, 1] = [WORDS[at] for at in made.integers(0, len(WORDS), size=ROWS)]
    X[:, 2] = made.integers(0, 40, size=ROWS).astype(float).tolist()
    X[:, 3] = made.normal(size=ROWS).tolist()
    for at in range(4):
        X[made.random(ROWS) < 0.1, at] = float("nan")
    return X


def target(X: np.ndarray) -> np.ndarray:
    codes = np.array([0.0 if value != value else value % 3 for value in X[:, 2]])  # noqa: PLR0124
    likes = np.array([value in {"a", "東"} for value in X[:, 1]])
    return np.asarray(codes + 2.0 * likes + np.random.default_rng(1).random(ROWS))


def odd(X: np.ndarray) -> np.ndarray:
    """Rows, and copies of one with a value that was not there when the model was fitted, or is none."""
    nan, inf = float("nan"), float("inf")
    rows = [*X[:40]]
    for at, values in enumerate([(nan, inf, 1e300), ("unseen", nan), (77.0, -1.0, 0.5, nan), (inf, -inf)]):
        for value in values:
            row = X[1].copy()
            row[at] = value
            rows.append(row)
    return np.stack(rows)


@pytest.mark.parametrize("columns", [[1, 2], [2, 1], [False, True, True, False]], ids=str)
def test_values_agree_bit_for_bit(columns: list[int]) -> None:
    X = mixed()
    model = HistGradientBoostingRegressor(categorical_features=columns, max_iter=15, random_state=0)
    assert_agrees(make_pipeline(model).fit(X, target(X)), odd(X), within=0)
    assert_agrees(VotingRegressor([("only", model)]).fit(X, target(X)), odd(X), within=0)


@pytest.mark.parametrize("classes", [2, 3])
def test_labels_agree(classes: int) -> None:
    X = mixed()
    y = np.digitize(target(X), [1.2, 2.2][: classes - 1])
    model = HistGradientBoostingClassifier(categorical_features=[1, 2], max_iter=6, random_state=0)
    assert_agrees(model.fit(X, y), odd(X), within=1e-14)


def test_codes_of_an_encoder_and_rows_of_categories_alone_agree() -> None:
    X = mixed()
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("codes", encoder, [1, 2]), ("numbers", "passthrough", [0, 3])])
    model = HistGradientBoostingRegressor(categorical_features=[0, 1], max_iter=10, random_state=0)
    assert_agrees(make_pipeline(columns, model).fit(X, target(X)), odd(X), within=0)
    assert_agrees(model.fit(X[:, 1:3], target(X)), odd(X)[:, 1:3], within=0)


def test_a_category_that_no_tree_asks_for_agrees() -> None:
    X = mixed()
    X[:, 1] = "same"
    model = HistGradientBoostingRegressor(categorical_features=[1], max_iter=5, random_state=0)
    assert_agrees(model.fit(X[:, [0, 1, 3]], target(mixed())), odd(X)[:, [0, 1, 3]], within=0)


def test_many_rows_at_once_agree() -> None:
    made = np.random.default_rng(4)
    X = np.stack([made.integers(0, 60, size=3000).astype(float), made.normal(size=3000)], axis=1)
    y = (X[:, 0] % 7) + X[:, 1]
    model = HistGradientBoostingRegressor(categorical_features=[0], max_iter=20, random_state=0).fit(X, y)
    program = compile_model(model)
    assert program.predict(X).values.tolist() == model.predict(X).tolist()
    # What the rows become is wider than they are.
    assert program.node.settings["widest"] == program.node.children[-1].settings["width"]


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": [5]},
        {"encoder": [1]},
        {"numerical": []},
        {"right0": np.zeros((1, 1), dtype=np.bool_), "known0": np.ones(1, dtype=np.bool_)},
        {"right0": np.zeros((2, 2), dtype=np.bool_)},
        {"known0": np.ones(3, dtype=np.bool_)},
        {"children": ()},
    ],
    ids=range(7),
)
def test_questions_that_do_not_hold_together_are_refused(changes: dict[str, Any]) -> None:
    leaf: dict[str, np.ndarray] = {
        "first": np.array([-1], dtype=np.int32),
        "features": np.zeros((0, 8), dtype=np.uint8),
        "thresholds": np.zeros((0, 8)),
        "missing": np.zeros(0, dtype=np.uint8),
        "ends": np.zeros((0, 8), dtype=np.int32),
        "values": np.zeros((1, 1)),
        "start": np.zeros(1),
    }
    settings = {"width": 2, "rows": "categories", "sums": "double", "labels": "above", "link": "identity"}
    build_final(Node("boosted", settings=settings, arrays=leaf, children=(questions(),)))
    with pytest.raises(TwinFormatError):
        build_final(Node("boosted", settings=settings, arrays=leaf, children=(questions(**changes),)))


def questions(**changes: Any) -> Node:  # noqa: ANN401
    """Rows of a category of two, of which the first goes right, and a number."""
    encoder = Node(
        "ordinal",
        settings={"refusesUnknown": False, "width": 1},
        arrays={
            "unknown": np.array([np.nan]),
            "missing": np.array([np.nan]),
            "knowsMissing": np.array([False]),
            "values0": np.array([3.0, 4.0]),
            "codes0": np.array([0.0, 1.0]),
        },
    )
    children = changes.pop("children", (encoder,))
    arrays = {
        "encoder": np.array([0]),
        "numerical": np.array([1]),
        "right0": np.array([[True], [False]]),
        "known0": np.array([True, True]),
    }
    for name, held in changes.items():
        arrays[name] = np.asarray(held, dtype=np.int64 if isinstance(held, list) else None)
    return Node("categories", arrays=arrays, children=children)
