"""Rows that no model can be made of, or judged by, are named by column, count and remedy."""

import math

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_runtime.errors import DataError
from modelyard_trainer.making import material_of
from tests.support.fitting import spec_of, version_of
from tests.unit.trainer.bad_inputs import Bad, assert_refused, branch, classes, numbers
from tests.unit.trainer.test_fitting import ROWS

CODE, DATA = FailureClass.CODE, FailureClass.DATA
_HALF = [1.0, 2.0] * (ROWS // 2)
_KINDS = ["flat", "house"] * (ROWS // 2)
_TITLE = {"include": ["title"]}
_LOG = {"regressor": {"class": "Ridge"}, "func": "log"}
_IMPUTED = branch("SimpleImputer", {"names": ["size", "rooms"]}, strategy="median")


def folds(count: int) -> dict[str, object]:
    return {"crossValidation": {"folds": count}}


def first(value: object, values: list[object] | list[float] | list[str]) -> list[object]:
    """The values with another one in front."""
    return [value, *values[1:]]


TARGETS = [
    Bad("a constant target", numbers(), DATA, ("target price: is constant in the training part: every row has 5.0",), "Use another target", {"price": [5.0] * ROWS}),
    Bad("a target that is missing", numbers(), DATA, ("target price: misses its value in 1 of",), "dropMissing", {"price": first(None, _HALF)}),
    Bad("a target that is no number", numbers(), DATA, ("target price: misses its value in 1 of",), "dropMissing", {"price": first(math.nan, _HALF)}),
    Bad("an infinite target", numbers(), DATA, ("target price: is infinite in some",), "Filter them out", {"price": first(math.inf, _HALF)}),
    Bad("a single class", classes(), DATA, ("target kind: is of one class in the training part: every row has flat",), "Use another target", {"kind": ["flat"] * ROWS}),
    Bad("classes that are missing", classes(), DATA, ("target kind: misses its value in",), "dropMissing", {"kind": pa.nulls(ROWS, pa.string())}),
    Bad("a class with no row to learn from", classes(evaluation=folds(3)), DATA, ("leave fold", "with rows of one class to learn from"), "Use fewer folds", {"kind": first("flat", ["house"] * ROWS)}),
    Bad("a logarithm of numbers below 0", numbers("TransformedTargetRegressor", params=_LOG), DATA, ("func = 'log': takes values above 0",), "arcsinh", {"price": first(-1.0, _HALF)}),
    Bad("a gamma model of numbers below 0", numbers("GammaRegressor"), CODE, ("fit of GammaRegressor: ValueError: ",), "Change the pipeline", {"price": -np.arange(1.0, ROWS + 1)}),
]  # fmt: skip

FEATURES = [
    Bad("an infinite feature", numbers(), DATA, ("feature size: holds 48 infinite values",), "division by zero", {"size": [math.inf] * ROWS}),
    Bad("a missing feature", numbers(), DATA, ("feature size (1): holds missing values",), "SimpleImputer", {"size": first(None, _HALF)}),
    Bad("a feature that is no number", numbers(), DATA, ("feature size (1): holds missing values",), "SimpleImputer", {"size": first(math.nan, _HALF)}),
    Bad("a feature of missing values alone", numbers(pipeline=_IMPUTED), DATA, ("feature size: has no value in any of 48 training rows",), "Leave it out", {"size": pa.nulls(ROWS, pa.float64())}),
    Bad("a missing title", numbers(pipeline=branch("TfidfVectorizer", {"names": ["title"]}), features=_TITLE), DATA, ("feature title: misses its text in 1 of",), "dropMissing", {"title": first(None, _KINDS)}),
    Bad("titles of stop words alone", numbers(pipeline=branch("TfidfVectorizer", {"names": ["title"]}, stop_words="english"), features=_TITLE), CODE, ("fit of Ridge: ValueError: empty vocabulary",), "Change the pipeline", {"title": ["the of and"] * ROWS}),
    Bad("a category that training did not see", numbers(pipeline=branch("OneHotEncoder", {"names": ["title"]}), features=_TITLE), CODE, ("predictions of Ridge: ValueError: Found unknown categories",), "handle_unknown: ignore"),
    Bad("a text to a scaler", numbers(pipeline=branch("StandardScaler", {"names": ["title"]}), features=_TITLE), CODE, ("could not convert string to float",), "give it its own branch with an encoder"),
    Bad("a sparse matrix to a dense model", numbers("HistGradientBoostingRegressor", pipeline=branch("TfidfVectorizer", {"names": ["title"]}), features=_TITLE), CODE, ("fit of HistGradientBoostingRegressor: TypeError",), "TruncatedSVD"),
    Bad("words below 0 to naive Bayes", classes("MultinomialNB"), CODE, ("fit of MultinomialNB: ValueError: Negative values",), "Change the pipeline", {"size": -np.arange(1.0, ROWS + 1)}),
    Bad("more components than features", numbers(pipeline=branch("PCA", {"names": ["size"]}, n_components=9)), CODE, ("fit of Ridge: ValueError: n_components=9",), "Change the pipeline"),
]  # fmt: skip

WEIGHTS = [
    Bad("a weight below 0", numbers(sampleWeightColumn="wait"), DATA, ("weight wait: is negative or infinite in 1",), "from 0 upwards", {"wait": first(-1.0, _HALF)}),
    Bad("an infinite weight", numbers(sampleWeightColumn="wait"), DATA, ("weight wait: is negative or infinite in 1",), "from 0 upwards", {"wait": first(math.inf, _HALF)}),
    Bad("a missing weight", numbers(sampleWeightColumn="wait"), DATA, ("weight wait: misses its value in 1 of",), "fillMissing", {"wait": first(None, _HALF)}),
    Bad("weights of 0 alone", numbers(sampleWeightColumn="wait"), DATA, ("weight wait: is 0 in every training row",), "above 0", {"wait": [0.0] * ROWS}),
]  # fmt: skip

FEW = [
    Bad("no row", numbers(), DATA, ("the training part of the data holds 0 rows, 2 are needed",), "Load more rows", rows=0),
    Bad("no row to test", numbers(), DATA, ("rows, 2 are needed",), "Load more rows", rows=3),
    Bad("more folds than rows", numbers(evaluation=folds(20)), DATA, ("crossValidation.folds = 20: are too many for",), "Use fewer folds", rows=20),
    Bad("a neighbour too few for new rows", classes(pipeline={"resample": {"class": "SMOTE"}}), CODE, ("fit of DecisionTreeClassifier: ValueError: Expected n_neighbors",), "Change the pipeline", {"kind": ["flat"] * 3 + ["house"] * (ROWS - 3)}),
    Bad("a neighbour too few in a fold", classes(pipeline={"resample": {"class": "SMOTE", "params": {"k_neighbors": 5}}}, evaluation=folds(4)), CODE, ("cross-validation of DecisionTreeClassifier: ValueError: Expected n_neighbors",), "Change the pipeline", {"kind": ["flat"] * 8 + ["house"] * (ROWS - 8)}),
    Bad("neighbours for more than there are", numbers("KNeighborsRegressor", params={"n_neighbors": 500}), CODE, ("predictions of KNeighborsRegressor: ValueError: Expected n_neighbors",), "Change the pipeline"),
    Bad("a test part of one class", classes(evaluation={"primary": "mcc"}), DATA, ("metric mcc: is not defined on the test part",), "another primary metric", {"kind": ["flat"] + ["house"] * (ROWS - 1)}),
]  # fmt: skip


@pytest.mark.parametrize("case", [*TARGETS, *FEATURES, *WEIGHTS, *FEW], ids=lambda case: case.what)
def test_rows_that_no_model_can_be_made_of_are_named_with_count_and_remedy(case: Bad) -> None:
    assert_refused(case)


def test_a_target_of_more_classes_than_a_model_tells_apart_is_refused_with_their_number() -> None:
    many = 1_500
    table = pa.table({"row": range(many), "size": np.arange(many, dtype=float), "kind": range(many)})
    with pytest.raises(DataError, match=r"target kind: has 1\d{3} different values, at most 1000 classes"):
        material_of(version_of(table), spec_of(classes(features={"include": ["size"]})))
