"""What the catalog says about pipelines and metrics."""

from typing import Any

import pytest

from modelyard_api.catalog import check_evaluation, check_pipeline, load_catalog
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.pipeline import Pipeline
from modelyard_api.v1alpha1.training_job import Evaluation


def sentences(estimator: str, task: Task = Task.REGRESSION, **more: Any) -> list[str]:  # noqa: ANN401  JSON
    """What is said of a pipeline with this estimator; ``params`` and ``preprocess`` as a user writes them."""
    document = {
        "estimator": {"class": estimator, "params": more.get("params", {})},
        "preprocess": more.get("preprocess", []),
    }
    return [problem.sentence() for problem in check_pipeline(Pipeline.model_validate(document), task)]


def branch(*steps: dict[str, Any], name: str = "part", **columns: list[str] | str) -> dict[str, Any]:
    return {"name": name, "columns": columns or {"types": ["Numeric"]}, "steps": list(steps)}


@pytest.mark.parametrize(
    ("estimator", "fragments"),
    [
        ("RandomForestRegresor", ['class: "RandomForestRegresor"', "Did you mean RandomForestRegressor"]),
        ("randomforestregressor", ["Did you mean RandomForestRegressor"]),
        ("os.system", ["never imported by its path", "Known: "]),
        ("subprocess:Popen", ["never imported by its path"]),
        ("sklearn.ensemble._forest.RandomForestRegressor", ["Did you mean RandomForestRegressor"]),
        ("__import__", ["is not a class of the catalog"]),
        ("GridSearchCV", ["searches parameters, and a pipeline names them"]),
        ("MultiOutputRegressor", ["predicts several targets at once"]),
        ("Pipeline", ["is what the steps of a branch stand for"]),
        ("FunctionTransformer", ["calls Python functions"]),
        ("LogisticRegression", ["is a classifier, here a regressor is needed"]),
        ("StandardScaler", ["is a transformer, here a regressor is needed"]),
    ],
)
def test_a_class_that_cannot_be_the_estimator_is_refused_with_the_nearest(
    estimator: str, fragments: list[str]
) -> None:
    (sentence,) = sentences(estimator)
    assert sentence.startswith("spec.pipeline.estimator.class: ")
    for fragment in fragments:
        assert fragment in sentence


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"n_estimator": 3},
            "n_estimator: 3 is for a parameter that RandomForestRegressor does not have. Did you mean",
        ),
        (
            {"n_estimators": 0},
            "n_estimators: 0 is not accepted by RandomForestRegressor. n_estimators must be an integer ≥ 1",
        ),
        ({"n_estimators": True}, "n_estimators must be an integer"),
        ({"n_estimators": 10.5}, "n_estimators must be an integer"),
        ({"n_estimators": "10"}, "n_estimators must be an integer"),
        (
            {"max_features": 1.5},
            'max_features must be an integer ≥ 1, a fraction > 0 and ≤ 1, "log2", "sqrt" or null',
        ),
        ({"criterion": "gini"}, 'criterion must be "absolute_error"'),
        ({"random_state": -1}, "random_state must be an integer ≥ 0"),
    ],
)
def test_a_parameter_or_value_that_the_class_does_not_take_is_refused_with_what_it_takes(
    params: dict[str, object], said: str
) -> None:
    (sentence,) = sentences("RandomForestRegressor", params=params)
    assert sentence.startswith("spec.pipeline.estimator.params.")
    assert said in sentence


@pytest.mark.parametrize(
    "params",
    [
        {"n_estimators": 100, "random_state": 42, "n_jobs": -1, "max_depth": None},
        {"max_features": "sqrt"},
        {"max_features": 0.5},
        {"max_features": "1.0"},
        {"max_features": 3},
        {"bootstrap": False, "verbose": 0},
    ],
)
def test_what_the_class_takes_is_accepted(params: dict[str, object]) -> None:
    assert sentences("RandomForestRegressor", params=params) == []


def test_every_fault_is_reported_at_once_with_its_own_path() -> None:
    found = sentences(
        "Ridge",
        params={"alpha": -1},
        preprocess=[
            branch({"class": "SimpleImputer", "params": {"strategy": "middle"}}, {"class": "Scaler"})
        ],
    )
    assert [sentence.split(":")[0] for sentence in found] == [
        "spec.pipeline.preprocess[0].steps[0].params.strategy",
        "spec.pipeline.preprocess[0].steps[1].class",
        "spec.pipeline.estimator.params.alpha",
    ]


@pytest.mark.parametrize(
    ("branches", "said"),
    [
        (
            [branch({"class": "StandardScaler"}), branch({"class": "MinMaxScaler"})],
            "names more than one branch",
        ),
        ([branch({"class": "StandardScaler"}, name="a__b")], "holds two underscores in a row"),
        (
            [branch({"class": "TfidfVectorizer"}, names=["a", "b"])],
            "TfidfVectorizer reads one column of text",
        ),
        ([branch({"class": "TfidfVectorizer"}, types=["Numeric"])], "is not text"),
        ([branch({"class": "StandardScaler"}, {"class": "CountVectorizer"})], "can only be the first step"),
        (
            [branch({"class": "StandardScaler"}, pattern="lag_[")],
            'columns.pattern: "lag_[" is not a regular expression: unterminated character set',
        ),
        ([branch({"class": "Ridge"})], "is a regressor, here a transformer is needed"),
    ],
)
def test_branches_that_cannot_be_built_are_refused(branches: list[dict[str, Any]], said: str) -> None:
    assert any(said in sentence for sentence in sentences("Ridge", preprocess=branches))


