"""Jobs and Deployments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from modelyard_api.base import StatusModel
from modelyard_operator.objects.meta import KubeObject, ObjectCondition
from modelyard_operator.objects.pods import PodTemplate


class PodConditionPattern(StatusModel):
    """A pod's condition that a rule looks for."""

    type: str
    status: str = "True"


class ExitCodes(StatusModel):
    """Exit codes that a rule looks for."""

    operator: str = "In"
    values: list[int]


class PodFailureRule(StatusModel):
    """What a failure of a pod means to its Job, by the one or the other."""

    action: str
    on_pod_conditions: list[PodConditionPattern] | None = None
    on_exit_codes: ExitCodes | None = None


class PodFailurePolicy(StatusModel):
    """Rules, the first that fits decides."""

    rules: list[PodFailureRule]


class SuccessRule(StatusModel):
    """Indexes whose success is that of the Job."""

    succeeded_indexes: str


class SuccessPolicy(StatusModel):
    """Rules, one of which has to fit."""

    rules: list[SuccessRule]


class JobSpec(StatusModel):
    """What a Job runs."""

    template: PodTemplate
    backoff_limit: int | None = None
    backoff_limit_per_index: int | None = None
    completion_mode: str | None = None
    completions: int | None = None
    parallelism: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    pod_replacement_policy: str | None = None
    success_policy: SuccessPolicy | None = None


class JobStatus(StatusModel):
    """What is seen of a Job."""

    active: int = 0
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: list[ObjectCondition] | None = None

    def condition(self, type_: str) -> ObjectCondition | None:
        """The condition of this type, where it is true."""
        return next(
            (item for item in self.conditions or [] if item.type == type_ and item.status == "True"), None
        )


class Job(KubeObject):
    """batch/v1 Job."""

    api_version: str | None = "batch/v1"
    kind: str | None = "Job"
    spec: JobSpec
    status: JobStatus | None = None

    @property
    def observed(self) -> JobStatus:
        """The status, empty before the first."""
        return self.status or JobStatus()

    @property
    def complete(self) -> ObjectCondition | None:
        """Set once the Job succeeded."""
        return self.observed.condition("Complete")

    @property
    def failed(self) -> ObjectCondition | None:
        """Set once the Job failed for good."""
        return self.observed.condition("Failed")

    @property
    def finished(self) -> bool:
        """Whether nothing of it will run any more."""
        return self.complete is not None or self.failed is not None

    @property
    def memory_limit(self) -> str:
        """Memory limit of the first container; empty where it has none."""
        containers = self.spec.template.spec.containers
        resources = containers[0].resources if containers else None
        return str(resources.limits.get("memory", "")) if resources else ""

    def variable(self, name: str) -> str | None:
        """Value of a variable of the first container."""
        containers = self.spec.template.spec.containers
        variables = (containers[0].env or []) if containers else []
        return next((item.value for item in variables if item.name == name), None)


class LabelSelector(StatusModel):
    """Labels that choose pods."""

    match_labels: dict[str, str]


class RollingUpdate(StatusModel):
    """How many pods may be missing or too many."""

    max_unavailable: int
    max_surge: int


class DeploymentStrategy(StatusModel):
    """How pods are replaced."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(StatusModel):
    """What a Deployment runs."""

    replicas: int = 1
    selector: LabelSelector
    template: PodTemplate
    strategy: DeploymentStrategy | None = None
    revision_history_limit: int | None = None
    progress_deadline_seconds: int | None = None


class DeploymentStatus(StatusModel):
    """What is seen of a Deployment."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    conditions: list[ObjectCondition] | None = None


class Deployment(KubeObject):
    """apps/v1 Deployment."""

    api_version: str | None = "apps/v1"
    kind: str | None = "Deployment"
    spec: DeploymentSpec
    status: DeploymentStatus | None = None

    @property
    def observed(self) -> DeploymentStatus:
        """The status, empty before the first."""
        return self.status or DeploymentStatus()


class ServicePort(StatusModel):
    """A port of a Service."""

    name: str
    port: int
    target_port: str


class ServiceSpec(StatusModel):
    """Which pods answer under one name."""

    selector: dict[str, str] | None = None
    ports: list[ServicePort] = []


class Service(KubeObject):
    """v1 Service."""

    api_version: str | None = "v1"
    kind: str | None = "Service"
    spec: ServiceSpec


class ConfigMap(KubeObject):
    """v1 ConfigMap."""

    api_version: str | None = "v1"
    kind: str | None = "ConfigMap"
    data: dict[str, str] | None = None


class LeaseSpec(StatusModel):
    """Who holds a Lease, and since when."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(KubeObject):
    """coordination.k8s.io/v1 Lease."""

    api_version: str | None = "coordination.k8s.io/v1"
    kind: str | None = "Lease"
    spec: LeaseSpec = LeaseSpec()


class ObjectReference(StatusModel):
    """What an Event is about."""

    api_version: str
    kind: str
    name: str
    namespace: str
    uid: str


class Event(KubeObject):
    """v1 Event."""

    api_version: str | None = "v1"
    kind: str | None = "Event"
    involved_object: ObjectReference
    type: str
    reason: str
    message: str
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: Annotated[int, Field(ge=1)] = 1
    source: dict[str, str] | None = None
    reporting_component: str | None = None
    reporting_instance: str | None = None
