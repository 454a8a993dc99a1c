"""Dataset: one loader at a time, for the recipe that the spec asks for now."""

from __future__ import annotations

from dataclasses import replace

from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.reasons import DatasetCondition
from modelyard_operator.cluster.kinds import DATASET, JOB
from modelyard_operator.cluster.store import Key
from modelyard_operator.decisions.attempts import owned_jobs
from modelyard_operator.decisions.dataset import DatasetFacts, decide_dataset
from modelyard_operator.decisions.plan import Start
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.workloads import Job
from modelyard_operator.reconcilers.context import AGAIN, DONE, Context, Next
from modelyard_operator.reconcilers.status import write_status
from modelyard_operator.reconcilers.steps import carry_out, gather_step, make_job
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.pods import POSTGRES_KEYS, S3_KEYS
from modelyard_operator.resources.step_job import RECIPE, StepJob
from modelyard_operator.resources.steps import load_step


async def reconcile_dataset(context: Context, key: Key) -> Next:
    """Brings one Dataset a step further."""
    dataset = context.store.get(DATASET, key.namespace, key.name)
    if dataset is None or dataset.metadata.deletion_timestamp is not None:
        return DONE
    facts = await _gather(context, key, dataset)
    plan = decide_dataset(dataset, facts)
    await carry_out(context, plan)
    if plan.start is not None and isinstance(dataset.spec, DatasetSpec):
        refusal = await make_job(context, _job(context, dataset, dataset.spec, plan.start))
        if refusal is None:
            return AGAIN
        plan = decide_dataset(dataset, replace(facts, refusal=refusal))
    if not await write_status(context, DATASET, dataset, plan.status, DatasetCondition.READY):
        return AGAIN
    return Next(plan.after)


async def _gather(context: Context, key: Key, dataset: DatasetObject) -> DatasetFacts:
    now = context.clock()
    jobs = context.store.children(JOB, key)
    recipe = dataset.recipe
    owned = owned_jobs(jobs, dataset.metadata.uid, {})
    present = owned_jobs(owned, dataset.metadata.uid, {RECIPE: recipe})
    return DatasetFacts(
        step=await gather_step(context, key, present, now),
        outdated=_outdated(owned, present),
        bucket=context.settings.s3.bucket,
    )


def _outdated(owned: tuple[Job, ...], present: tuple[Job, ...]) -> tuple[Job, ...]:
    """Jobs of recipes that are not asked for any more and still run."""
    names = {job.metadata.name for job in present}
    return tuple(job for job in owned if job.metadata.name not in names and not job.finished)


def _job(context: Context, dataset: DatasetObject, spec: DatasetSpec, start: Start) -> StepJob:
    meta = dataset.metadata
    parent = Parent("Dataset", meta.namespace, meta.name, meta.uid, meta.generation)
    recipe = dataset.recipe
    return StepJob(
        parent=parent,
        identity=(recipe,),
        attempt=start.attempt,
        step=load_step(parent, spec, start.attempt, context.settings),
        options=spec,
        pod=context.settings.loader,
        keys=(*POSTGRES_KEYS, *S3_KEYS),
        marks={RECIPE: recipe},
        deadline_seconds=start.deadline_seconds,
    )
