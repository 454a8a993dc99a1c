"""From rows and a spec to a fitted model."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.errors import StepError
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
