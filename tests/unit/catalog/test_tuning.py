"""A space is judged before any pod: by its form, and by what the classes of the pipeline take."""

from typing import Any

import pytest
from pydantic import ValidationError

from modelyard_api.catalog import check_tuning
from modelyard_api.catalog.tuning import component_at, objective_of, tuned
from modelyard_api.v1alpha1.training_job import TrainingJobSpec
from modelyard_api.v1alpha1.tuning import Tuning, budget

PIPELINE: dict[str, Any] = {
    "preprocess": [
        {
            "name": "numeric",
            "columns": {"types": ["Numeric"]},
            "steps": [{"class": "SimpleImputer"}, {"class": "StandardScaler"}],
        }
    ],
    "estimator": {
        "class": "VotingRegressor",
        "params": {
            "estimators": [
                {"name": "forest", "class": "RandomForestRegressor", "params": {"n_estimators": 10}},
                {
                    "name": "bent",
                    "class": "TransformedTargetRegressor",
                    "params": {"regressor": {"class": "Ridge"}, "func": "log1p"},
                },
            ]
        },
    },
}
DEPTH = {"parameter": "estimator.estimators.forest.max_depth", "integer": {"low": 2, "high": 9}}
ALPHA = {
    "parameter": "estimator.estimators.bent.regressor.alpha",
    "number": {"low": "0.1", "high": "9", "log": True},
}
FILL = {"parameter": "preprocess.numeric.0.strategy", "choice": {"values": ["mean", "median"]}}


def spec(*space: object, **fields: object) -> TrainingJobSpec:
    """A job on the pipeline above."""
    return TrainingJobSpec.model_validate(
        {
            "datasetRef": {"name": "data", "variant": "v1"},
            "task": "Regression",
            "target": "price",
            "pipeline": PIPELINE,
            "tuning": {"trials": 10, "space": list(space), **fields},
        }
    )


def test_a_space_that_the_classes_take_has_no_faults_however_deep_it_reaches() -> None:
    assert check_tuning(spec(DEPTH, ALPHA, FILL)) == []
    assert check_tuning(spec(DEPTH).model_copy(update={"tuning": None})) == []


def test_values_are_set_where_their_paths_lead_and_nowhere_else() -> None:
    before = spec(DEPTH, ALPHA, FILL).pipeline
    values = {DEPTH["parameter"]: 4, ALPHA["parameter"]: 0.5, FILL["parameter"]: "median"}
    after = tuned(before, {str(path): value for path, value in values.items()})
    for path, value in values.items():
        name = str(path).rpartition(".")[2]
        assert component_at(after, str(path)).params[name] == value
        assert name not in component_at(before, str(path)).params
    assert component_at(after, str(DEPTH["parameter"])).params["n_estimators"] == 10
    assert after.preprocess[0].steps[1] == before.preprocess[0].steps[1]


def dimension(parameter: str, **values: object) -> dict[str, object]:
    return {"parameter": parameter, **values}


