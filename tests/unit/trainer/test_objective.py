"""What values are worth: the pipeline with them on folds of the training part."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from threadpoolctl import threadpool_info

from modelyard_api.contract.steps import MLflowEndpoint, Owner, S3Endpoint, TrainStep
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.making import material_of
from modelyard_trainer.train import Source
from modelyard_trainer.tuning.objective import Objective, make_objective
from modelyard_trainer.tuning.step import settled
from modelyard_trainer.tuning.trial import State, Trial
from tests.support.fitting import spec_of, version_of

ROWS = 300


def table(*, missing: bool = False) -> pa.Table:
    random = np.random.default_rng(3)
    size, age = random.uniform(20, 200, ROWS), random.integers(0, 90, ROWS).astype(float)
    price = size * 3 - age + random.normal(0, 5, ROWS)
    kept = [None if missing and row % 7 == 0 else value for row, value in enumerate(age.tolist())]
    return pa.table(
        {
            "row": range(ROWS),
            "size": size,
            "age": pa.array(kept, pa.float64()),
            "dear": pa.array((price > 250).tolist()),
            "price": price,
        }
    )


def objective(pipeline: dict[str, Any], rows: pa.Table | None = None, **fields: Any) -> Objective:  # noqa: ANN401
    """The objective of a job with three folds."""
    version = version_of(table() if rows is None else rows)
    space = [{"parameter": "estimator.alpha", "number": {"low": "1", "high": "2"}}]
    tuning = {"trials": 5, "objective": {"folds": 3, **fields.pop("objective", {})}, "space": space}
    asked = spec_of(
        {
            "task": "Regression",
            "target": "price",
            "features": {"include": ["size", "age"]},
            "pipeline": pipeline,
            "tuning": tuning,
            **fields,
        }
    )
    return make_objective(asked, material_of(version, asked), threads=2)


def test_each_fold_is_what_scikit_learn_says_of_a_model_that_was_fitted_on_the_others() -> None:
    made = objective({"estimator": {"class": "Ridge", "params": {"alpha": 1.0}}})
    found = list(made.judge({"estimator.alpha": 500.0}))
    X, y = made.material.data.train.X, made.material.data.train.y
    expected = []
    for learn, held in made.folds.pairs:
        model = Ridge(alpha=500.0, random_state=0).fit(X[learn], y[learn])
        expected.append(root_mean_squared_error(y[held], model.predict(X[held])))
    assert found == expected
    assert len(found) == 3
    assert found != list(made.judge({"estimator.alpha": 1.0}))


def test_the_same_values_are_worth_the_same_to_the_last_bit_with_several_threads() -> None:
    made = objective({"estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 40}}})
    assert list(made.judge({"estimator.max_depth": 5})) == list(made.judge({"estimator.max_depth": 5}))


def test_a_fold_is_judged_within_the_threads_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    made = objective({"estimator": {"class": "Ridge"}})
    seen: list[int] = []

    def predict(self: Ridge, rows: np.ndarray) -> np.ndarray:
        del self
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return np.zeros(len(rows))

    monkeypatch.setattr(Ridge, "predict", predict)
    list(replace(made, threads=1).judge({"estimator.alpha": 1.0}))
    assert set(seen) == {1}


def test_parameters_of_preprocessing_count_too() -> None:
    filled = {
        "preprocess": [
            {"name": "all", "columns": {"types": ["Numeric"]}, "steps": [{"class": "SimpleImputer"}]},
        ],
        "estimator": {"class": "Ridge"},
    }
    made = objective(filled, table(missing=True))
    mean = list(made.judge({"preprocess.all.0.strategy": "mean"}))
    assert mean != list(made.judge({"preprocess.all.0.strategy": "most_frequent"}))


def test_a_trial_stops_boosting_early_as_the_job_does() -> None:
    booster = {"class": "LGBMRegressor", "params": {"n_estimators": 30, "learning_rate": 1.0, "n_jobs": 1}}
    values = {"estimator.min_child_samples": 5}
    all_trees = list(objective({"estimator": booster}).judge(values))
    assert list(objective({"estimator": booster, "earlyStopping": {"rounds": 1}}).judge(values)) != all_trees


def test_values_that_a_library_refuses_fail_the_trial_and_rows_that_it_refuses_the_step() -> None:
    made = objective({"estimator": {"class": "Ridge"}})
    with pytest.raises(EstimatorError, match=r"spec.pipeline.estimator.params.alpha = -1.0: is not accepted"):
        list(made.judge({"estimator.alpha": -1.0}))
    with pytest.raises(EstimatorError, match=r"fold 1 of Ridge: "):
        list(made.judge({"estimator.solver": "lbfgs"}))
    holes = objective({"estimator": {"class": "Ridge"}}, table(missing=True))
    with pytest.raises(DataError, match=r"age \(\d+\): holds missing values"):
        list(holes.judge({"estimator.alpha": 1.0}))


def test_the_best_values_are_settled_in_spec_and_plan_as_if_they_had_been_asked_for() -> None:
    filled = {
        "preprocess": [
            {"name": "all", "columns": {"types": ["Numeric"]}, "steps": [{"class": "SimpleImputer"}]},
        ],
        "estimator": {"class": "Ridge"},
    }
    made = objective(filled)
    owner = Owner(project="demo", name="job", uid="u", generation=1)
    version = DatasetVersion(variant="v1", sequence=1, digest="sha256:" + "0" * 64, uri="s3://a/b")
    step = TrainStep(
        owner=owner,
        spec=made.spec,
        s3=S3Endpoint(endpoint_url="", bucket="b", prefix="demo"),
        mlflow=MLflowEndpoint(url="http://mlflow"),
    )
    values = {"estimator.alpha": 3.5, "preprocess.all.0.strategy": "median"}
    best = Trial(7, State.COMPLETED, dict(values), 1.0)
    chosen, source = settled(step, Source(made.material, version), best)
    assert chosen.spec.tuning is None
    assert chosen.spec.pipeline.estimator.params == {"alpha": 3.5}
    assert source.material.plan.branches[0].preprocess == chosen.spec.pipeline.preprocess[0]
    assert chosen.spec.pipeline.preprocess[0].steps[0].params == {"strategy": "median"}
    assert step.spec.tuning is not None


def test_a_metric_that_the_estimator_cannot_give_and_folds_that_rows_do_not_make_are_named() -> None:
    classes: dict[str, Any] = {"task": "Classification", "target": "dear"}
    with pytest.raises(
        InvalidSpecError, match=r"spec.tuning.objective.metric = 'log_loss': needs probabilities"
    ):
        objective({"estimator": {"class": "LinearSVC"}}, objective={"metric": "log_loss"}, **classes)
    with pytest.raises(DataError, match=r"spec.tuning.objective.folds = 20: are too many for \d+ rows"):
        objective({"estimator": {"class": "Ridge"}}, table().slice(0, 24), objective={"folds": 20})
