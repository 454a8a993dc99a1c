"""What models of the shipped data sets come to: plain scikit-learn's figures, over splits by hash."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard_api.contract.manifest import manifest_uri
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.sources import BuiltinName
from modelyard_runtime.split import held_out
from modelyard_runtime.table import Version, load_version
from modelyard_trainer import machine
from tests.support.fitting import fit_in_memory
from tests.support.loading import CALIFORNIA_VARIANTS, LoaderRun
from tests.support.postgres import PostgresServer
from tests.support.s3 import S3Server
from tests.support.thorough import Sweep

pytestmark = pytest.mark.timeout(1200)

_SEEDS = range(2)
"""Of the splits of a thorough run; an ordinary one has the first of them."""
_FOREST = {
    "task": "Regression",
    "target": "MedHouseVal",
    "pipeline": {
        "estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 100, "random_state": 42}}
    },
    "evaluation": {"metrics": ["rmse", "r2"]},
}
_TITLES = {
    "task": "Classification",
    "target": "category",
    "features": {"include": ["title"]},
    "pipeline": {
        "preprocess": [
            {
                "name": "title",
                "columns": {"names": ["title"]},
                "steps": [
                    {"class": "TfidfVectorizer", "params": {"max_features": 5000, "ngram_range": [1, 2]}}
                ],
            }
        ],
        "estimator": {"class": "LogisticRegression", "params": {"max_iter": 1000}},
    },
    "evaluation": {"metrics": ["f1_macro"]},
}
Published = Callable[[BuiltinName, list[str], Sequence[object]], dict[str, Version]]


@pytest.fixture
def published(postgres_server: PostgresServer, minio_server: S3Server, tmp_path: Path) -> Published:
    """Loads a built-in data set and reads its variants back."""

    def load(source: BuiltinName, key: list[str], variants: Sequence[object]) -> dict[str, Version]:
        project = postgres_server.make_project(source.value.replace("-", "_") + "_figures")
        name = source.value
        loader = LoaderRun(tmp_path, postgres_server, minio_server, project, source, name, primary_key=key)
        ended = loader.run(loader.step(variants))
        assert ended.outcome is not None, ended.log
        assert ended.outcome.load is not None, ended.outcome
        store = minio_server.store(project.schema)
        return {
            own.name: load_version(
                manifest_uri(store.endpoint.bucket, project.schema, name, own.name, own.manifest), store
            )
            for own in ended.outcome.load.variants
        }

    return load


def test_forests_on_the_variants_of_california_come_to_what_scikit_learn_gives(
    published: Published, sweep: Sweep
) -> None:
    versions = published(BuiltinName.CALIFORNIA_HOUSING, ["row"], CALIFORNIA_VARIANTS)
    seeds = _SEEDS if sweep.thorough else _SEEDS[:1]
    means = {name: statistics.fmean(_errors(version, seeds)) for name, version in versions.items()}
    assert means == pytest.approx({"v1": 0.506, "v2": 0.414, "v3": 0.416}, abs=0.02)


def test_titles_are_told_apart_almost_always(published: Published) -> None:
    version = published(BuiltinName.PRODUCT_TITLES, ["product_id"], [{"name": "v1"}])["v1"]
    assert fit_in_memory(_TITLES, version).metrics["f1_macro"] >= 0.93


def _errors(version: Version, seeds: Sequence[int]) -> list[float]:
    """RMSE on the test part of each split."""
    found = []
    for seed in seeds:
        is_test = held_out(version.table, version.manifest.key, Split(seed=seed))
        fitted = fit_in_memory(_FOREST, replace(version, is_test=is_test), machine.threads())
        found.append(fitted.metrics["rmse"])
    return found
