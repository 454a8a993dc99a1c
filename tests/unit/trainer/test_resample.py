"""Classes of the training part that are evened out."""

from typing import Any

import numpy as np
import pytest

from modelyard_api.catalog import Kind, check_pipeline, load_catalog
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.pipeline import Pipeline
from tests.support.fitting import fit_in_memory, version_of
from tests.unit.trainer.test_fitting import CLASSES, ROWS, offers, refusal
from tests.unit.trainer.test_storing import packed

SAMPLERS = load_catalog().names(Kind.SAMPLER)
NEEDS_CATEGORIES = {"SMOTENC": {"categorical_features": [1]}}
RARE = np.where(np.arange(1, ROWS + 1) % 4 == 0, "flat", "house").tolist()
SCALED = [{"name": "part", "columns": {"types": ["Numeric"]}, "steps": [{"class": "StandardScaler"}]}]


def job(sampler: str, estimator: str = "DummyClassifier", **params: object) -> dict[str, Any]:
    resample = {"class": sampler, "params": params}
    model: dict[str, Any] = {"class": estimator}
    if estimator == "DummyClassifier":
        model["params"] = {"strategy": "prior"}
    pipeline = {"preprocess": SCALED, "resample": resample, "estimator": model}
    return {**CLASSES, "features": {"include": ["size", "rooms"]}, "pipeline": pipeline}


def faults(document: dict[str, Any], task: Task = Task.CLASSIFICATION, *, weights: bool = False) -> list[str]:
    found = check_pipeline(Pipeline.model_validate(document["pipeline"]), task, weights=weights)
    return [problem.sentence() for problem in found]


def shares(spec: dict[str, Any]) -> list[float]:
    fitted = fit_in_memory(spec, version_of(offers(kind=RARE)))
    found: list[float] = fitted.model.predict_proba(fitted.data.test.X[:1])[0].tolist()
    return found


@pytest.mark.parametrize("sampler", ["RandomOverSampler", "RandomUnderSampler", "SMOTE"])
def test_the_estimator_sees_as_many_rows_of_each_class(sampler: str) -> None:
    assert shares(job(sampler)) == [0.5, 0.5]


def test_the_numbers_of_rows_may_be_asked_for_by_label() -> None:
    spec = job("RandomUnderSampler", sampling_strategy={"house": 10, "flat": 5})
    assert shares(spec) == pytest.approx([1 / 3, 2 / 3])
    assert shares(job("TomekLinks", sampling_strategy=["house"]))[0] >= 0.25
    wrong = job("RandomUnderSampler", sampling_strategy={"castle": 10})
    error = refusal(wrong, offers(kind=RARE))
    assert (
        "resample.params.sampling_strategy = 'castle': is not a class of the training part" in error.message
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_of_the_catalog_trains_a_model(sampler: str) -> None:
    spec = job(sampler, "LogisticRegression", **NEEDS_CATEGORIES.get(sampler, {}))
    assert faults(spec) == []
    table = offers(kind=RARE)
    if sampler == "KMeansSMOTE":
        spec["pipeline"]["resample"]["params"] = {"cluster_balance_threshold": 0.0, "kmeans_estimator": 1}
    fitted = fit_in_memory(spec, version_of(table))
    assert fitted.model.classes_.tolist() == ["flat", "house"]


def test_the_stored_model_holds_no_sampler() -> None:
    fitted = fit_in_memory(job("SMOTE", "LogisticRegression"), version_of(offers(kind=RARE)))
    assert [name for name, _ in fitted.model.steps] == ["preprocess", "estimator"]
    made = packed(fitted, Task.CLASSIFICATION)
    assert not [name for name in made.bundle.trusted_types if name.startswith("imblearn.")]


def test_a_class_with_too_few_rows_is_told_by_the_sampler() -> None:
    kinds = ["flat", "flat", *["house"] * (ROWS - 2)]
    error = refusal(job("SMOTE"), offers(kind=kinds))
    assert error.failure().failure_class in {FailureClass.CODE, FailureClass.DATA}
    assert (
        error.message.startswith("fit of DummyClassifier: ValueError: Expected n_neighbors")
        or "of one class" in error.message
    )


@pytest.mark.parametrize(
    ("sampler", "params", "said"),
    [
        ("SMOT", {}, 'spec.pipeline.resample.class: "SMOT" is not a class of the catalog'),
        ("LogisticRegression", {}, "is a classifier, here a sampler is needed"),
        ("FunctionSampler", {"func": "eval"}, "calls Python functions"),
        (
            "SMOTE",
            {"k_neighbors": 0},
            "resample.params.k_neighbors: 0 is not accepted by SMOTE. k_neighbors must be",
        ),
        ("SMOTENC", {}, "lacks a value for categorical_features"),
    ],
)
def test_a_sampler_that_cannot_be_is_refused_before_any_pod(
    sampler: str, params: dict[str, object], said: str
) -> None:
    document = job(sampler)
    document["pipeline"]["resample"]["params"] = params
    (sentence,) = faults(document)
    assert said in sentence


def test_classes_are_evened_out_in_classification_and_without_weights_only() -> None:
    document = job("SMOTE", "Ridge")
    assert "evens out classes, and the task is Regression" in faults(document, Task.REGRESSION)[0]
    assert "makes rows that have no weight" in faults(job("SMOTE"), weights=True)[0]
    ensembles = {**job("SMOTE"), "pipeline": {"estimator": {"class": "BalancedRandomForestClassifier"}}}
    assert "use spec.pipeline.resample" in faults(ensembles)[0]
