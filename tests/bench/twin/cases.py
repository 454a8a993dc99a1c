"""Who is measured: three models on real rows, and every class of the catalog in a small pipeline of its own."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.csv
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bringup.paths import REPOSITORY
from modelyard_api.catalog import CatalogClass, load_catalog
from modelyard_api.catalog.model import Kind

_DATA = REPOSITORY / "images" / "loader" / "modelyard_loader" / "sources" / "data"
_ROWS = 400
_HELD_OUT = 100
_LINE, _RIDGE = LogisticRegression(), Ridge()
_GIVEN: Mapping[str, Mapping[str, Any]] = {
    "ComplementNB": {},
    "FixedThresholdClassifier": {"estimator": _LINE},
    "LGBMClassifier": {"verbose": -1, "n_jobs": 1},
    "LGBMRegressor": {"verbose": -1, "n_jobs": 1},
    "OneVsOneClassifier": {"estimator": _LINE},
    "OneVsRestClassifier": {"estimator": _LINE},
    "OutputCodeClassifier": {"estimator": _LINE},
    "RFE": {"estimator": _RIDGE},
    "RFECV": {"estimator": _RIDGE},
    "SelectFromModel": {"estimator": _RIDGE},
    "SequentialFeatureSelector": {"estimator": _RIDGE},
    "StackingClassifier": {"estimators": [("line", _LINE)], "cv": 2},
    "StackingRegressor": {"estimators": [("line", _RIDGE)], "cv": 2},
    "VotingClassifier": {"estimators": [("line", _LINE)], "voting": "soft"},
    "VotingRegressor": {"estimators": [("line", _RIDGE)]},
    **{
        name: {"n_jobs": 1} for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
    },
}
"""What a class must or should be given here."""
_OF_CATEGORIES = frozenset({"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"})


@dataclass(frozen=True)
class Case:
    """A fitted model and rows that it was not fitted on."""

    name: str
    model: Any
    rows: np.ndarray


def real() -> Iterator[Case]:
    """Thirty numbers and a logistic regression; eight and a forest of a hundred trees; titles and their kinds."""
    X, y = numbers("breast_cancer", "diagnosis")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    yield Case("30 numbers, scaler and LogisticRegression", model.fit(X[100:], y[100:]), X[:100])
    X, y = numbers("california_housing", "MedHouseVal")
    forest = RandomForestRegressor(100, random_state=0)
    yield Case("8 numbers, forest of 100 trees", make_pipeline(forest).fit(X[4000:], y[4000:]), X[:1000])
    table = _table("product_titles")
    texts = np.array([table.column("title").to_pylist()], dtype=np.object_).T
    kinds = np.array(table.column("category").to_pylist())
    columns = ColumnTransformer([("title", TfidfVectorizer(ngram_range=(1, 2), max_features=5000), 0)])
    text = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(texts[6000:16000], kinds[6000:16000])
    yield Case("titles, TF-IDF of 5,000 terms and LogisticRegression", text, texts[:1000])


def classes(kinds: frozenset[Kind]) -> Iterator[tuple[str, Case | None]]:
    """A pipeline for every class of these kinds, None where it cannot be fitted on the rows that are made here."""
    for known in load_catalog().classes:
        if kinds.isdisjoint(known.kinds):
            continue
        try:
            case = _case(known, before=Kind.TRANSFORMER in kinds)
            case.model.predict(case.rows[:1])
        except Exception:  # noqa: BLE001  whatever a class wants that these rows do not have
            case = None
        yield known.name, case


def _case(known: CatalogClass, *, before: bool) -> Case:
    """``before`` says that the class stands before a regression, not in its place."""
    given = dict(_GIVEN.get(known.name, {}))
    if known.parameter("random_state") is not None:
        given.setdefault("random_state", 0)
    instance = getattr(importlib.import_module(known.module), known.name)(**given)
    made = np.random.default_rng(0)
    X = made.uniform(0.1, 1.0, size=(_ROWS, 6))
    y: np.ndarray = X[:, 0] * X[:, 1] + X[:, 2] + 0.1 * made.normal(size=_ROWS) ** 2 + 0.1
    if known.input == "text":
        words = np.array(["red", "blue", "shoe", "hat", "phone", "case", "winter", "black"])
        texts = np.array([[" ".join(made.choice(words, size=5))] for _ in range(_ROWS)], dtype=np.object_)
        if known.name == "TfidfTransformer":
            return Case(known.name, make_pipeline(instance, Ridge()).fit(X, y), X[:_HELD_OUT])
        model = make_pipeline(ColumnTransformer([("text", instance, 0)]), Ridge()).fit(texts, y)
        return Case(known.name, model, texts[:_HELD_OUT])
    if known.name in _OF_CATEGORIES:
        X = np.array([["abcdefgh"[at] for at in row] for row in (X * 8).astype(int)], dtype=np.object_)
    if before:
        return Case(known.name, make_pipeline(instance, Ridge()).fit(X, y), X[:_HELD_OUT])
    target = np.digitize(y, np.quantile(y, [0.5])) if Kind.CLASSIFIER in known.kinds else y
    return Case(known.name, make_pipeline(instance).fit(X, target), X[:_HELD_OUT])


def _table(name: str) -> Any:  # noqa: ANN401  pyarrow has no types
    return pyarrow.csv.read_csv(_DATA / f"{name}.csv.gz")


def numbers(name: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """A builtin data set of numbers: its rows, shape (rows, columns), and the target of each."""
    table = _table(name)
    names = [column for column in table.column_names if column not in {target, "id"}]
    X = np.column_stack([table.column(column).to_numpy() for column in names]).astype(np.float64)
    return X, table.column(target).to_numpy()
