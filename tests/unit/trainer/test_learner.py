"""What a fold learns from is all that it knows: weights, samplers and early stopping included."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from modelyard_api.metrics import Task
from modelyard_trainer.evaluation.cross_validation import cross_validate
from modelyard_trainer.evaluation.folds import make_folds
from modelyard_trainer.evaluation.learner import Learner
from modelyard_trainer.evaluation.learning import Curve
from modelyard_trainer.evaluation.metrics import MEASURES
from modelyard_trainer.making import make, material_of
from modelyard_trainer.pipeline import Build, build
from tests.support.fitting import spec_of, version_of

RNG = np.random.default_rng(4)
ROWS = 400
X = RNG.normal(size=(ROWS, 2))
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS)),
        "a": pa.array(X[:, 0]),
        "b": pa.array(X[:, 1]),
        "size": pa.array(X[:, 0] ** 2 + X[:, 1] + 0.5 * RNG.normal(size=ROWS)),
        "kind": pa.array(np.where(X[:, 0] > 1, "rare", "common")),
        "weight": pa.array(RNG.uniform(0, 3, size=ROWS)),
    }
)
BOOSTED: dict[str, Any] = {
    "task": "Regression",
    "target": "size",
    "features": {"include": ["a", "b"]},
    "pipeline": {
        "estimator": {"class": "LGBMRegressor", "params": {"n_estimators": 300, "learning_rate": 0.3}},
        "earlyStopping": {"rounds": 5},
    },
    "evaluation": {"crossValidation": {"folds": 4}, "metrics": ["rmse"]},
}


def learner_of(spec: dict[str, Any], table: pa.Table = TABLE, threads: int = 1) -> Learner:
    asked = spec_of(spec)
    material = material_of(version_of(table), asked)
    classes = sorted(set(material.data.train.y.tolist())) if asked.task is Task.CLASSIFICATION else []
    model = build(asked.pipeline, asked.task, material.plan, Build(threads, classes))
    return Learner(model, material.data, asked.pipeline, threads)


def test_a_fold_weighs_its_rows_as_the_whole_does() -> None:
    learner = learner_of(
        {
            "task": "Regression",
            "target": "size",
            "features": {"include": ["a", "b"]},
            "sampleWeightColumn": "weight",
            "pipeline": {"estimator": {"class": "LinearRegression"}},
        }
    )
    places = np.arange(0, 200, 2)
    train, weights = learner.data.train, learner.data.weights
    assert weights is not None
    alone = LinearRegression().fit(train.X[places], train.y[places], sample_weight=weights[places])
    assert learner.fitted_on(places)[-1].coef_.tolist() == alone.coef_.tolist()


def test_a_copy_of_a_forest_answers_the_same_whichever_thread_comes_first() -> None:
    spec = {
        "task": "Regression",
        "target": "size",
        "features": {"include": ["a", "b"]},
        "pipeline": {"estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 40}}},
    }
    learner = learner_of(spec, threads=2)
    assert learner.model[-1].n_jobs == 2
    assert learner.fitted_on(np.arange(200))[-1].n_jobs is None


def test_a_sampler_makes_rows_to_learn_from_and_none_to_be_judged_on() -> None:
    learner = learner_of(
        {
            "task": "Classification",
            "target": "kind",
            "features": {"include": ["a", "b"]},
            "pipeline": {"resample": {"class": "RandomOverSampler"}, "estimator": {"class": "GaussianNB"}},
        }
    )
    learn, test = np.arange(200), np.arange(200, 260)
    fitted = learner.fitted_on(learn)
    common = int((learner.data.train.y[learn] == "common").sum())
    assert fitted[-1].class_count_.tolist() == [common, common]
    assert learner.judged_on(fitted, test).truth.tolist() == learner.data.train.y[test].tolist()


@pytest.mark.parametrize("estimator", ["LGBMRegressor", "XGBRegressor"])
def test_trees_of_a_fold_are_counted_on_rows_that_it_learns_from(estimator: str) -> None:
    spec = {**BOOSTED, "pipeline": {**BOOSTED["pipeline"], "estimator": {"class": estimator}}}
    first = learner_of(spec)
    learn = np.arange(200)
    held = np.arange(200, len(first.data.train.y))
    rows = np.flatnonzero(~version_of(TABLE).is_test)[held]
    sizes = TABLE.column("size").to_numpy().copy()
    sizes[rows] = -50.0
    other = learner_of(spec, TABLE.set_column(3, "size", pa.array(sizes)))
    one, two = first.fitted_on(learn), other.fitted_on(learn)
    assert one[-1].n_estimators == two[-1].n_estimators < 300
    assert one.predict(first.data.train.X).tolist() == two.predict(first.data.train.X).tolist()


def test_a_fold_may_grow_more_trees_than_the_whole_did() -> None:
    asked = spec_of(BOOSTED)
    material = material_of(version_of(TABLE), asked)
    made = make(asked, material, 1)
    learner = learner_of(BOOSTED)
    folds = make_folds(material.version, material.data.train.y, asked.task, 4)
    most = max(learner.fitted_on(learn)[-1].n_estimators for learn, _ in folds.pairs)
    assert most > made.model[-1].n_estimators
    assert made.assessment.cross_validated == cross_validate(learner, folds, {"rmse": MEASURES["rmse"]})


def test_a_learning_curve_fits_no_fold_again_that_was_judged_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = learner_of(BOOSTED)
    folds = make_folds(version_of(TABLE), learner.data.train.y, Task.REGRESSION, 5)
    sizes: list[int] = []
    fitted_on = Learner.fitted_on

    def counted(own: Learner, places: np.ndarray) -> Any:  # noqa: ANN401  scikit-learn has no types
        sizes.append(len(places))
        return fitted_on(own, places)

    monkeypatch.setattr(Learner, "fitted_on", counted)
    seeing, alone = (Curve(learner, folds, "rmse", MEASURES["rmse"]) for _ in range(2))
    wanted = {"mae": MEASURES["mae"]}
    assert cross_validate(learner, folds, wanted, seeing.see) == cross_validate(learner, folds, wanted)
    assert len(sizes) == 10
    drawn = seeing.drawn()
    assert len(sizes) == 10 + 3 * 3, "three shares of three folds, and no whole ones"
    assert drawn == alone.drawn()
    assert len(sizes) == 10 + 3 * 3 + 3 * 4
    assert drawn is not None
    assert [len(values) for values in drawn.judged] == [3, 3, 3, 3]
    assert drawn.rows[-1] == max(drawn.rows)
