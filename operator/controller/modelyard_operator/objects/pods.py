"""Pods: what the operator puts into a template, and what it reads back of a running pod."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from modelyard_api.base import StatusModel
from modelyard_api.v1alpha1.common import ResourceRequirements, Toleration
from modelyard_operator.objects.meta import KubeObject, ObjectCondition

STEP_CONTAINER = "step"
"""Name of the container that carries a step out."""
PREPARE_CONTAINER = "prepare"
"""Name of the init container that hands rows over to own code."""
OWN_CONTAINER = "own"
"""Name of the init container with own code."""
JUDGE_CONTAINER = "judge"
"""Name of the init container that asks the model of own code."""


class SecretKeySelector(StatusModel):
    """A key of a Secret."""

    name: str
    key: str


class EnvVarSource(StatusModel):
    """Where a variable's value is."""

    secret_key_ref: SecretKeySelector


class EnvVar(StatusModel):
    """A variable of a container."""

    name: str
    value: str | None = None
    value_from: EnvVarSource | None = None


class VolumeMount(StatusModel):
    """Where a container sees a volume."""

    name: str
    mount_path: str
    read_only: bool | None = None


class HttpGet(StatusModel):
    """A request of the kubelet."""

    path: str
    port: str


class Sleep(StatusModel):
    """The kubelet waits."""

    seconds: int


class Probe(StatusModel):
    """A question that the kubelet asks a container."""

    http_get: HttpGet
    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    timeout_seconds: int | None = None
    failure_threshold: int | None = None


class LifecycleHandler(StatusModel):
    """What the kubelet does at a point of a container's life."""

    sleep: Sleep | None = None


class Lifecycle(StatusModel):
    """Points of a container's life."""

    pre_stop: LifecycleHandler | None = None


class ContainerPort(StatusModel):
    """A port with a name."""

    name: str
    container_port: int


class Capabilities(StatusModel):
    """Linux capabilities."""

    drop: list[str]


class SecurityContext(StatusModel):
    """What a container may do."""

    allow_privilege_escalation: bool = False
    read_only_root_filesystem: bool = True
    capabilities: Capabilities = Capabilities(drop=["ALL"])


class SeccompProfile(StatusModel):
    """Filter of system calls."""

    type: str = "RuntimeDefault"


class PodSecurityContext(StatusModel):
    """What all containers of a pod are."""

    run_as_non_root: bool = True
    run_as_user: int = 65532
    run_as_group: int = 65532
    fs_group: int = 65532
    seccomp_profile: SeccompProfile = SeccompProfile()


class Container(StatusModel):
    """A container of a template."""

    name: str
    image: str = ""
    image_pull_policy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[EnvVar] | None = None
    ports: list[ContainerPort] | None = None
    resources: ResourceRequirements | None = None
    volume_mounts: list[VolumeMount] | None = None
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    security_context: SecurityContext | None = None
    termination_message_policy: str | None = None


class KeyToPath(StatusModel):
    """A key and the file that it becomes."""

    key: str
    path: str


class ProjectedSecret(StatusModel):
    """Keys of a Secret as files."""

    name: str
    items: list[KeyToPath]


class Projection(StatusModel):
    """A source of a projected volume."""

    secret: ProjectedSecret


class Projected(StatusModel):
    """Files from several sources in one directory."""

    sources: list[Projection]
    default_mode: int | None = None


class EmptyDir(StatusModel):
    """Space that ends with the pod."""

    size_limit: str


class ConfigMapVolume(StatusModel):
    """A ConfigMap's keys as files."""

    name: str
    optional: bool | None = None


class SecretVolume(StatusModel):
    """All keys of a Secret as files."""

    secret_name: str
    optional: bool | None = None
    default_mode: int | None = None


class Volume(StatusModel):
    """A volume of a pod."""

    name: str
    empty_dir: EmptyDir | None = None
    projected: Projected | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None


class PodSpec(StatusModel):
    """What a pod runs."""

    init_containers: list[Container] | None = None
    containers: list[Container] = []
    service_account_name: str | None = None
    automount_service_account_token: bool | None = None
    enable_service_links: bool | None = None
    restart_policy: str | None = None
    termination_grace_period_seconds: int | None = None
    security_context: PodSecurityContext | None = None
    volumes: list[Volume] | None = None
    node_selector: dict[str, str] | None = None
    tolerations: list[Toleration] | None = None
    priority_class_name: str | None = None
    node_name: str | None = None


class TemplateMeta(StatusModel):
    """Metadata of pods to be made; their names are made up for them."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class PodTemplate(StatusModel):
    """A pod to be made."""

    metadata: TemplateMeta = TemplateMeta()
    spec: PodSpec


class Terminated(StatusModel):
    """How a container ended."""

    exit_code: int
    signal: int | None = None
    reason: str | None = None
    message: str | None = None
    finished_at: datetime | None = None


class Waiting(StatusModel):
    """Why a container does not run yet."""

    reason: str | None = None
    message: str | None = None


class Running(StatusModel):
    """A container runs."""

    started_at: datetime | None = None


class ContainerState(StatusModel):
    """One of the three."""

    terminated: Terminated | None = None
    waiting: Waiting | None = None
    running: Running | None = None


class ContainerStatus(StatusModel):
    """What the kubelet sees of a container."""

    name: str
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(StatusModel):
    """What is seen of a pod."""

    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    pod_ip: Annotated[str | None, Field(alias="podIP")] = None
    conditions: list[ObjectCondition] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None

    def condition(self, type_: str) -> ObjectCondition | None:
        """The condition of this type."""
        return next((item for item in self.conditions or [] if item.type == type_), None)


class Pod(KubeObject):
    """A pod as it is seen; what it was asked to run is not kept."""

    status: PodStatus = PodStatus()

    @property
    def is_ready(self) -> bool:
        """Whether the pod gets traffic."""
        condition = self.status.condition("Ready")
        return condition is not None and condition.status == "True" and not self.metadata.deletion_timestamp
