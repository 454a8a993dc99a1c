"""What the catalog says about estimators that stand in the parameters of others."""

from typing import Any

import pytest

from modelyard_api.catalog import Catalog, CatalogClass, check_pipeline, load_catalog
from modelyard_api.catalog.components import DEEPEST, MOST_MEMBERS
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.pipeline import Pipeline

RIDGE = {"class": "Ridge"}
TREE = {"class": "DecisionTreeRegressor", "params": {"max_depth": 3}}


def sentences(
    class_: str,
    params: dict[str, Any],
    task: Task = Task.REGRESSION,
    preprocess: list[Any] | None = None,
    catalog: Catalog | None = None,
) -> list[str]:
    document = {"estimator": {"class": class_, "params": params}, "preprocess": preprocess or []}
    return [
        problem.sentence() for problem in check_pipeline(Pipeline.model_validate(document), task, catalog)
    ]


def member(name: str, document: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, **document}


def inside(levels: int) -> dict[str, Any]:
    """An estimator in as many others."""
    document: dict[str, Any] = RIDGE
    for _ in range(levels):
        document = {"class": "BaggingRegressor", "params": {"estimator": document}}
    return document


@pytest.mark.parametrize(
    ("class_", "params", "task"),
    [
        ("VotingRegressor", {"estimators": [member("a", RIDGE), member("b", TREE)], "weights": [1, 2]}, Task.REGRESSION),
        ("StackingRegressor", {"estimators": [member("a", RIDGE)], "final_estimator": TREE}, Task.REGRESSION),
        ("StackingRegressor", {"estimators": [member("a", RIDGE)], "final_estimator": None}, Task.REGRESSION),
        ("TransformedTargetRegressor", {"regressor": RIDGE, "func": "log1p"}, Task.REGRESSION),
        ("TransformedTargetRegressor", {"regressor": RIDGE, "transformer": {"class": "QuantileTransformer"}}, Task.REGRESSION),
        ("AdaBoostRegressor", {"estimator": TREE}, Task.REGRESSION),
        ("CalibratedClassifierCV", {"estimator": {"class": "LinearSVC"}, "method": "isotonic"}, Task.CLASSIFICATION),
        ("OneVsRestClassifier", {"estimator": {"class": "LogisticRegression"}}, Task.CLASSIFICATION),
    ],
)  # fmt: skip
def test_estimators_may_be_made_of_others(class_: str, params: dict[str, Any], task: Task) -> None:
    assert sentences(class_, params, task) == []


