"""What is shipped as an example is right before any pod looks at it."""

from collections import Counter

import pytest
import yaml

from bringup.paths import REPOSITORY
from modelyard_api.catalog.training_job import check_training_job
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.training_job import parse_training_job_spec

FOLDER = REPOSITORY / "manifests" / "samples"
DOCUMENTS = [
    one
    for file in sorted(FOLDER.rglob("*.yaml"))
    for one in yaml.safe_load_all(file.read_text())
    if "apiVersion" in one
]
JOBS = {one["metadata"]["name"]: one["spec"] for one in DOCUMENTS if one["kind"] == "TrainingJob"}


@pytest.mark.parametrize("name", JOBS)
def test_a_sample_has_no_fault_that_the_catalog_knows(name: str) -> None:
    assert check_training_job(parse_training_job_spec(JOBS[name])) == []


def test_samples_are_named_once_and_train_on_variants_that_there_are() -> None:
    counts = Counter((one["kind"], one["metadata"]["name"]) for one in DOCUMENTS)
    assert max(counts.values()) == 1
    variants = {
        one["metadata"]["name"]: {
            variant.name for variant in DatasetSpec.model_validate(one["spec"]).variants
        }
        for one in DOCUMENTS
        if one["kind"] == "Dataset"
    }
    for name, spec in JOBS.items():
        ref = spec["datasetRef"]
        assert ref["variant"] in variants[ref["name"]], name


def test_the_comparison_has_every_estimator_on_every_variant() -> None:
    compared = Counter(
        (spec["datasetRef"]["variant"], spec["pipeline"]["estimator"]["class"])
        for name, spec in JOBS.items()
        if name.startswith("california-")
    )
    classes = {"LinearRegression", "RandomForestRegressor", "XGBRegressor", "LGBMRegressor"}
    assert compared == {(variant, one): 1 for variant in ("v1", "v2", "v3") for one in classes}
