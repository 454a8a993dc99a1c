"""Training in this process, without a store: for tests of what happens between rows and a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.contract.manifest import Manifest, Recipe
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.training_job import TrainingJobSpec
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.split import held_out
from modelyard_runtime.table import Version
from modelyard_trainer.data import TrainingData, prepare
from modelyard_trainer.evaluation.judged import gives, judge
from modelyard_trainer.evaluation.metrics import evaluate, values_of, wanted_metrics
from modelyard_trainer.features import Plan, make_plan
from modelyard_trainer.fit import explained, fit
from modelyard_trainer.pipeline import Build, build


def version_of(table: pa.Table, key: Sequence[str] = ("row",), split: Split | None = None) -> Version:
    """Rows as a version that no store holds."""
    chosen = split or Split()
    manifest = Manifest(
        project="demo",
        dataset="data",
        variant="v1",
        sequence=1,
        key=list(key),
        columns=canonical_columns(table.schema),
        rows=table.num_rows,
        parts=[],
        recipe=Recipe(digest="0" * 64, engine="test"),
        content_digest="sha256:" + "0" * 64,
        split=chosen,
        audit_head="sha256:" + "0" * 64,
    )
    return Version(manifest, table, held_out(table, key, chosen))


def spec_of(spec: Mapping[str, Any]) -> TrainingJobSpec:
    """A spec as a user writes it, on the data set of ``version_of``."""
    return TrainingJobSpec.model_validate({"datasetRef": {"name": "data", "variant": "v1"}, **spec})


@dataclass(frozen=True)
class Fitted:
    """A model and what it was made from."""

    model: FittablePipeline
    plan: Plan
    data: TrainingData
    metrics: dict[str, float]


def fit_in_memory(spec: Mapping[str, Any], version: Version, threads: int = 1) -> Fitted:
    """What the trainer does between reading and storing."""
    asked = spec_of(spec)
    plan = make_plan(version.manifest, asked)
    data = prepare(version, plan, asked.task)
    classes = sorted(set(data.train.y.tolist())) if asked.task is Task.CLASSIFICATION else []
    model = build(asked.pipeline, asked.task, plan, Build(threads, classes))
    wanted = wanted_metrics(asked.evaluation, asked.task, gives(model), classes)
    fit(model, data, asked, threads)
    with explained("predictions", data, asked):
        metrics = values_of(
            evaluate(judge(model, data.test.X, data.test.y), wanted, asked.evaluation, asked.task)
        )
    return Fitted(model, plan, data, metrics)