@pytest.mark.parametrize(
    ("class_", "params", "said"),
    [
        ("BaggingRegressor", {"estimator": {"class": "Rige"}},
         'spec.pipeline.estimator.params.estimator.class: "Rige" is not a class of the catalog'),
        ("BaggingRegressor", {"estimator": {"class": "LogisticRegression"}},
         'params.estimator.class: "LogisticRegression" is a classifier, here a regressor is needed'),
        ("BaggingRegressor", {"estimator": {"class": "Ridge", "params": {"alpha": -1}}},
         "params.estimator.params.alpha: -1 is not accepted by Ridge. alpha must be"),
        ("BaggingRegressor", {"estimator": {"class": "os.system"}}, "never imported by its path"),
        ("BaggingRegressor", {"estimator": "Ridge"},
         '"Ridge" is not accepted by BaggingRegressor. estimator must be class and params of a regressor or null'),
        ("BaggingRegressor", {"estimator": {"klass": "Ridge"}}, "is not an estimator: class: Field required"),
        ("BaggingRegressor", {"estimator": {"class": "Ridge", "params": 5}}, "is not an estimator: params: "),
        ("AdaBoostRegressor", {"estimator": {"class": "KNeighborsRegressor"}},
         'params.estimator.class: "KNeighborsRegressor" takes no weights of rows'),
        ("AdaBoostRegressor", {"estimator": {"class": "BaggingRegressor", "params": {"estimator": {"class": "KNeighborsRegressor"}}}},
         'params.estimator.params.estimator.class: "KNeighborsRegressor" takes no weights of rows'),
        ("TransformedTargetRegressor", {"func": "eval"}, 'func must be "arcsinh", "log"'),
        ("TransformedTargetRegressor", {"func": "log", "inverse_func": "exp"}, 'inverse_func: "exp" is for a parameter that TransformedTargetRegressor does not have'),
        ("TransformedTargetRegressor", {"func": "log", "transformer": {"class": "StandardScaler"}},
         'params.transformer: {"class": "StandardScaler"} stands beside func'),
        ("TransformedTargetRegressor", {"transformer": RIDGE}, "is a regressor, here a transformer is needed"),
        ("VotingRegressor", {}, "lacks a value for estimators, which VotingRegressor demands"),
        ("VotingRegressor", {"estimators": []}, "are 0 estimators, and VotingRegressor takes 1 to"),
        ("VotingRegressor", {"estimators": [member(f"m{n}", RIDGE) for n in range(MOST_MEMBERS + 1)]}, "takes 1 to 20"),
        ("VotingRegressor", {"estimators": ["Ridge"]}, 'estimators[0]: "Ridge" is not an estimator with its name'),
        ("VotingRegressor", {"estimators": [RIDGE]}, "estimators[0].name: null is not a name"),
        ("VotingRegressor", {"estimators": [member("a__b", RIDGE)]}, 'estimators[0].name: "a__b" is not a name'),
        ("VotingRegressor", {"estimators": [member("weights", RIDGE)]}, "is a parameter of VotingRegressor"),
        ("VotingRegressor", {"estimators": RIDGE}, "is not accepted by VotingRegressor. estimators must be a list of"),
        ("StackingRegressor", {"estimators": [member("a", RIDGE)], "cv": "prefit"}, "cv must be an integer ≥ 2 or null"),
    ],
)  # fmt: skip
def test_an_estimator_that_cannot_stand_in_another_is_refused_where_it_stands(
    class_: str, params: dict[str, Any], said: str
) -> None:
    (sentence,) = sentences(class_, params)
    assert said in sentence


def test_two_members_of_one_name_are_each_told() -> None:
    found = sentences("VotingRegressor", {"estimators": [member("a", RIDGE), member("a", TREE)]})
    assert len(found) == 2
    assert all("names more than one estimator" in sentence for sentence in found)


def test_estimators_stand_in_one_another_up_to_a_bound() -> None:
    assert sentences("BaggingRegressor", {"estimator": inside(DEEPEST - 1)}) == []
    (sentence,) = sentences("BaggingRegressor", {"estimator": inside(DEEPEST)})
    assert f"stands in more than {DEEPEST} other estimators" in sentence
    deep = sentences("BaggingRegressor", {"estimator": inside(400)})
    assert len(deep) == 1


@pytest.mark.parametrize(
    ("task", "wrong"), [(Task.REGRESSION, "LogisticRegression"), (Task.CLASSIFICATION, "Lasso")]
)
def test_a_selector_of_features_asks_an_estimator_of_the_task(task: Task, wrong: str) -> None:
    estimator = "Ridge" if task is Task.REGRESSION else "RidgeClassifier"
    step = {"class": "SelectFromModel", "params": {"estimator": {"class": wrong}}}
    branch = {"name": "part", "columns": {"types": ["Numeric"]}, "steps": [step]}
    (sentence,) = sentences(estimator, {}, task, [branch])
    assert "preprocess[0].steps[0].params.estimator.class" in sentence
    assert "is needed" in sentence
    step["params"] = {"estimator": {"class": estimator}}
    assert sentences(estimator, {}, task, [branch]) == []


def test_a_class_may_be_named_in_full_and_must_be_where_its_name_is_not_enough() -> None:
    assert sentences("sklearn.linear_model.Ridge", {"alpha": 2}) == []
    catalog = load_catalog()
    ridge = catalog.find("Ridge")
    assert ridge is not None
    other = CatalogClass.model_validate({**ridge.model_dump(), "module": "other"})
    twice = Catalog(libraries=catalog.libraries, classes=[*catalog.classes, other], refused=catalog.refused)
    (sentence,) = sentences("Ridge", {}, catalog=twice)
    assert "names more than one class. Write sklearn.linear_model.Ridge or other.Ridge" in sentence
    assert sentences("sklearn.linear_model.Ridge", {}, catalog=twice) == []
