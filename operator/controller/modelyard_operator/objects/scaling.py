"""What keeps the right number of pods: autoscalers and disruption budgets."""

from __future__ import annotations

from modelyard_api.base import StatusModel
from modelyard_operator.objects.meta import KubeObject
from modelyard_operator.objects.workloads import LabelSelector


class ScaleTarget(StatusModel):
    """What is scaled."""

    api_version: str
    kind: str
    name: str


class MetricTarget(StatusModel):
    """The value that is aimed at."""

    type: str = "Utilization"
    average_utilization: int


class ResourceMetric(StatusModel):
    """A resource of the pods' containers."""

    name: str
    target: MetricTarget


class ScalingMetric(StatusModel):
    """What the number of pods follows."""

    type: str = "Resource"
    resource: ResourceMetric


class AutoscalerSpec(StatusModel):
    """Between which bounds, and by what."""

    scale_target_ref: ScaleTarget
    min_replicas: int
    max_replicas: int
    metrics: list[ScalingMetric]


class HorizontalPodAutoscaler(KubeObject):
    """autoscaling/v2 HorizontalPodAutoscaler; its status is of no interest here."""

    api_version: str | None = "autoscaling/v2"
    kind: str | None = "HorizontalPodAutoscaler"
    spec: AutoscalerSpec


class DisruptionBudgetSpec(StatusModel):
    """How many pods may be taken away at once."""

    selector: LabelSelector
    max_unavailable: int
    unhealthy_pod_eviction_policy: str = "AlwaysAllow"
    """A pod that never gets ready shall not keep a node from being drained."""


class PodDisruptionBudget(KubeObject):
    """policy/v1 PodDisruptionBudget."""

    api_version: str | None = "policy/v1"
    kind: str | None = "PodDisruptionBudget"
    spec: DisruptionBudgetSpec
