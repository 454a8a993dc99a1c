"""What is wrong with a spec that its schema takes, as far as it shows without a cluster.

The operator says this in a condition, the command line before anything is applied, both in the same words.
"""

from __future__ import annotations

from datetime import datetime

from modelyard_api.catalog.training_job import check_training_job
from modelyard_api.metrics import METRICS, find_metric
from modelyard_api.schedule import schedule_fault
from modelyard_api.v1alpha1 import DatasetSpec, ModelPromotionSpec
from modelyard_api.v1alpha1.training_job import AnySpec

Spec = DatasetSpec | AnySpec | ModelPromotionSpec


def best_metric_fault(spec: ModelPromotionSpec) -> str:
    """What is wrong with the metric that candidates are ranked by; empty where it is well."""
    best = spec.candidate.best
    if best is None or find_metric(best.metric) is not None:
        return ""
    return f"spec.candidate.best.metric: {best.metric} is not a metric. Known are {', '.join(METRICS)}"


def faults_of(spec: Spec, now: datetime) -> list[str]:
    """Every fault as a sentence with field, value and remedy. ``now`` is when a schedule would begin."""
    if isinstance(spec, AnySpec):
        return [problem.sentence() for problem in check_training_job(spec)]
    fault = schedule_fault(spec.load, now) if isinstance(spec, DatasetSpec) else best_metric_fault(spec)
    return [fault] if fault else []
