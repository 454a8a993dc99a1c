"""Models judged in this process, for tests of plots and reports."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from modelyard_api.contract.bundle import Library
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_trainer.evaluation.assess import Assessment, primary_of
from modelyard_trainer.evaluation.record import EvaluationRecord, RunFacts, record_of, split_clause
from modelyard_trainer.making import make, material_of
from tests.support.fitting import spec_of, version_of


def assessed(spec: Mapping[str, Any], table: pa.Table) -> Assessment:
    """What the trainer finds out about a model."""
    asked = spec_of(spec)
    return make(asked, material_of(version_of(table), asked), 1).assessment


def recorded(
    spec: Mapping[str, Any], assessment: Assessment, *, job: str = "job", run_id: str = "a1b2"
) -> EvaluationRecord:
    """The document of an assessment, as of a run."""
    asked = spec_of(spec)
    facts = RunFacts(
        project="demo",
        job=job,
        run_id=run_id,
        image="modelyard/trainer:tests",
        dataset="data",
        data=DatasetVersion(variant="v1", sequence=3, digest="sha256:" + "0" * 64, uri="s3://bucket/m.json"),
        task=asked.task,
        target=asked.target,
        primary=primary_of(asked),
        split=split_clause(version_of(pa.table({"row": [1]})).manifest.split),
        rows_train=320,
        rows_test=assessment.judged.rows,
        parameters={"estimator.class": asked.pipeline.estimator.class_, "features": "x"},
        libraries=[Library(name="scikit-learn", version="1.9.1")],
        threads=1,
        made_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    return record_of(assessment, facts, asked.evaluation.bootstrap.confidence)
