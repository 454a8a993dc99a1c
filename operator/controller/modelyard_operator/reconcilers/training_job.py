"""TrainingJob: wait for the data, judge the pipeline, then one Job an attempt until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modelyard_api import labels
from modelyard_api.catalog.training_job import check_training_job
from modelyard_api.contract.steps import STEP_VARIABLE, Step
from modelyard_api.v1alpha1.common import JobOptions, ResourceRequirements
from modelyard_api.v1alpha1.reasons import TrainingJobCondition, TrainingJobReason
from modelyard_api.v1alpha1.training_job import (
    AnySpec,
    ContainerSpec,
    DatasetVersion,
    LearningSpec,
    ReplaySpec,
    TrainingJobStatus,
)
from modelyard_operator.cluster.kinds import DATASET, JOB, TRAINING_JOB
from modelyard_operator.cluster.store import Key
from modelyard_operator.decisions.attempts import StepFacts, attempt_of, owned_jobs
from modelyard_operator.decisions.data_version import Waiting, find_version
from modelyard_operator.decisions.memory import Memory, raised_limit, with_memory_limit
from modelyard_operator.decisions.plan import Refusal, Start
from modelyard_operator.decisions.replaying import with_secrets, without_container
from modelyard_operator.decisions.training_job import TrainingFacts, decide_training_job, is_ended
from modelyard_operator.errors import TrackingError, UnavailableError
from modelyard_operator.objects.custom import TrainingJobObject, Unreadable
from modelyard_operator.objects.steps import Pinned
from modelyard_operator.objects.workloads import Job
from modelyard_operator.reconcilers.caching import Asked, cache_entry, look
from modelyard_operator.reconcilers.context import AGAIN, DONE, Context, Next
from modelyard_operator.reconcilers.status import write_status
from modelyard_operator.reconcilers.steps import carry_out, gather_step, make_job, page_of
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.own_container import Room, before_step
from modelyard_operator.resources.pods import MLFLOW_KEYS, POSTGRES_KEYS, S3_KEYS
from modelyard_operator.resources.step_job import Before, StepJob
from modelyard_operator.resources.steps import container_step, replay_step, train_step

_ASKED_FOR_PAGE = timedelta(minutes=10)


async def reconcile_training_job(context: Context, key: Key) -> Next:
    """Brings one TrainingJob a step further."""
    job = context.store.get(TRAINING_JOB, key.namespace, key.name)
    if job is None or job.metadata.deletion_timestamp is not None:
        return DONE
    facts = await _gather(context, key, job)
    plan = decide_training_job(job, facts)
    await carry_out(context, plan)
    if plan.start is not None and not isinstance(job.spec, Unreadable):
        refusal = await _start(context, job, job.spec, facts, plan.start)
        if refusal is None:
            return AGAIN
        plan = decide_training_job(job, replace(facts, refusal=refusal))
    if plan.status.completion_time is not None and not is_ended(job):
        context.earlier.changed(key.namespace)
    if plan.delete_self:
        await context.cluster.delete(TRAINING_JOB, key.namespace, key.name, job.metadata.uid)
        return DONE
    status = await _with_page(context, key, plan.status)
    if not await write_status(context, TRAINING_JOB, job, status, TrainingJobCondition.SUCCEEDED):
        return AGAIN
    return Next(plan.after)


async def _with_page(context: Context, key: Key, status: TrainingJobStatus) -> TrainingJobStatus:
    """The status with a link to its run, where people have an address of MLflow; without it is as good.

    MLflow is asked for some minutes: else each look at any of thousands of finished jobs might be a request.
    """
    public, run = context.settings.mlflow.public_url, status.run
    if not public or run is None or run.url is not None or status.completion_time is None:
        return status
    if context.clock() - datetime.fromisoformat(status.completion_time) > _ASKED_FOR_PAGE:
        return status
    try:
        url = await context.tracking.page_of(public, key.namespace, run.id)
    except (UnavailableError, TrackingError):
        return status
    return status.model_copy(update={"run": run.model_copy(update={"url": url})})


async def _gather(context: Context, key: Key, job: TrainingJobObject) -> TrainingFacts:
    now = context.clock()
    if is_ended(job) or isinstance(job.spec, Unreadable):
        return TrainingFacts(step=StepFacts(now=now, pauses=context.pauses), data=Waiting(""))
    jobs = owned_jobs(context.store.children(JOB, key), job.metadata.uid, {})
    step = replace(
        await gather_step(context, key, jobs, now), memory=_memory(context, job.status, job.spec, jobs)
    )
    latest = step.latest()
    fresh = latest is None and job.status.attempt == 0
    # The spec cannot change, so its faults are looked for once, before any pod.
    problems = check_training_job(job.spec) if fresh else ()
    data = _data(context, key, job, job.spec, jobs)
    looked = None
    if isinstance(job.spec, LearningSpec) and not isinstance(data, Waiting):
        asked = Asked(key.namespace, job.spec, data)
        if job.status.attempt == 0 and not problems:
            looked = await look(context, asked, begun=bool(jobs))
    return TrainingFacts(
        step=step,
        data=data,
        problems=problems,
        job_name=latest.metadata.name if latest else None,
        page=await page_of(context, step) if job.spec.tuning is not None else None,
        looked=looked,
    )


def _memory(context: Context, status: TrainingJobStatus, spec: JobOptions, jobs: Sequence[Job]) -> Memory:
    """The raised limit is on the Job that has it before it is in the status."""
    marked = max(jobs, key=attempt_of, default=None)
    raised = (marked.metadata.annotation(labels.MEMORY_LIMIT) if marked else None) or status.memory_limit
    if raised:
        return Memory(raised=raised)
    resources = spec.resources or context.settings.trainer.resources
    return Memory(next=raised_limit(resources, context.growth))


def _data(
    context: Context,
    key: Key,
    job: TrainingJobObject,
    spec: AnySpec,
    jobs: Sequence[Job],
) -> DatasetVersion | Waiting | Pinned:
    """Once chosen the version stays: the status says which it is, and before that the first Job's step."""
    if isinstance(spec, ReplaySpec):
        # The run says which rows they were, whatever became of their Dataset.
        return Pinned(dataset_uid="")
    if job.status.dataset_version is not None:
        return job.status.dataset_version
    for made in jobs:
        text = made.variable(STEP_VARIABLE)
        step = Step.model_validate_json(text) if text else None
        begun = (step.train or step.record) if step is not None else None
        if begun is not None:
            return begun.data or Pinned(begun.dataset_uid)
    return find_version(spec.dataset_ref, context.store.get(DATASET, key.namespace, spec.dataset_ref.name))


