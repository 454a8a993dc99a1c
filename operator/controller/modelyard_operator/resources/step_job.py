"""The Job of one attempt of a step: it explains itself, and needs nothing but the project's credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from modelyard_api import labels
from modelyard_api.contract.exit_codes import ExitCode
from modelyard_api.contract.steps import STEP_VARIABLE, TMP_SIZE_VARIABLE, Step
from modelyard_api.labels import child_name
from modelyard_api.v1alpha1.common import JobOptions
from modelyard_operator.objects.pods import (
    STEP_CONTAINER,
    Container,
    EnvVar,
    PodSecurityContext,
    PodSpec,
    PodTemplate,
    TemplateMeta,
    Volume,
    VolumeMount,
)
from modelyard_operator.objects.workloads import (
    ExitCodes,
    Job,
    JobSpec,
    PodConditionPattern,
    PodFailurePolicy,
    PodFailureRule,
    SuccessPolicy,
    SuccessRule,
)
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.pods import (
    RESTRICTED,
    mounts,
    source_mount,
    source_volume,
    tmp_and_credentials,
)
from modelyard_operator.settings import PodSettings

STEP_LIMIT_BYTES = 120_000
"""Linux refuses a single variable of 128 KiB."""

QUEUE = "kueue.x-k8s.io/queue-name"
_GRACE_SECONDS = 30
_TAKEN_AWAY = PodFailureRule(
    action="Ignore", on_pod_conditions=[PodConditionPattern(type="DisruptionTarget")]
)


@dataclass(frozen=True)
class Before:
    """Containers that work one after the other before the step's own, and what they share with it."""

    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    mounts: tuple[VolumeMount, ...]
    """What the step's own container sees of the volumes."""


@dataclass(frozen=True)
class StepJob:
    """What makes one attempt different from all others."""

    parent: Parent
    identity: tuple[str, ...]
    """What names the step besides its attempt."""
    attempt: int
    step: Step
    options: JobOptions
    pod: PodSettings
    keys: tuple[str, ...]
    """Credentials that the pod needs."""
    marks: dict[str, str] = field(default_factory=dict)
    """Annotations by which the Job is found again."""
    deadline_seconds: int | None = None
    workers: int | None = None
    """Pods of an Indexed Job that work side by side, the first of which answers; None for one pod as it is."""
    source_secret: str | None = None
    """Secret with the source's credentials, where the step reads a source that needs one."""
    before: Before | None = None
    """What has to be done before the step, where other containers do it."""

    @cached_property
    def document(self) -> str:
        """The step as the pod's variable holds it."""
        return self.step.model_dump_json(by_alias=True, exclude_none=True)


@dataclass(frozen=True)
class JobDefaults:
    """What is the same for all Jobs of an installation."""

    secret: str
    pull_policy: str
    ttl_seconds: int


def job_name(parent: Parent, identity: tuple[str, ...], attempt: int) -> str:
    """Name of an attempt's Job."""
    return child_name(parent.name, parent.uid, *identity, attempt)


def build_step_job(wanted: StepJob, defaults: JobDefaults) -> Job:
    """The Job. Attempts are ours: its own controller tries again only when a pod was taken away from it."""
    parent, options = wanted.parent, wanted.options
    meta = parent.meta(
        job_name(parent, wanted.identity, wanted.attempt),
        {
            labels.ATTEMPT: str(wanted.attempt),
            labels.GENERATION: str(parent.generation),
            **wanted.marks,
        },
    )
    if options.queue_name:
        meta = meta.model_copy(update={"labels": {**parent.labels(), QUEUE: options.queue_name}})
    return Job(
        metadata=meta,
        spec=JobSpec(
            template=PodTemplate(
                metadata=TemplateMeta(labels=parent.step_labels()), spec=_pod(wanted, defaults)
            ),
            active_deadline_seconds=wanted.deadline_seconds,
            ttl_seconds_after_finished=defaults.ttl_seconds,
            pod_replacement_policy="Failed",
            **(_alone() if wanted.workers is None else _side_by_side(wanted.workers, options.backoff_limit)),
        ),
    )


def _alone() -> dict[str, Any]:
    return {
        "backoff_limit": 0,
        "completions": 1,
        "parallelism": 1,
        "pod_failure_policy": PodFailurePolicy(rules=[_TAKEN_AWAY]),
    }


def _side_by_side(workers: int, tries: int) -> dict[str, Any]:
    """A worker that dies is started again by the Job's controller, while the others go on.

    What a worker can explain would happen to all of them: that ends the Job. The first worker answers for all.
    """
    explained = sorted(code for code in ExitCode if code not in {ExitCode.OK, ExitCode.PLATFORM})
    policy = PodFailurePolicy(
        rules=[_TAKEN_AWAY, PodFailureRule(action="FailJob", on_exit_codes=ExitCodes(values=explained))]
    )
    return {
        "completion_mode": "Indexed",
        "completions": workers,
        "parallelism": workers,
        "backoff_limit_per_index": tries,
        "pod_failure_policy": policy,
        "success_policy": SuccessPolicy(rules=[SuccessRule(succeeded_indexes="0")]),
    }


def _pod(wanted: StepJob, defaults: JobDefaults) -> PodSpec:
    options, pod, secret, before = wanted.options, wanted.pod, wanted.source_secret, wanted.before
    container = Container(
        name=STEP_CONTAINER,
        image=pod.image,
        image_pull_policy=defaults.pull_policy,
        env=[
            EnvVar(name=STEP_VARIABLE, value=wanted.document),
            EnvVar(name=TMP_SIZE_VARIABLE, value=pod.tmp_size),
        ],
        resources=options.resources or pod.resources,
        volume_mounts=[
            *mounts(),
            *([source_mount()] if secret else []),
            *(before.mounts if before else ()),
        ],
        security_context=RESTRICTED,
        termination_message_policy="File",
    )
    return PodSpec(
        init_containers=list(before.containers) if before else None,
        containers=[container],
        restart_policy="Never",
        service_account_name=pod.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        termination_grace_period_seconds=_GRACE_SECONDS,
        security_context=PodSecurityContext(),
        volumes=[
            *tmp_and_credentials(defaults.secret, wanted.keys, pod.tmp_size),
            *([source_volume(secret)] if secret else []),
            *(before.volumes if before else ()),
        ],
        node_selector=options.node_selector,
        tolerations=options.tolerations or None,
        priority_class_name=options.priority_class_name,
    )
