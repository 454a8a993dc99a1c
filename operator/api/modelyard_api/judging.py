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
    fault = metric_fault(best.metric) if best is not None else ""
    return f"spec.candidate.best.metric: {fault}" if fault else ""


def metric_fault(name: str) -> str:
    """What is wrong with the name of a metric that two models are compared by; empty where it is well."""
    return "" if find_metric(name) is not None else f"{name} is not a metric. Known are {', '.join(METRICS)}"


def promotion_faults(spec: ModelPromotionSpec) -> list[str]:
    """Metrics of candidate and gates that do not exist; whether a run has one is known to MLflow alone."""
    compared = [
        f"spec.gates[{place}]: improvement.metric: {fault}"
        for place, gate in enumerate(spec.gates)
        if gate.improvement is not None and (fault := metric_fault(gate.improvement.metric))
    ]
    best = best_metric_fault(spec)
    return [best, *compared] if best else compared


def faults_of(spec: Spec, now: datetime) -> list[str]:
    """Every fault as a sentence with field, value and remedy. ``now`` is when a schedule would begin."""
    if isinstance(spec, AnySpec):
        return [problem.sentence() for problem in check_training_job(spec)]
    if isinstance(spec, ModelPromotionSpec):
        return promotion_faults(spec)
    fault = schedule_fault(spec.load, now)
    return [fault] if fault else []
