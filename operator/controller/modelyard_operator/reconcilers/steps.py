"""What Dataset and TrainingJob have in common: Jobs, their pods, and making the next Job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from modelyard_operator.cluster.kinds import EVENT, JOB, POD
from modelyard_operator.cluster.store import Key
from modelyard_operator.decisions.attempts import StepFacts
from modelyard_operator.decisions.failures import has_ended, log_container, needs_log
from modelyard_operator.decisions.plan import Plan, Refusal
from modelyard_operator.decisions.warm import WarmJob
from modelyard_operator.errors import (
    AlreadyExistsError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.steps import Page
from modelyard_operator.objects.workloads import Job
from modelyard_operator.reconcilers.context import Context
from modelyard_operator.reconcilers.warm import take_out
from modelyard_operator.resources.step_job import STEP_LIMIT_BYTES, StepJob, build_step_job

_LOG_LINES = 20


async def gather_step(
    context: Context, key: Key, jobs: Sequence[Job], now: datetime, warm: Sequence[Pod] = ()
) -> StepFacts:
    """The step's Jobs and pods; log and quota are read only where nothing else explains what is seen.

    ``warm`` are those that stand for steps in the warm loader's hands.
    """
    seen = (*context.store.children(POD, key), *warm)
    facts = StepFacts(now=now, pauses=context.pauses, jobs=tuple(jobs), pods=seen)
    job = facts.latest()
    if job is None:
        return facts
    pods = facts.pods_of(job)
    if job.finished and not any(has_ended(pod) for pod in pods):
        # The Job's end may be seen before that of its pod.
        pods = await _live_pods(context, job)
    log_tail = ""
    if (mute := needs_log(job, pods)) is not None:
        log_tail = await context.cluster.log_tail(
            key.namespace, mute.metadata.name, log_container(mute), _LOG_LINES
        )
    quota = await _refused_pods(context, job) if _has_no_pod(job, pods) else ""
    return StepFacts(
        now=now, pauses=context.pauses, jobs=tuple(jobs), pods=tuple(pods), quota=quota, log_tail=log_tail
    )


async def page_of(context: Context, facts: StepFacts) -> Page | None:
    """What a running pod of the present attempt says of itself."""
    job = facts.latest()
    if job is None or job.finished:
        return None
    for pod in facts.pods_of(job):
        if pod.status.phase == "Running" and pod.status.pod_ip and not pod.metadata.deletion_timestamp:
            return await context.pages.look(pod.metadata.uid or "", pod.status.pod_ip)
    return None


async def make_job(context: Context, wanted: StepJob) -> Refusal | None:
    """Makes the Job, or finds that it is there already; else says why it cannot be."""
    size = len(wanted.document.encode())
    if size > STEP_LIMIT_BYTES:
        message = (
            f"spec: as a step it has {size} bytes, at most {STEP_LIMIT_BYTES} fit into a pod. Make it smaller"
        )
        return Refusal("InvalidSpec", message, final=True)
    job = build_step_job(wanted, context.job_defaults)
    try:
        context.store.put(JOB, await context.cluster.create(JOB, job))
    except AlreadyExistsError:
        return await _settle(context, wanted, job)
    except ForbiddenError as error:
        if "being terminated" in error.message:
            raise UnavailableError(error.message) from error
        return Refusal("Quota", f"The Job is not allowed: {error.message}", final=False)
    except InvalidError as error:
        return Refusal("InvalidSpec", f"The Job is refused: {error.message}", final=True)
    return None


async def carry_out(context: Context, plan: Plan[Any]) -> None:
    """Lets Jobs go on, holds or removes them, as the plan says."""
    if plan.hold is not None and isinstance(plan.hold.job, WarmJob):
        await take_out(context, plan.hold.job.metadata.namespace or "", [plan.hold.job.metadata.name])
    elif plan.hold is not None:
        job = plan.hold.job
        namespace, name = job.metadata.namespace or "", job.metadata.name
        body = {
            "metadata": {"resourceVersion": job.metadata.resource_version},
            "spec": {"suspend": plan.hold.suspend},
        }
        try:
            context.store.put(JOB, await context.cluster.patch(JOB, namespace, name, body))
        except NotFoundError:
            context.store.remove(JOB, namespace, name, job.metadata.uid)
    for job in plan.stop:
        if isinstance(job, WarmJob):
            await take_out(context, job.metadata.namespace or "", [job.metadata.name])
            continue
        namespace, uid = job.metadata.namespace or "", job.metadata.uid or ""
        await context.cluster.delete(JOB, namespace, job.metadata.name, uid)


async def _settle(context: Context, wanted: StepJob, job: Job) -> Refusal | None:
    """A Job of this name is there: ours from before, or somebody else's?"""
    live = await context.cluster.get(JOB, wanted.parent.namespace, job.metadata.name)
    if live is None or live.metadata.deletion_timestamp is not None:
        raise UnavailableError(f"the Job {job.metadata.name} is on its way out", retry_after=1)
    if live.metadata.controller_uid == wanted.parent.uid:
        context.store.put(JOB, live)
        return None
    message = (
        f"The Job {job.metadata.name}, whose name is needed, belongs to something else. "
        f"Remove it, or use another name for this {wanted.parent.kind}"
    )
    return Refusal("NameConflict", message, final=True)


async def _live_pods(context: Context, job: Job) -> list[Pod]:
    query = {"labelSelector": f"batch.kubernetes.io/controller-uid={job.metadata.uid}"}
    return [pod async for pod in context.cluster.list(POD, job.metadata.namespace or "", query)]


def _has_no_pod(job: Job, pods: Sequence[Pod]) -> bool:
    """Whether the Job's controller was there and yet no pod is."""
    seen = job.observed
    return (
        not pods and not job.finished and not job.spec.suspend and seen.active == 0 and bool(seen.start_time)
    )


async def _refused_pods(context: Context, job: Job) -> str:
    query = {"fieldSelector": f"involvedObject.uid={job.metadata.uid},reason=FailedCreate"}
    last = ""
    async for event in context.cluster.list(EVENT, job.metadata.namespace or "", query):
        last = event.message
    return last