@pytest.mark.parametrize("params", [{"input": "filename"}, {"tokenizer": "os.system"}, {"analyzer": "eval"}])
def test_a_vectoriser_is_never_made_to_read_files_or_to_call_names(params: dict[str, object]) -> None:
    branches = [branch({"class": "TfidfVectorizer", "params": params}, names=["title"])]
    (sentence,) = sentences("LogisticRegression", Task.CLASSIFICATION, preprocess=branches)
    assert "is not accepted by TfidfVectorizer" in sentence


def test_a_pattern_of_words_that_takes_time_without_end_is_refused_before_any_pod() -> None:
    def judged(pattern: str) -> list[str]:
        step = {"class": "TfidfVectorizer", "params": {"token_pattern": pattern}}
        return sentences("Ridge", preprocess=[branch(step, names=["title"])])

    assert judged(r"(?u)\b\w+(?:'\w+)*\b") == []
    (sentence,) = judged(r"(\w+)+!")
    assert "preprocess[0].steps[0].params.token_pattern" in sentence
    assert "takes time without end on some texts" in sentence


def test_no_class_of_the_catalog_takes_a_directory_of_pickles() -> None:
    for known in load_catalog().classes:
        memory = known.parameter("memory")
        assert memory is None or memory.accepts == []


def test_all_classes_come_from_the_libraries() -> None:
    catalog = load_catalog()
    assert len(catalog.classes) > 150
    assert {known.module.split(".")[0] for known in catalog.classes} == {
        *("sklearn", "xgboost", "lightgbm", "imblearn"),
    }
    assert "GridSearchCV" in catalog.refused
    assert not {known.name for known in catalog.classes} & catalog.refused.keys()


@pytest.mark.parametrize(
    ("evaluation", "task", "said"),
    [
        (
            {"primary": "rms"},
            Task.REGRESSION,
            'spec.evaluation.primary: "rms" is not a metric. Did you mean rmse?',
        ),
        (
            {"metrics": ["mae", "accuracy"]},
            Task.REGRESSION,
            'spec.evaluation.metrics[1]: "accuracy" is a metric of',
        ),
        ({"primary": "r2", "metrics": ["mae"]}, Task.REGRESSION, "is not among spec.evaluation.metrics"),
        ({"primary": "rmse"}, Task.CLASSIFICATION, "is a metric of Regression, the task is Classification"),
    ],
)
def test_a_metric_that_does_not_fit_the_task_is_refused(
    evaluation: dict[str, object], task: Task, said: str
) -> None:
    (problem,) = check_evaluation(Evaluation.model_validate(evaluation), task)
    assert said in problem.sentence()


def test_metrics_of_the_task_are_accepted() -> None:
    evaluation = Evaluation(primary="rmse", metrics=["rmse", "mae"])
    assert check_evaluation(evaluation, Task.REGRESSION) == []
    assert check_evaluation(Evaluation(), Task.CLASSIFICATION) == []


@pytest.mark.parametrize(
    ("estimator", "params", "said"),
    [
        ("XGBRegressor", {"n_estimators": 0}, "n_estimators must be an integer ≥ 1 or null"),
        ("XGBRegressor", {"subsample": 1.5}, "subsample must be a number > 0 and ≤ 1 or null"),
        ("XGBRegressor", {"tree_method": "gpu_hist"}, 'tree_method must be "approx", "exact", "hist" or null'),
        ("XGBRegressor", {"objective": "rank:ndcg"}, 'objective must be "count:poisson", "reg:absoluteerror"'),
        ("XGBRegressor", {"device": "cuda"}, "device must be nothing that a resource can hold"),
        ("XGBRegressor", {"callbacks": ["os.system"]}, "callbacks must be nothing that a resource can hold"),
        ("XGBRegressor", {"process_type": "update"}, "is for a parameter that XGBRegressor does not have"),
        ("LGBMRegressor", {"num_leaves": 1}, "num_leaves must be an integer ≥ 2 and ≤ 131072"),
        ("LGBMRegressor", {"input_model": "x"}, "is for a parameter that LGBMRegressor does not have"),
        ("LGBMRegressor", {"forcedsplits_filename": "x"}, "is for a parameter that LGBMRegressor does not have"),
        ("LGBMRegressor", {"objective": "lambdarank"}, 'objective must be "fair", "gamma"'),
        ("LGBMRegressor", {"learning_rate": 0}, "learning_rate must be a number > 0"),
        ("LGBMRegresor", {}, "Did you mean LGBMRegressor"),
        ("XGBRanker", {}, "ranks groups of rows, which no task asks for"),
        ("DaskLGBMRegressor", {}, "needs a cluster of Dask"),
        ("XGBClassifier", {}, "is a classifier, here a regressor is needed"),
    ],
)  # fmt: skip
def test_boosters_are_judged_by_their_signatures_and_documented_ranges(
    estimator: str, params: dict[str, object], said: str
) -> None:
    (sentence,) = sentences(estimator, params=params)
    assert said in sentence


def test_boosters_take_what_is_documented() -> None:
    xgboost = {
        "n_estimators": 500,
        "learning_rate": 0.05,
        "max_depth": 6,
        "subsample": 0.8,
        "tree_method": "hist",
    }
    lightgbm = {"num_leaves": 63, "max_depth": -1, "colsample_bytree": 0.8, "objective": "regression_l1"}
    assert sentences("XGBRegressor", params=xgboost) == []
    assert sentences("LGBMRegressor", params=lightgbm) == []
    weighed = {"class_weight": {"0": 1, "1": 5}}
    assert sentences("LGBMClassifier", Task.CLASSIFICATION, params=weighed) == []