@pytest.mark.parametrize(
    ("space", "path", "words"),
    [
        (
            dimension("estimator.estimators.forest.max_depth", integer={"low": 0, "high": 9}),
            "space[0].integer.low",
            "0 is not accepted by RandomForestRegressor. max_depth must be an integer ≥ 1 or null",
        ),
        (
            dimension("estimator.estimators.forest.max_features", number={"low": "0.5", "high": "1.5"}),
            "space[0].number.high",
            "1.5 is not accepted by RandomForestRegressor",
        ),
        (
            dimension("preprocess.numeric.0.strategy", choice={"values": ["mean", "medan"]}),
            "space[0].choice.values[1]",
            '"medan" is not accepted by SimpleImputer',
        ),
        (
            dimension("estimator.estimators.forest.depth", integer={"low": 1, "high": 9}),
            "space[0].parameter",
            "is for a parameter that RandomForestRegressor does not have. Did you mean max_depth",
        ),
        (
            dimension("estimator.estimators.wood.max_depth", integer={"low": 1, "high": 9}),
            "space[0].parameter",
            "goes into estimators of VotingRegressor, which holds no estimator of this name",
        ),
        (
            dimension("preprocess.numbers.0.strategy", choice={"values": [1, 2]}),
            "space[0].parameter",
            "names no branch of the pipeline, which has numeric",
        ),
        (
            dimension("preprocess.numeric.2.strategy", choice={"values": [1, 2]}),
            "space[0].parameter",
            "names step 2, and numeric has 2 from 0 on",
        ),
        (
            dimension("resample.k", integer={"low": 1, "high": 9}),
            "space[0].parameter",
            "names resample, which the pipeline does not have",
        ),
    ],
)
def test_what_the_pipeline_or_its_classes_do_not_take_is_named(space: object, path: str, words: str) -> None:
    (problem,) = check_tuning(spec(space))
    assert problem.path == f"spec.tuning.{path}"
    assert words in problem.sentence()


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"objective": {"metric": "rsme"}}, "objective.metric", "is not a metric. Did you mean rmse"),
        ({"objective": {"metric": "accuracy"}}, "objective.metric", "is a metric of Classification"),
        ({"sampler": {"grid": {}}}, "space[1].number", "has no end of values, and a grid tries every one"),
        ({"sampler": {"grid": {}}, "warmStart": {"trainingJob": "a"}}, "warmStart", "a grid learns nothing"),
    ],
)
def test_samplers_and_objectives_that_do_not_fit_are_named(
    fields: dict[str, object], path: str, words: str
) -> None:
    problems = {problem.path: problem.sentence() for problem in check_tuning(spec(DEPTH, ALPHA, **fields))}
    assert words in problems[f"spec.tuning.{path}"]


def test_an_evolution_strategy_wants_two_ranges() -> None:
    (problem,) = check_tuning(spec(DEPTH, FILL, sampler={"cmaes": {}}))
    assert problem.path == "spec.tuning.sampler.cmaes"
    assert check_tuning(spec(DEPTH, ALPHA, sampler={"cmaes": {}})) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"trials": 0}, "greater than or equal to 1"),
        ({"parallelism": 11}, "parallelism must be at most trials"),
        ({"space": [DEPTH, DEPTH]}, "each parameter of space must be named once"),
        ({"space": []}, "at least 1 item"),
        (
            {"space": [{"parameter": "estimator.a"}]},
            "exactly one of integer, number, choice must be set, 0 are",
        ),
        ({"space": [dimension("estimator.a", integer={"low": 3, "high": 3})]}, "low must be below high"),
        (
            {"space": [dimension("estimator.a", integer={"low": 0, "high": 3, "log": True})]},
            "above 0 where log",
        ),
        (
            {"space": [dimension("estimator.a", integer={"low": 1, "high": 3, "log": True, "step": 1})]},
            "step and log exclude one another",
        ),
        ({"space": [dimension("estimator.a", number={"low": "x", "high": "3"})]}, "should match pattern"),
        (
            {"space": [dimension("estimator.a", number={"low": "1", "high": "3", "step": "0"})]},
            "step must be above",
        ),
        ({"space": [dimension("estimator.a", choice={"values": [1]})]}, "at least 2 items"),
        ({"space": [dimension("forest.depth", choice={"values": [1, 2]})]}, "should match pattern"),
        ({"objective": {"folds": 1}}, "greater than or equal to 2"),
        ({"sampler": {"tpe": {}, "random": {}}}, "exactly one of tpe, random, grid, cmaes, gp must be set"),
    ],
)
def test_a_tuning_that_means_nothing_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Tuning.model_validate({"trials": 10, "space": [DEPTH], **fields})


def test_a_grid_has_no_more_trials_than_combinations() -> None:
    few = {"trials": 100, "space": [DEPTH, FILL]}
    assert budget(Tuning.model_validate({**few, "sampler": {"grid": {}}})) == 16
    assert budget(Tuning.model_validate(few)) == 100


def test_the_objective_is_the_primary_metric_unless_it_is_named() -> None:
    assert objective_of(spec(DEPTH)) == "rmse"
    assert objective_of(spec(DEPTH, objective={"metric": "mae"})) == "mae"
    asked = TrainingJobSpec.model_validate({**spec(DEPTH).to_wire(), "evaluation": {"primary": "r2"}})
    assert objective_of(asked) == "r2"