async def _start(
    context: Context,
    job: TrainingJobObject,
    spec: AnySpec,
    facts: TrainingFacts,
    start: Start,
) -> Refusal | None:
    assert not isinstance(facts.data, Waiting)  # noqa: S101  decided so
    meta = job.metadata
    parent = Parent("TrainingJob", meta.namespace, meta.name, meta.uid, meta.generation)
    options: JobOptions = spec
    marks = {labels.FAILURES: str(start.failures)}
    if start.memory:
        asked = spec.resources or context.settings.trainer.resources
        options = spec.model_copy(update={"resources": with_memory_limit(asked, start.memory)})
        marks[labels.MEMORY_LIMIT] = start.memory
    asked_for = _Wanted(parent, facts.data, start.attempt, options.resources)
    try:
        work = await _work(context, spec, asked_for)
    except (UnavailableError, TrackingError) as error:
        return Refusal(TrainingJobReason.PLATFORM, f"The run cannot be looked up: {error}", final=False)
    if isinstance(work, Refusal):
        return work
    step, before = work
    wanted = StepJob(
        parent=parent,
        identity=(),
        attempt=start.attempt,
        step=step,
        before=before,
        options=options,
        pod=context.settings.trainer,
        keys=(*S3_KEYS, *MLFLOW_KEYS, *(POSTGRES_KEYS if spec.tuning is not None else ())),
        workers=spec.tuning.parallelism if spec.tuning is not None else None,
        marks=marks,
        deadline_seconds=start.deadline_seconds,
    )
    return await make_job(context, wanted)


@dataclass(frozen=True)
class _Wanted:
    """An attempt to be made."""

    parent: Parent
    data: DatasetVersion | Pinned
    attempt: int
    resources: ResourceRequirements | None


_Work = tuple[Step, Before | None]
"""The step of an attempt, and what other containers do before it."""


async def _work(context: Context, spec: AnySpec, wanted: _Wanted) -> _Work | Refusal:
    parent, settings = wanted.parent, context.settings
    if isinstance(spec, ReplaySpec):
        return await _replay(context, spec, wanted)
    cache = cache_entry(context, Asked(parent.namespace, spec, wanted.data))
    if isinstance(spec, ContainerSpec):
        work = container_step(parent, spec, wanted.data, wanted.attempt, settings, cache)
        return Step(record=work), before_step(spec, work, _room(context, wanted))
    return train_step(parent, spec, wanted.data, wanted.attempt, settings, cache), None


async def _replay(context: Context, spec: ReplaySpec, wanted: _Wanted) -> _Work | Refusal:
    """What is wrong with a run the trainer says; here it matters only whether its own code has to work before."""
    parent, settings = wanted.parent, context.settings
    record = await context.tracking.training_record(parent.namespace, spec.replay.run_id)
    if record is None or not isinstance(record.spec, ContainerSpec):
        refusal = without_container(spec.environment) if record is not None else None
        return refusal or (replay_step(parent, spec, wanted.attempt, settings), None)
    again = with_secrets(record.spec, spec)
    if isinstance(again, Refusal):
        return again
    work = container_step(parent, again, record.data, wanted.attempt, settings)
    step = replay_step(parent, spec, wanted.attempt, settings, container=True)
    return step, before_step(again, work, _room(context, wanted))


def _room(context: Context, wanted: _Wanted) -> Room:
    trainer = context.settings.trainer
    return Room(trainer, wanted.resources or trainer.resources, context.job_defaults.pull_policy)
