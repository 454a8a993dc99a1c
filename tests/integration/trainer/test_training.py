"""The trainer against a real S3 store and a real MLflow server."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from modelyard_api import labels
from modelyard_api.contract.bundle import Bundle, GoldenRequest
from modelyard_api.contract.reference import Reference
from modelyard_api.contract.steps import CacheEntry
from modelyard_api.digests import canonical_digest
from tests.support.training import TrainerRun, publish

FOREST = {
    "task": "Regression",
    "target": "price",
    "pipeline": {"estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 5}}},
    "evaluation": {"primary": "rmse"},
    "register": {"modelName": "houses"},
}
BARE = {**FOREST, "evaluation": {"primary": "rmse", "plots": "None"}}
"""The same without plots, for tests that look at none."""
TITLES = {
    "task": "Classification",
    "target": "kind",
    "features": {"include": ["title"]},
    "pipeline": {
        "preprocess": [
            {"name": "title", "columns": {"names": ["title"]}, "steps": [{"class": "TfidfVectorizer"}]}
        ],
        "estimator": {"class": "LogisticRegression", "params": {"max_iter": 500}},
    },
}


def houses(rows: int = 200) -> pa.Table:
    """Prices that depend on two numbers."""
    random = np.random.default_rng(1)
    size, age = random.uniform(20, 200, rows), random.integers(0, 90, rows)
    return pa.table(
        {
            "row": range(1, rows + 1),
            "size": size,
            "age": age,
            "price": size * 3 - age + random.normal(0, 5, rows),
        }
    )


def titles(rows: int = 200) -> pa.Table:
    """Two kinds of things by their titles."""
    names = [("red phone case", "phone"), ("steel kettle 2l", "kitchen")]
    chosen = [names[number % 2] for number in range(rows)]
    return pa.table(
        {
            "row": range(1, rows + 1),
            "title": [f"{title} no {number}" for number, (title, _) in enumerate(chosen)],
            "kind": [kind for _, kind in chosen],
        }
    )


def test_a_forest_is_tracked_stored_and_registered(trainer: TrainerRun) -> None:
    data = publish(trainer.store, houses())
    cache = CacheEntry(key="sha256:" + "c" * 64, ingredients="packed")
    ended = trainer.run(trainer.step(FOREST, data).model_copy(update={"cache": cache}))
    trained = ended.trained
    assert ended.exit_status == 0
    assert trained.data == data
    assert set(trained.metrics) == {"rmse", "mae", "r2", "mape", "median_error", "max_error"}
    assert trained.model_version == "1"
    assert trained.cpu_seconds is not None
    assert trained.cpu_seconds > 0
    assert trained.peak_memory_bytes is not None
    assert trained.peak_memory_bytes > 10_000_000
    assert trained.compiled is not None
    assert (trained.compiled.used, trained.compiled.max_delta) == (True, "0")
    assert trained.compiled.rows
    assert trained.seconds is not None
    assert trained.seconds > 0

    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        (version,) = tracking.versions("houses")
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["run_id"] == trained.run_id
    tagged = {own["key"]: own["value"] for own in run["data"]["tags"]}
    assert (tagged[labels.TAG_CACHE_KEY], tagged[labels.TAG_CACHE_INGREDIENTS]) == (cache.key, "packed")
    parameters = {own["key"]: own["value"] for own in run["data"]["params"]}
    assert parameters["estimator.class"] == "RandomForestRegressor"
    assert parameters["estimator.n_estimators"] == "5"
    assert parameters["features"] == "size, age"
    (read,) = run["inputs"]["dataset_inputs"]
    assert read["dataset"]["digest"] == data.digest.removeprefix("sha256:")[:32]
    tags = {own["key"]: own["value"] for own in version["tags"]}
    assert tags == {
        labels.RUN_TAG_JOB: "job",
        labels.RUN_TAG_UID: trainer.uid,
        labels.TAG_DATASET_DIGEST: data.digest,
        labels.TAG_MODEL_DIGEST: trained.model_digest,
        labels.TAG_BUNDLE_URI: trained.bundle_uri,
    }


def test_an_evaluated_run_has_its_report_and_numbers_beside_each_metric(trainer: TrainerRun) -> None:
    spec = {**FOREST, "evaluation": {"metrics": ["rmse"], "crossValidation": {"folds": 3}}}
    trained = trainer.run(trainer.step(spec, publish(trainer.store, houses()))).trained
    assert set(trained.metrics) == {"rmse"}
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        files = tracking.files_of(trained.run_id, "evaluation")
    assert {own["key"] for own in run["data"]["metrics"]} == {
        "rmse",
        "rmse_low",
        "rmse_high",
        "baseline_rmse",
        "cv_mean_rmse",
        "cv_sd_rmse",
    }
    assert files == {
        "report.html",
        "evaluation.json",
        "predictions.parquet",
        "actual-vs-predicted.png",
        "residuals.png",
        "feature-importance.png",
        "learning-curve.png",
    }


def test_a_job_without_plots_has_no_report_but_can_be_compared(trainer: TrainerRun) -> None:
    trained = trainer.run(trainer.step(BARE, publish(trainer.store, houses()))).trained
    with trainer.mlflow.tracking() as tracking:
        assert tracking.files_of(trained.run_id, "evaluation") == {
            "evaluation.json",
            "predictions.parquet",
        }


def test_the_bundle_on_s3_is_what_its_digest_says(trainer: TrainerRun) -> None:
    trained = trainer.run(trainer.step(BARE, publish(trainer.store, houses()))).trained
    store = trainer.store
    prefix = store.key(trained.bundle_uri)
    bundle = Bundle.model_validate_json(store.read(f"{prefix}/bundle.json"))
    assert canonical_digest(bundle.to_wire()) == trained.model_digest
    assert trained.bundle_uri.endswith(trained.model_digest.removeprefix("sha256:"))
    golden = GoldenRequest.model_validate_json(store.read(f"{prefix}/golden.json"))
    assert [set(row) for row in golden.rows] == [{"size", "age"}] * len(golden.predictions)
    assert [column.nullable for column in bundle.inputs] == [False, False]
    assert {own.name: own.bytes for own in bundle.files} == {
        name: store.size(f"{prefix}/{name}")
        for name in ("golden.json", "model.skops", "model.twin", "reference.json")
    }
    reference = Reference.model_validate_json(store.read(f"{prefix}/reference.json"))
    assert [feature.name for feature in reference.features] == [column.name for column in bundle.inputs]


def test_text_is_classified_with_probabilities(trainer: TrainerRun) -> None:
    trained = trainer.run(trainer.step(TITLES, publish(trainer.store, titles()))).trained
    assert trained.metrics["f1_macro"] == 1.0
    assert trained.model_version is None
    prefix = trainer.store.key(trained.bundle_uri)
    bundle = Bundle.model_validate_json(trainer.store.read(f"{prefix}/bundle.json"))
    assert bundle.classes == ["kitchen", "phone"]
    golden = GoldenRequest.model_validate_json(trainer.store.read(f"{prefix}/golden.json"))
    assert golden.probabilities is not None
    assert set(golden.predictions) == {"kitchen", "phone"}


def test_a_pinned_version_is_found_in_the_record_and_said_in_the_answer(trainer: TrainerRun) -> None:
    older = publish(trainer.store, houses(), sequence=1)
    publish(trainer.store, houses().slice(0, 90), sequence=2)
    pinned = {**BARE, "datasetRef": {"name": "data", "variant": "v1", "sequence": 1}}
    step = trainer.step(pinned, None)
    first = trainer.run(step).trained
    assert first.data == older
    assert trainer.run(step).trained == first


def test_a_pin_that_means_no_version_is_refused_with_those_that_there_are(trainer: TrainerRun) -> None:
    publish(trainer.store, houses())
    pinned = {**BARE, "datasetRef": {"name": "data", "variant": "v1", "sequence": 9}}
    ended = trainer.run(trainer.step(pinned, None))
    assert "spec.datasetRef.sequence = '9': variant v1 of data has no such version" in ended.complaint
    assert "there are those of loads 1." in ended.complaint


def test_a_finished_step_is_answered_at_once_and_makes_nothing_new(trainer: TrainerRun) -> None:
    step = trainer.step(BARE, publish(trainer.store, houses()))
    first = trainer.run(step).trained
    again = trainer.run(step)
    assert again.trained == first
    assert "nothing is trained again" in again.log
    with trainer.mlflow.tracking() as tracking:
        assert len(tracking.runs_of(trainer.uid)) == 1
        assert len(tracking.versions("houses")) == 1


def test_the_same_job_makes_the_same_model_bytes(new_trainer: Callable[[], TrainerRun]) -> None:
    files = []
    for trainer in (new_trainer(), new_trainer()):
        # In interpreters of their own, whose strings hash differently.
        trained = trainer.run(trainer.step(BARE, publish(trainer.store, houses())), cold=True).trained
        files.append(trainer.store.read(f"{trainer.store.key(trained.bundle_uri)}/model.skops"))
    assert files[0] == files[1]
