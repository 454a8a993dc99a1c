"""How many trees a booster is worth."""

from typing import Any

import numpy as np
import pytest

from modelyard_api.catalog import check_pipeline
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.pipeline import EarlyStopping, Pipeline
from modelyard_trainer.rows import Rows
from modelyard_trainer.trees import _parts
from tests.support.fitting import fit_in_memory, version_of
from tests.unit.trainer.test_fitting import CLASSES, ROWS, branch, offers, regression
from tests.unit.trainer.test_storing import packed

MANY = 300
NOISE = np.random.default_rng(3).normal(size=ROWS).tolist()


def job(class_: str, **params: object) -> dict[str, Any]:
    spec = CLASSES if class_.endswith("Classifier") else regression()
    estimator = {"class": class_, "params": {"n_estimators": MANY, **params}}
    return {
        **spec,
        "pipeline": {"estimator": estimator, "earlyStopping": {"rounds": 5, "validationPercent": 20}},
    }


def trees(model: Any) -> int:  # noqa: ANN401  a booster, or a vote of one
    last = model[-1]
    count: int = getattr(last, "estimators_", [last])[0].n_estimators
    return count


@pytest.mark.parametrize("class_", ["XGBRegressor", "LGBMRegressor"])
@pytest.mark.parametrize("preprocess", [[], [branch(["size", "rooms"], "StandardScaler")]])
def test_noise_is_worth_few_trees_and_the_model_is_a_plain_one(class_: str, preprocess: list[Any]) -> None:
    spec = job(class_)
    spec["pipeline"]["preprocess"] = preprocess
    first, second = (fit_in_memory(spec, version_of(offers(price=NOISE))) for _ in range(2))
    assert trees(first.model) < MANY / 4
    assert trees(first.model) == trees(second.model)
    assert first.model[-1].get_params().get("early_stopping_rounds") is None
    assert packed(first).digest == packed(second).digest


@pytest.mark.parametrize("class_", ["XGBClassifier", "LGBMClassifier"])
@pytest.mark.parametrize("more", [{}, {"resample": {"class": "RandomOverSampler"}}])
def test_classes_are_judged_too_whatever_their_labels(class_: str, more: dict[str, Any]) -> None:
    spec = job(class_)
    spec["pipeline"] |= more
    kinds = np.where(np.array(NOISE) > 0.5, "flat", "house").tolist()
    fitted = fit_in_memory(spec, version_of(offers(kind=kinds)))
    assert trees(fitted.model) < MANY
    assert fitted.model.classes_.tolist() == ["flat", "house"]


def test_weights_of_classes_are_by_label_in_the_judgement_too() -> None:
    spec = job("LGBMClassifier", class_weight={"flat": 9, "house": 1})
    fitted = fit_in_memory(spec, version_of(offers()))
    assert fitted.model[-1].class_weight == {"flat": 9, "house": 1}


def test_weights_count_in_the_judgement_too() -> None:
    spec = {**job("XGBRegressor"), "sampleWeightColumn": "weight"}
    for class_ in ("XGBRegressor", "LGBMRegressor"):
        spec["pipeline"]["estimator"]["class"] = class_
        assert trees(fit_in_memory(spec, version_of(offers(price=NOISE, weight=np.ones(ROWS)))).model) < MANY


def test_rows_to_judge_by_are_apart_and_a_class_of_one_row_is_fitted() -> None:
    y = np.array(["rare", *["often"] * 19])
    fitted, judged = _parts(
        Rows(np.zeros((20, 1)), y), EarlyStopping(rounds=1, validation_percent=50), classes=True
    )
    assert sorted([*fitted, *judged]) == list(range(20))
    assert len(judged) == 10
    assert 0 in fitted


@pytest.mark.parametrize(
    ("class_", "params", "said"),
    [
        (
            "Ridge",
            {},
            "is not for Ridge. It is for LGBMClassifier, LGBMRegressor, XGBClassifier, XGBRegressor",
        ),
        ("XGBRFRegressor", {}, "is not for XGBRFRegressor"),
        ("LGBMRegressor", {"boosting_type": "dart"}, "LGBMRegressor cannot stop early"),
    ],
)
def test_what_cannot_stop_early_is_refused_before_any_pod(
    class_: str, params: dict[str, Any], said: str
) -> None:
    document = {"estimator": {"class": class_, "params": params}, "earlyStopping": {"rounds": 5}}
    (problem,) = check_pipeline(Pipeline.model_validate(document), Task.REGRESSION)
    assert said in problem.sentence()
