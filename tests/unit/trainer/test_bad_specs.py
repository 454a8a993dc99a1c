"""Specs that no model can be made of are named by field, value and remedy before any row is read twice."""

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from tests.unit.trainer.bad_inputs import Bad, assert_refused, branch, classes, numbers
from tests.unit.trainer.test_fitting import ROWS

SPEC = FailureClass.INVALID_SPEC
_CLASS, _PARAMS = "spec.pipeline.estimator.class", "spec.pipeline.estimator.params"
_FOREST = "RandomForestRegressor"
_TEXTS = {"include": ["title", "kind"]}


def bad(what: str, spec: dict[str, object], said: str, remedy: str, *more: str) -> Bad:
    return Bad(what, spec, SPEC, (said, *more), remedy)


def vote(*estimators: dict[str, str]) -> dict[str, object]:
    return numbers("VotingRegressor", params={"estimators": list(estimators)})


def nested(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {"class": "Ridge"}
    for _ in range(depth):
        inner = {"class": "BaggingRegressor", "params": {"estimator": inner}}
    return numbers("BaggingRegressor", params={"estimator": inner})


PIPELINES = [
    bad("a class misspelt", numbers("RandomForestRegresor"), _CLASS, f"Did you mean {_FOREST}"),
    bad("a path for a class", numbers("os.system"), f"{_CLASS} = 'os.system'", "Known: ", "never imported by its path"),
    bad("a classifier for numbers", numbers("LogisticRegression"), "is a classifier, here a regressor is needed", "mean"),
    bad("a transformer at the end", numbers("StandardScaler"), "is a transformer, here a regressor is needed", "Known: "),
    bad("a search of parameters", numbers("GridSearchCV"), f"{_CLASS} = 'GridSearchCV': is not taken", ""),
    bad("a parameter misspelt", numbers(_FOREST, params={"n_estimator": 5}), f"{_PARAMS}.n_estimator", "n_estimators"),
    bad("a parameter out of range", numbers(_FOREST, params={"n_estimators": 0}), "n_estimators = 0", "integer ≥ 1"),
    bad("a text for a number", numbers(params={"alpha": "much"}), "alpha = 'much'", "Alpha must be"),
    bad("a word that is none of the choices", numbers(params={"solver": "fast"}), "solver = 'fast'", "must be"),
    bad("a list for a number", numbers(params={"alpha": {"a": 1}}), f"{_PARAMS}.alpha", "Alpha must be"),
    bad("a parameter that must be given", numbers("VotingRegressor"), "lacks a value for estimators", "a list of name"),
    bad("an estimator in it misspelt", vote({"name": "a", "class": "Rigde"}), "estimators[0].class = 'Rigde'", "Ridge"),
    bad("two estimators of one name", vote(*[{"name": "a", "class": "Ridge"}] * 2), "names more than one", "its own"),
    bad("estimators six deep", nested(6), "stands in more than 3 other estimators", "Nest fewer"),
    bad("a sampler misspelt", classes(pipeline={"resample": {"class": "SMOT"}}), "spec.pipeline.resample.class", "SMOTE"),
    bad("a sampler for numbers", numbers(pipeline={"resample": {"class": "SMOTE"}}), "evens out classes", "Leave it out"),
    bad(
        "a sampler beside weights",
        classes(pipeline={"resample": {"class": "SMOTE"}}, sampleWeightColumn="rooms", features={"include": ["size"]}),
        "makes rows that have no weight",
        "Leave one of both out",
    ),
    bad(
        "a sampler's class that there is not",
        classes(pipeline={"resample": {"class": "SMOTE", "params": {"sampling_strategy": {"cabin": 50}}}}),
        "sampling_strategy = 'cabin': is not a class of the training part",
        "Classes: flat, house",
    ),
    bad(
        "a weight of a class that there is not",
        classes(params={"class_weight": {"cabin": 2}}),
        "class_weight = 'cabin': is not a class of the training part",
        "Classes: flat, house",
    ),
    bad("early stopping of a line", numbers(pipeline={"earlyStopping": {"rounds": 5}}), "is not for Ridge", "XGBRegressor"),
    bad("a tree method of a GPU", numbers("XGBRegressor", params={"tree_method": "gpu_hist"}), "tree_method", "hist"),
    bad(
        "weights for neighbours",
        numbers("KNeighborsRegressor", sampleWeightColumn="rooms", features={"include": ["size"]}),
        "KNeighborsRegressor",
        "",
        "weight",
    ),
]  # fmt: skip

COLUMNS = [
    bad("a target that there is not", numbers(target="prize"), "spec.target = 'prize'", "Did you mean price"),
    bad("the key as target", numbers(target="row"), "spec.target = 'row': is part of the key", "another column"),
    bad("a text as target of numbers", numbers(target="title"), "of type Text, Regression predicts", "Use task Class"),
    bad("a number as target of classes", classes(target="price"), "Classification predicts Boolean or", "Regression"),
    bad("a feature misspelt", numbers(features={"include": ["sise"]}), "spec.features.include[0] = 'sise'", "size?"),
    bad("the target as feature", numbers(features={"include": ["price"]}), "is the target and cannot be", "Leave it out"),
    bad("an exclusion misspelt", numbers(features={"exclude": ["sise"]}), "spec.features.exclude[0]", "size?"),
    bad(
        "no feature left",
        numbers(features={"exclude": ["size", "rooms", "garden", "title", "kind"]}),
        "spec.features: leaves no feature",
        "Exclude fewer columns",
    ),
    bad("a text to a line", numbers(features={"include": ["title"]}), "cannot read the text of title", "TfidfVectorizer"),
    bad("weights that there are not", numbers(sampleWeightColumn="wait"), "spec.sampleWeightColumn = 'wait'", ""),
    bad("weights of text", numbers(sampleWeightColumn="title"), "weights are Integer or Number", "another column"),
    bad(
        "a weight as feature",
        numbers(sampleWeightColumn="size"),
        "is the weight of rows and cannot be a feature",
        "Leave it out",
    ),
    bad("a branch's column misspelt", numbers(pipeline=branch("StandardScaler", {"names": ["sise"]})), "names[0]", "size?"),
    bad("a pattern of nothing", numbers(pipeline=branch("StandardScaler", {"pattern": "siz"})), "'siz'", "whole name"),
    bad("a pattern that is none", numbers(pipeline=branch("StandardScaler", {"pattern": "s("})), "expression", "Python's re"),
    bad("types that no feature has", numbers(pipeline=branch("OrdinalEncoder", {"types": ["Text"]})), "matches no", "Remove"),
    bad(
        "numbers to a vectoriser",
        numbers(pipeline=branch("TfidfVectorizer", {"names": ["size"]})),
        "is of type Number, TfidfVectorizer reads Text",
        "StandardScaler",
    ),
    bad("two texts to one vectoriser", numbers(pipeline=branch("TfidfVectorizer", {"types": ["Text"]}), features=_TEXTS), "2 features", "one branch for each"),
]  # fmt: skip

METRICS = [
    bad("a metric misspelt", numbers(evaluation={"primary": "rms"}), "spec.evaluation.primary = 'rms'", "Did you mean rmse"),
    bad("a metric of the other task", numbers(evaluation={"metrics": ["f1_macro"]}), "is a metric of Class", "rmse"),
    bad("a primary metric left out", numbers(evaluation={"primary": "r2", "metrics": ["mae"]}), "is not among", "Add it"),
    bad(
        "probabilities of an estimator without",
        classes("LinearSVC", evaluation={"metrics": ["log_loss"]}),
        "needs probabilities, which this estimator does not give",
        "predict_proba",
    ),
    bad(
        "scores of an estimator without",
        classes("OutputCodeClassifier", params={"estimator": {"class": "GaussianNB"}}, evaluation={"metrics": ["roc_auc"]}),
        "needs scores, which this estimator does not give",
        "predict_proba",
    ),
    bad(
        "a metric of a class that there is not",
        classes(evaluation={"metrics": ["f1_class_cabin"]}),
        "spec.evaluation = 'f1_class_cabin': names a class that the training part does not have",
        "",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", [*PIPELINES, *COLUMNS, *METRICS], ids=lambda case: case.what)
def test_a_spec_that_no_model_can_be_made_of_is_refused_with_field_value_and_remedy(case: Bad) -> None:
    assert_refused(case)


def test_the_rows_of_this_table_are_good_ones() -> None:
    with pytest.raises(pytest.fail.Exception):
        assert_refused(bad("nothing", numbers(), "", ""))
    assert ROWS > 20
