"""The server of a ModelPromotion: Deployment, Service, and the route document as a file in a ConfigMap."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api import labels
from modelyard_api.contract.monitoring import DriftSettings, LogSettings, MonitoringSettings
from modelyard_api.contract.route import ROUTE_FILE, Route
from modelyard_api.contract.steps import KEYS_DIRECTORY, SERVER_VARIABLE, S3Endpoint, ServerSettings
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec, Serving
from modelyard_operator.objects.pods import (
    ConfigMapVolume,
    Container,
    ContainerPort,
    EnvVar,
    HttpGet,
    Lifecycle,
    LifecycleHandler,
    PodSecurityContext,
    PodSpec,
    PodTemplate,
    Probe,
    Sleep,
    TemplateMeta,
    Volume,
    VolumeMount,
)
from modelyard_operator.objects.workloads import (
    ConfigMap,
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    LabelSelector,
    RollingUpdate,
    Service,
    ServicePort,
    ServiceSpec,
)
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.pods import (
    RESTRICTED,
    S3_KEYS,
    keys_mount,
    keys_volume,
    mounts,
    tmp_and_credentials,
)
from modelyard_operator.settings import PodSettings

_ROUTE_DIRECTORY = "/etc/modelyard/route"
_PORT = "http"
_GRPC, _GRPC_PORT = "grpc", 8081
_PRE_STOP_SECONDS = 3
_GRACE_SECONDS = 30


@dataclass(frozen=True)
class ServerPods:
    """What pods of a promotion need to know besides the route."""

    parent: Parent
    spec: ModelPromotionSpec
    s3: S3Endpoint
    pod: PodSettings
    secret: str
    pull_policy: str
    port: int
    replicas: int
    """Pods that there should be now."""


def route_map_name(parent: Parent) -> str:
    """Name of the ConfigMap that holds the route."""
    return f"{parent.name}-route"


def build_route_map(parent: Parent, route: Route) -> ConfigMap:
    """The route as a file."""
    return ConfigMap(
        metadata=parent.meta(route_map_name(parent), {labels.ROUTE_DIGEST: route.digest()}),
        data={ROUTE_FILE: route.model_dump_json(by_alias=True, exclude_none=True)},
    )


def build_service(parent: Parent) -> Service:
    """The address of the promotion: port 80 for HTTP, so that a URL needs none, and gRPC on its own."""
    return Service(
        metadata=parent.meta(parent.name),
        spec=ServiceSpec(
            selector=_selector(parent),
            ports=[
                ServicePort(name=_PORT, port=80, target_port=_PORT),
                ServicePort(name=_GRPC, port=_GRPC_PORT, target_port=_GRPC),
            ],
        ),
    )


def build_deployment(wanted: ServerPods) -> Deployment:
    """Pods are replaced one by one, each new one ready before an old one goes."""
    parent = wanted.parent
    return Deployment(
        metadata=parent.meta(parent.name),
        spec=DeploymentSpec(
            replicas=wanted.replicas,
            selector=LabelSelector(match_labels=_selector(parent)),
            template=PodTemplate(
                metadata=TemplateMeta(labels=parent.labels(), annotations=_scrape(wanted.port)),
                spec=_pod(wanted),
            ),
            strategy=DeploymentStrategy(rolling_update=RollingUpdate(max_unavailable=0, max_surge=1)),
            revision_history_limit=2,
            progress_deadline_seconds=600,
        ),
    )


def _selector(parent: Parent) -> dict[str, str]:
    return {labels.PROMOTION: parent.name}


def _scrape(port: int) -> dict[str, str]:
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": "/metrics",
    }


def _pod(wanted: ServerPods) -> PodSpec:
    serving = wanted.spec.serving
    volumes = tmp_and_credentials(wanted.secret, S3_KEYS, wanted.pod.tmp_size)
    volumes.append(Volume(name="route", config_map=ConfigMapVolume(name=route_map_name(wanted.parent))))
    if serving.auth is not None:
        volumes.append(keys_volume(serving.auth.keys_secret.name))
    return PodSpec(
        containers=[_container(wanted)],
        service_account_name=wanted.pod.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        termination_grace_period_seconds=_GRACE_SECONDS,
        security_context=PodSecurityContext(),
        volumes=volumes,
        node_selector=serving.node_selector,
        tolerations=serving.tolerations or None,
        priority_class_name=serving.priority_class_name,
    )


def _monitoring(serving: Serving) -> MonitoringSettings:
    log, drift = serving.prediction_log, serving.drift
    return MonitoringSettings(
        log=None
        if log is None
        else LogSettings(sample_percent=log.sample_percent, retention_days=log.retention_days),
        drift=DriftSettings(window_rows=drift.window_rows, false_alarm_percent=drift.false_alarm_percent),
    )


def _container(wanted: ServerPods) -> Container:
    serving = wanted.spec.serving
    auth, limits = serving.auth, serving.limits
    settings = ServerSettings(
        promotion=wanted.parent.name,
        project=wanted.parent.namespace,
        model_name=wanted.spec.model_name,
        route_path=f"{_ROUTE_DIRECTORY}/{ROUTE_FILE}",
        port=wanted.port,
        grpc_port=_GRPC_PORT,
        s3=wanted.s3,
        processes=serving.processes,
        max_body_bytes=limits.max_body_bytes,
        max_rows=limits.max_rows,
        request_seconds=limits.request_seconds,
        keys_directory=KEYS_DIRECTORY if auth else None,
        monitoring=_monitoring(serving),
    )
    seen = [*mounts(), VolumeMount(name="route", mount_path=_ROUTE_DIRECTORY, read_only=True)]
    if auth is not None:
        seen.append(keys_mount())
    live, ready = (HttpGet(path=f"/v2/health/{word}", port=_PORT) for word in ("live", "ready"))
    return Container(
        name="server",
        image=wanted.pod.image,
        image_pull_policy=wanted.pull_policy,
        env=[EnvVar(name=SERVER_VARIABLE, value=settings.model_dump_json(by_alias=True, exclude_none=True))],
        ports=[
            ContainerPort(name=_PORT, container_port=wanted.port),
            ContainerPort(name=_GRPC, container_port=_GRPC_PORT),
        ],
        resources=serving.resources or wanted.pod.resources,
        volume_mounts=seen,
        startup_probe=Probe(http_get=live, period_seconds=1, timeout_seconds=2, failure_threshold=120),
        readiness_probe=Probe(http_get=ready, period_seconds=2, timeout_seconds=2, failure_threshold=2),
        liveness_probe=Probe(http_get=live, period_seconds=10, timeout_seconds=5, failure_threshold=6),
        lifecycle=Lifecycle(pre_stop=LifecycleHandler(sleep=Sleep(seconds=_PRE_STOP_SECONDS))),
        security_context=RESTRICTED,
    )
