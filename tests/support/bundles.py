"""Model bundles made in a test: a fitted scikit-learn model, written to a store as training writes one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from modelyard_api.contract.bundle import (
    BUNDLE_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
    TWIN_FILE,
    Bundle,
    BundleFile,
    Certificate,
    GoldenRequest,
    Library,
    bundle_prefix,
)
from modelyard_api.contract.manifest import Column
from modelyard_api.contract.route import RoutedModel
from modelyard_api.digests import canonical_digest, canonical_json
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.twin import certified

DATASET_DIGEST = "sha256:" + "d" * 64


@dataclass(frozen=True)
class FittedModel:
    """A model and what a bundle says of it."""

    model: Any
    task: Task
    target: str
    inputs: list[Column]
    rows: list[dict[str, Any]]
    """Golden rows and input example."""
    classes: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class BuiltBundle:
    """The files of a bundle; a test changes what it wants before they are written."""

    document: dict[str, Any]
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Digest of the model."""
        return canonical_digest(self.document)

    def write(self, store: ObjectStore, version: str = "1") -> RoutedModel:
        """Puts the bundle on the store; returns how a route names it."""
        prefix = bundle_prefix(store.endpoint.prefix, self.digest)
        store.create(f"{prefix}/{BUNDLE_FILE}", canonical_json(self.document))
        for name, content in self.files.items():
            store.create(f"{prefix}/{name}", content)
        return RoutedModel(
            version=version,
            run_id=f"run-{version}",
            model_digest=self.digest,
            bundle_uri=store.uri(prefix),
            dataset_digest=DATASET_DIGEST,
        )


def build_bundle(fitted: FittedModel, run_id: str = "run", model: bytes | None = None) -> BuiltBundle:
    """A bundle of a fitted model; ``model`` replaces the skops file, for files that nobody should load."""
    content = skops.io.dumps(fitted.model) if model is None else model
    return make_bundle(fitted, {MODEL_FILE: content, GOLDEN_FILE: canonical_json(_golden(fitted))}, run_id)


def build_compiled(fitted: FittedModel) -> BuiltBundle:
    """A bundle with the model's compiled program."""
    program, certificate = certified(fitted.model, matrix_of(fitted.inputs, fitted.rows))
    assert program is not None, certificate.reason
    files = {**build_bundle(fitted).files, TWIN_FILE: program.dump()}
    return make_bundle(fitted, files, certificate=certificate)


def make_bundle(
    fitted: FittedModel,
    files: Mapping[str, bytes],
    run_id: str = "run",
    certificate: Certificate | None = None,
) -> BuiltBundle:
    """A bundle of these files, whatever they hold."""
    bundle = Bundle(
        task=fitted.task,
        target=fitted.target,
        inputs=fitted.inputs,
        classes=fitted.classes,
        run_id=run_id,
        dataset_digest=DATASET_DIGEST,
        libraries=[Library(name="scikit-learn", version="1.9.1")],
        input_example=fitted.rows[:3],
        certificate=certificate,
        files=[
            BundleFile(name=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
            for name, content in files.items()
        ],
    )
    return BuiltBundle(bundle.to_wire(), dict(files))


def matrix_of(inputs: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Rows in the form in which training sees them; see ``modelyard_runtime.matrix``."""
    texts = any(column.type is ColumnType.TEXT for column in inputs)
    matrix = np.empty((len(rows), len(inputs)), dtype=object if texts else np.float64)
    for place, column in enumerate(inputs):
        for number, row in enumerate(rows):
            value = row[column.name]
            if value is None:
                value = np.nan
            matrix[number, place] = value if column.type is ColumnType.TEXT else float(value)
    return matrix


def iris(seed: int = 0) -> FittedModel:
    """Scaler and logistic regression on four numbers; nothing may be missing."""
    data, target = load_iris(return_X_y=True)
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    kinds = np.array(["setosa", "versicolor", "virginica"])[target]
    keep = np.random.default_rng(seed).permutation(len(data))[:120]
    model = Pipeline([("scale", StandardScaler()), ("estimator", LogisticRegression(max_iter=500))])
    model.fit(data[keep], kinds[keep])
    return FittedModel(
        model=model,
        task=Task.CLASSIFICATION,
        target="species",
        inputs=[Column(name=name, type=ColumnType.NUMBER, nullable=False) for name in names],
        rows=[dict(zip(names, map(float, row), strict=True)) for row in data[[0, 75, 149, 10]]],
        classes=["setosa", "versicolor", "virginica"],
    )


def titles() -> FittedModel:
    """A text, a whole number, a number that may be missing and a boolean, through a ColumnTransformer."""
    inputs = [
        Column(name="title", type=ColumnType.TEXT, nullable=False),
        Column(name="pages", type=ColumnType.INTEGER, nullable=False),
        Column(name="price", type=ColumnType.NUMBER, nullable=True),
        Column(name="stocked", type=ColumnType.BOOLEAN, nullable=False),
    ]
    words = ["red shoe", "blue hat", "smart phone black", "phone case", "winter hat", "running shoe"]
    rows: list[dict[str, Any]] = [
        {"title": f"{word} {n}", "pages": n, "price": None if n % 5 == 0 else n / 3, "stocked": n % 2 == 0}
        for n in range(20)
        for word in words
    ]
    kinds = np.array([row["title"].split()[-2] for row in rows])
    branches = ColumnTransformer(
        [
            ("title", Pipeline([("tfidf", TfidfVectorizer())]), 0),
            ("numeric", Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())]), [1, 2, 3]),
        ]
    )
    model = Pipeline([("preprocess", branches), ("estimator", LogisticRegression(max_iter=500))])
    model.fit(matrix_of(inputs, rows), kinds)
    return FittedModel(
        model, Task.CLASSIFICATION, "kind", inputs, rows[:8], [str(kind) for kind in model.classes_]
    )


def forest(trees: int = 30, seed: int = 0) -> FittedModel:
    """A regression whose row is too slow for the event loop when it has enough trees."""
    generator = np.random.default_rng(seed)
    data = generator.normal(size=(300, 3))
    model = RandomForestRegressor(trees, random_state=seed, n_jobs=1)
    model.fit(data, data @ [1.0, 2.0, 3.0])
    return FittedModel(
        model=Pipeline([("estimator", model)]),
        task=Task.REGRESSION,
        target="value",
        inputs=[Column(name=name, type=ColumnType.NUMBER, nullable=False) for name in ("a", "b", "c")],
        rows=[dict(zip(("a", "b", "c"), map(float, row), strict=True)) for row in data[:4]],
    )


def _golden(fitted: FittedModel) -> dict[str, Any]:
    matrix = matrix_of(fitted.inputs, fitted.rows)
    known = hasattr(fitted.model, "predict_proba")
    golden = GoldenRequest(
        rows=fitted.rows,
        predictions=fitted.model.predict(matrix).tolist(),
        probabilities=fitted.model.predict_proba(matrix).tolist() if known else None,
    )
    return golden.to_wire()
