"""What was asked for, flattened into the parameters of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator

from modelyard_api.contract.steps import ModelStep
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.own_container import OwnContainer
from modelyard_api.v1alpha1.pipeline import Component, Pipeline
from modelyard_runtime.table import Version
from modelyard_trainer.features import Plan


def parameters_of(step: ModelStep, version: Version, plan: Plan) -> dict[str, str]:
    """Parameters by dotted names; the same for every attempt of a job, since MLflow lets none change."""
    manifest, split = version.manifest, version.manifest.split
    found = {
        "dataset": step.spec.dataset_ref.name,
        "variant": manifest.variant,
        "sequence": str(manifest.sequence),
        "task": str(step.spec.task),
        "target": step.spec.target,
        "features": ", ".join(column.name for column in plan.inputs),
        "rows.train": str(int((~version.is_test).sum())),
        "rows.test": str(int(version.is_test.sum())),
        "split.testPercent": split.test_percent,
        "split.seed": str(split.seed),
    }
    if plan.weights is not None:
        found["sampleWeightColumn"] = plan.weights
    options = {"stratifyBy": split.stratify_by, "groupBy": split.group_by, "timeColumn": split.time_column}
    found.update({f"split.{name}": column for name, column in options.items() if column is not None})
    if step.spec.pipeline is not None:
        found.update(_pipeline(step.spec.pipeline))
    if step.spec.container is not None:
        found.update(_container(step.spec.container))
        plain = ((item.name, item.value) for item in step.spec.environment)
        found.update({f"environment.{name}": value for name, value in plain if value is not None})
    return found


def _pipeline(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    for branch in pipeline.preprocess:
        for number, component in enumerate(branch.steps):
            yield from _component(f"preprocess.{branch.name}.{number}", component)
    if pipeline.resample is not None:
        yield from _component("resample", pipeline.resample)
    yield from _component("estimator", pipeline.estimator)
    if pipeline.early_stopping is not None:
        yield "earlyStopping.rounds", str(pipeline.early_stopping.rounds)
        yield "earlyStopping.validationPercent", str(pipeline.early_stopping.validation_percent)


def _container(container: OwnContainer) -> Iterator[tuple[str, str]]:
    yield "container.image", container.image
    if container.command:
        yield "container.command", json.dumps(container.command)
    if container.args:
        yield "container.args", json.dumps(container.args)


def _component(prefix: str, component: Component) -> Iterator[tuple[str, str]]:
    yield f"{prefix}.class", component.class_
    for name, value in sorted(component.params.items()):
        yield f"{prefix}.{name}", _text(value)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
