"""Everything that the catalog knows against a TrainingJob's spec."""

from __future__ import annotations

from modelyard_api.catalog.check import check_evaluation, check_pipeline
from modelyard_api.catalog.problem import Problem
from modelyard_api.catalog.tuning import check_tuning
from modelyard_api.v1alpha1.training_job import AnySpec, ContainerSpec, ReplaySpec


def check_training_job(spec: AnySpec) -> list[Problem]:
    """Faults of pipeline, evaluation and tuning; only MLflow knows those of a run to replay."""
    if isinstance(spec, ReplaySpec):
        return []
    if isinstance(spec, ContainerSpec):
        return check_evaluation(spec.evaluation, spec.task)
    weights = spec.sample_weight_column is not None
    return [
        *check_pipeline(spec.pipeline, spec.task, weights=weights),
        *check_evaluation(spec.evaluation, spec.task),
        *check_tuning(spec),
    ]
