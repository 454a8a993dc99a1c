"""From rows and a spec to a fitted model, and every way in which the two do not fit each other."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.errors import DataError, InvalidSpecError, StepError
from modelyard_trainer.features import make_plan
from modelyard_trainer.pipeline import accepting_missing
from tests.support.fitting import fit_in_memory, spec_of, version_of

ROWS = 60
REGRESSION = {"task": "Regression", "target": "price", "pipeline": {"estimator": {"class": "Ridge"}}}
CLASSES = {
    "task": "Classification",
    "target": "kind",
    "features": {"include": ["size"]},
    "pipeline": {"estimator": {"class": "DecisionTreeClassifier"}},
}
NUMBERS = {"include": ["size", "rooms"]}


def offers(**columns: object) -> pa.Table:
    """Rows with one column of each type; ``columns`` replace or add some, None leaves one out."""
    number = np.arange(1, ROWS + 1)
    given: dict[str, object] = {
        "row": number,
        "size": number * 1.5,
        "rooms": number % 5,
        "garden": number % 2 == 0,
        "title": [f"house {each} by the sea" for each in number],
        "price": number * 3.0,
        "kind": np.where(number % 3 == 0, "flat", "house").tolist(),
        **columns,
    }
    return pa.table({name: values for name, values in given.items() if values is not None})


def branch(column: str | list[str], *classes: str) -> dict[str, Any]:
    names = [column] if isinstance(column, str) else column
    return {
        "name": f"part_{names[0]}",
        "columns": {"names": names},
        "steps": [{"class": each} for each in classes],
    }


def regression(estimator: str = "Ridge", **changes: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    preprocess = changes.pop("preprocess", [])
    pipeline = {"estimator": {"class": estimator}, "preprocess": preprocess}
    return {**REGRESSION, "features": NUMBERS, "pipeline": pipeline, **changes}


def refusal(spec: dict[str, Any], table: pa.Table) -> StepError:
    with pytest.raises(StepError) as raised:
        fit_in_memory(spec, version_of(table))
    return raised.value


@pytest.mark.parametrize(
    ("changes", "message", "remedy"),
    [
        ({"target": "prize"}, "spec.target = 'prize': is not a column of the data", "Did you mean price"),
        ({"target": "row"}, "spec.target = 'row': is part of the key", ""),
        (
            {"target": "title"},
            "is a column of type Text, Regression predicts Integer or Number",
            "Use task Class",
        ),
        (
            {"features": {"include": ["sise"]}},
            "spec.features.include[0] = 'sise': is not a column",
            "mean size?",
        ),
        ({"features": {"include": ["price"]}}, "is the target and cannot be a feature", ""),
        (
            {"features": {"exclude": ["sise"]}},
            "spec.features.exclude[0] = 'sise': is not a column",
            "mean size?",
        ),
        (
            {"features": {"exclude": ["size", "rooms", "garden", "title", "kind"]}},
            "spec.features: leaves no feature",
            "Exclude fewer columns",
        ),
        (
            {"features": {"include": ["size", "title"]}},
            "Ridge cannot read the text of title",
            "TfidfVectorizer",
        ),
        (
            {"task": "Classification", "target": "price"},
            "Classification predicts Boolean or Integer",
            "Regression",
        ),
    ],
)
def test_a_spec_that_does_not_fit_the_columns_is_refused_with_field_value_and_remedy(
    changes: dict[str, Any], message: str, remedy: str
) -> None:
    spec = regression(**changes)
    if spec["task"] == "Classification":
        spec["pipeline"] = {"estimator": {"class": "DecisionTreeClassifier"}}
    error = refusal(spec, offers())
    assert isinstance(error, InvalidSpecError)
    assert message in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ([branch("sise", "StandardScaler")], "preprocess[0].columns.names[0] = 'sise': is not a column"),
        ([branch("size", "TfidfVectorizer")], "is of type Number, TfidfVectorizer reads Text"),
        (
            [{"name": "part", "columns": {"types": ["Text"]}, "steps": [{"class": "OrdinalEncoder"}]}],
            "preprocess[0].columns.types = 'Text': matches no feature",
        ),
        (
            [{"name": "part", "columns": {"pattern": "siz|Rooms"}, "steps": [{"class": "StandardScaler"}]}],
            "preprocess[0].columns.pattern = 'siz|Rooms': matches no feature",
        ),
    ],
)
def test_a_branch_that_does_not_fit_the_columns_is_refused(branches: list[object], message: str) -> None:
    error = refusal(regression(preprocess=branches), offers())
    assert isinstance(error, InvalidSpecError)
    assert message in error.message


def test_two_text_columns_do_not_fit_one_vectoriser() -> None:
    spec = regression(
        features={"include": ["title", "kind"]},
        preprocess=[
            {"name": "part", "columns": {"types": ["Text"]}, "steps": [{"class": "TfidfVectorizer"}]}
        ],
    )
    assert "selects 2 features, and TfidfVectorizer reads one" in refusal(spec, offers()).message


@pytest.mark.parametrize(
    ("spec", "columns", "message"),
    [
        (
            regression(),
            {"price": [5.0] * ROWS},
            "target price: is constant in the training part: every row has 5.0",
        ),
        (regression(), {"price": [None, *[1.0, 2.0] * 29, 3.0]}, "target price: misses its value in 1 of"),
        (
            regression(),
            {"price": [math.nan, *[1.0, 2.0] * 29, 3.0]},
            "target price: misses its value in 1 of",
        ),
        (regression(), {"price": [math.inf] * ROWS}, "target price: is infinite"),
        (CLASSES, {"kind": ["flat"] * ROWS}, "target kind: is of one class in the training part"),
        (CLASSES, {"kind": pa.nulls(ROWS, pa.string())}, "target kind: misses its value"),
        (regression(), {"size": [math.inf] * ROWS}, "feature size: holds"),
        (regression(), {"size": [None, *[1.0] * (ROWS - 1)]}, "feature size (1): holds missing values"),
    ],
)
def test_data_that_cannot_train_a_model_are_refused_with_the_column(
    spec: dict[str, Any], columns: dict[str, object], message: str
) -> None:
    error = refusal(spec, offers(**columns))
    assert isinstance(error, DataError)
    assert message in error.message
    assert error.remedy


def test_a_split_without_test_rows_is_refused() -> None:
    error = refusal(regression(), offers().slice(0, 3))
    assert isinstance(error, DataError)
    assert "rows, 2 are needed" in error.message


def test_a_missing_text_is_a_matter_of_the_data_and_not_of_the_vectoriser() -> None:
    titles = ["a house", None, *["a flat"] * (ROWS - 2)]
    spec = regression(features={"include": ["title"]}, preprocess=[branch("title", "TfidfVectorizer")])
    error = refusal(spec, offers(title=titles))
    assert isinstance(error, DataError)
    assert "feature title: misses its text in 1 of" in error.message


@pytest.mark.parametrize(
    ("spec", "said", "remedy"),
    [
        (
            regression("HistGradientBoostingRegressor", features={"include": ["title"]},
                       preprocess=[branch("title", "TfidfVectorizer")]),
            "fit of HistGradientBoostingRegressor: TypeError",
            "TruncatedSVD",
        ),
        (
            regression(features={"include": ["kind"]}, preprocess=[branch("kind", "StandardScaler")]),
            "could not convert string to float",
            "give it its own branch with an encoder",
        ),
        (
            regression(features={"include": ["title"]}, preprocess=[branch("title", "OneHotEncoder")]),
            "predictions of Ridge: ValueError: Found unknown categories",
            "handle_unknown: ignore",
        ),
        (regression("GammaRegressor", target="below"), "fit of GammaRegressor: ValueError: ", "Change the pipeline"),
    ],
)  # fmt: skip
def test_an_estimators_own_complaint_is_class_code_with_its_first_line(
    spec: dict[str, Any], said: str, remedy: str
) -> None:
    error = refusal(spec, offers(below=-np.arange(1.0, ROWS + 1)))
    assert error.failure().failure_class is FailureClass.CODE
    assert said in error.message
    assert "\n" not in error.message
    assert remedy in error.remedy


def test_only_features_that_a_branch_reads_are_inputs_in_the_order_of_the_data() -> None:
    spec = regression(features=None, preprocess=[branch(["rooms", "size"], "StandardScaler")])
    plan = make_plan(version_of(offers()).manifest, spec_of(spec))
    assert [column.name for column in plan.inputs] == ["size", "rooms"]
    assert plan.branches[0].positions == [1, 0]


def test_a_pattern_selects_the_features_whose_whole_names_match() -> None:
    numbers = {"name": "part", "columns": {"pattern": "(r|s).*[^m]"}, "steps": [{"class": "StandardScaler"}]}
    plan = make_plan(version_of(offers()).manifest, spec_of(regression(features=None, preprocess=[numbers])))
    assert [column.name for column in plan.inputs] == ["size", "rooms"]


def test_branches_of_every_type_of_column_are_put_side_by_side() -> None:
    spec = regression(
        features=None,
        preprocess=[
            {"name": "numbers", "columns": {"types": ["Numeric", "Boolean"]},
             "steps": [{"class": "SimpleImputer", "params": {"strategy": "median"}}, {"class": "StandardScaler"}]},
            branch("kind", "OneHotEncoder"),
            branch("title", "TfidfVectorizer"),
        ],
    )  # fmt: skip
    fitted = fit_in_memory(spec, version_of(offers(size=[None, *np.arange(2.0, ROWS + 1)])))
    assert [column.name for column in fitted.plan.inputs] == ["size", "rooms", "garden", "title", "kind"]
    assert fitted.data.train.X.dtype == object
    assert fitted.metrics["r2"] > 0.9
    assert accepting_missing(fitted.plan, fitted.data.missing_in_training) == {"size", "rooms", "garden"}


def test_columns_without_text_make_a_plain_matrix_of_numbers() -> None:
    fitted = fit_in_memory(regression(features={"include": ["size", "garden"]}), version_of(offers()))
    assert fitted.data.train.X.dtype == np.float64
    assert set(fitted.data.train.X[:, 1]) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("target", "classes"),
    [("kind", ["flat", "house"]), ("rooms", [0, 1, 2, 3, 4]), ("garden", [False, True])],
)
def test_classes_keep_the_type_of_the_target(target: str, classes: list[object]) -> None:
    fitted = fit_in_memory({**CLASSES, "target": target}, version_of(offers()))
    assert fitted.model.classes_.tolist() == classes
    assert fitted.plan.target.type in set(ColumnType)


def test_class_weights_are_by_label_although_keys_of_json_are_text() -> None:
    weighted = {"class": "DecisionTreeClassifier", "params": {"class_weight": dict.fromkeys("01234", 2)}}
    spec = {**CLASSES, "target": "rooms", "pipeline": {"estimator": weighted}}
    assert fit_in_memory(spec, version_of(offers())).model[-1].class_weight == dict.fromkeys(range(5), 2)
    weighted["params"] = {"class_weight": {"9": 1}}
    assert "class_weight = '9': is not a class of the training part" in refusal(spec, offers()).message


def test_a_seed_is_given_where_the_user_gives_none() -> None:
    fitted = fit_in_memory(regression("RandomForestRegressor"), version_of(offers()))
    assert fitted.model[-1].random_state == 0
