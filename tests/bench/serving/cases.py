"""Models that are served: three that have a compiled program, and two that have none, with rows they were not fitted on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from tests.bench.twin.cases import numbers, real
from tests.support.bundles import BuiltBundle, FittedModel, build_bundle, build_compiled

LINE, FOREST, TEXT, SVC_CASE, NEIGHBOURS = (
    "LogisticRegression, 30 numbers",
    "forest of 100 trees, 8 numbers",
    "TF-IDF and LogisticRegression, titles",
    "SVC, 30 numbers",
    "KNN, 30 numbers",
)
COMPILED = (LINE, FOREST, TEXT)
NOT_COMPILED = (SVC_CASE, NEIGHBOURS)
_ROWS = 400


@dataclass(frozen=True)
class Served:
    """A model, its rows, and what it answers for them."""

    name: str
    model: Any
    matrix: np.ndarray
    compiled: bool

    @property
    def columns(self) -> list[str]:
        """Names that the columns have where they have any."""
        return [f"column_{place}" for place in range(self.matrix.shape[1])]

    @cached_property
    def expected(self) -> list[Any]:
        """Answers of scikit-learn, asked as a whole."""
        answers: list[Any] = self.model.predict(self.matrix).tolist()
        return answers

    @cached_property
    def likely(self) -> np.ndarray | None:
        """Its probabilities, a row of them for each row; None where the model has none."""
        return self.model.predict_proba(self.matrix) if hasattr(self.model, "predict_proba") else None

    @property
    def texts(self) -> bool:
        """Whether rows hold a text."""
        return self.matrix.dtype == np.object_

    def row(self, place: int) -> list[Any]:
        """A row as JSON."""
        values: list[Any] = self.matrix[place].tolist()
        return values

    def save(self, directory: Path) -> Path:
        """The model in the form in which peers read it."""
        file = directory / "model.joblib"
        joblib.dump(self.model, file)
        return file

    @cached_property
    def bundle(self) -> BuiltBundle:
        """The model in the form in which the trainer leaves it."""
        kind = ColumnType.TEXT if self.texts else ColumnType.NUMBER
        classes = getattr(self.model, "classes_", None)
        fitted = FittedModel(
            model=self.model,
            task=Task.REGRESSION if classes is None else Task.CLASSIFICATION,
            target="answer",
            inputs=[Column(name=name, type=kind, nullable=False) for name in self.columns],
            rows=[dict(zip(self.columns, self.row(place), strict=True)) for place in range(50)],
            classes=[] if classes is None else classes.tolist(),
        )
        return build_compiled(fitted) if self.compiled else build_bundle(fitted)


def served(names: list[str]) -> Iterator[Served]:
    """The models of these names, fitted one by one."""
    compiled = dict(zip(COMPILED, real(), strict=True)) if set(names) & set(COMPILED) else {}
    for name, case in compiled.items():
        if name in names:
            yield Served(name, case.model, case.rows[:_ROWS], compiled=True)
    X, y = numbers("breast_cancer", "diagnosis")
    for name, estimator in ((SVC_CASE, SVC()), (NEIGHBOURS, KNeighborsClassifier())):
        if name in names:
            model = make_pipeline(StandardScaler(), estimator).fit(X[200:], y[200:])
            yield Served(name, model, X[:200], compiled=False)
