"""How many server pods there are: as many as the spec says, or between its bounds by their load."""

from __future__ import annotations

from modelyard_api import labels
from modelyard_api.v1alpha1.model_promotion import Replicas
from modelyard_operator.objects.scaling import (
    AutoscalerSpec,
    DisruptionBudgetSpec,
    HorizontalPodAutoscaler,
    MetricTarget,
    PodDisruptionBudget,
    ResourceMetric,
    ScaleTarget,
    ScalingMetric,
)
from modelyard_operator.objects.workloads import Deployment, LabelSelector
from modelyard_operator.resources.common import Parent


def replicas_of(wanted: Replicas, live: Deployment | None) -> int:
    """Pods that the Deployment should have now.

    Where an autoscaler decides, the number that it chose last stays. It is said all the same: a field that is not applied any
    more falls back to 1, which would take pods away at the moment autoscaling is turned on.
    """
    if not wanted.scales or live is None:
        return wanted.min
    return min(max(live.spec.replicas, wanted.min), wanted.max or wanted.min)


def build_autoscaler(parent: Parent, wanted: Replicas) -> HorizontalPodAutoscaler:
    """Follows the CPU that the pods use, as a percent of what they request."""
    target = MetricTarget(average_utilization=wanted.target_cpu_percent)
    return HorizontalPodAutoscaler(
        metadata=parent.meta(parent.name),
        spec=AutoscalerSpec(
            scale_target_ref=ScaleTarget(api_version="apps/v1", kind="Deployment", name=parent.name),
            min_replicas=wanted.min,
            max_replicas=wanted.max or wanted.min,
            metrics=[ScalingMetric(resource=ResourceMetric(name="cpu", target=target))],
        ),
    )


def build_disruption_budget(parent: Parent) -> PodDisruptionBudget:
    """Drains of nodes take pods one at a time, each replaced and ready before the next; a single pod is not held."""
    return PodDisruptionBudget(
        metadata=parent.meta(parent.name),
        spec=DisruptionBudgetSpec(
            selector=LabelSelector(match_labels={labels.PROMOTION: parent.name}), max_unavailable=1
        ),
    )
