"""A model as data: columns to transformers, and an estimator, by the names of classes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelyard_api.base import ApiModel, OneOf
from modelyard_api.v1alpha1.common import ColumnName, Json

ClassName = Annotated[str, Field(min_length=1, max_length=128)]


class Component(ApiModel):
    """A class of the catalog and its parameters."""

    class_: Annotated[ClassName, Field(alias="class")]
    """Name of a class of scikit-learn, XGBoost, LightGBM or imbalanced-learn, for example StandardScaler."""
    params: Annotated[dict[Annotated[str, Field(max_length=63)], Json], Field(max_length=100)] = {}
    """Keyword arguments of the class; a list stands for a tuple where the class wants one."""


class ColumnSelection(OneOf):
    """Which columns a group of steps sees."""

    types: (
        Annotated[list[Literal["Numeric", "Text", "Boolean"]], Field(min_length=1, max_length=3)] | None
    ) = None
    """All features of these types."""
    names: Annotated[list[ColumnName], Field(min_length=1, max_length=1000)] | None = None
    """These features."""
    pattern: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """All features whose whole name matches this regular expression of Python, for example lag_[0-9]+."""


class Preprocess(ApiModel):
    """Steps for a group of columns: one branch of a ColumnTransformer."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)]
    """Name of the branch."""
    columns: ColumnSelection
    """Columns that go through it."""
    steps: Annotated[list[Component], Field(min_length=1, max_length=10)]
    """Transformers in order."""


class EarlyStopping(ApiModel):
    """How the number of trees of a booster is found: as many as help on rows that it was not fitted on."""

    rounds: Annotated[int, Field(ge=1, le=1000)]
    """Trees in a row that do not help, after which no more are tried."""
    validation_percent: Annotated[int, Field(ge=1, le=50)] = 10
    """Percent of the training rows to judge by, chosen at random by a fixed seed."""


class Pipeline(ApiModel):
    """Preprocessing and an estimator."""

    preprocess: Annotated[list[Preprocess], Field(max_length=20)] = []
    """Branches side by side; a feature in none of them is left out. Empty passes all features on as they are."""
    resample: Component | None = None
    """Sampler of imbalanced-learn that adds or leaves out rows of the training part, after preprocess; Classification."""
    estimator: Component
    """What is trained."""
    early_stopping: EarlyStopping | None = None
    """Finds the number of trees of XGBoost and LightGBM, up to n_estimators; then all training rows are fitted."""
