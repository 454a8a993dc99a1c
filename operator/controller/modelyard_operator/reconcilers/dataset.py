"""Dataset: one step at a time, for the recipe that the spec asks for now."""

from __future__ import annotations

from dataclasses import replace

from modelyard_api import labels
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.reasons import DatasetCondition
from modelyard_operator.cluster.kinds import DATASET, JOB, PROMOTION, TRAINING_JOB
from modelyard_operator.cluster.store import Key
from modelyard_operator.decisions.attempts import owned_jobs
from modelyard_operator.decisions.dataset import decide_dataset
from modelyard_operator.decisions.dataset_facts import DatasetFacts, DatasetPlan
from modelyard_operator.decisions.due import Parent
from modelyard_operator.decisions.parents import circle, find_parent
from modelyard_operator.decisions.plan import Start
from modelyard_operator.decisions.references import references_to
from modelyard_operator.decisions.warm import WARM_POLL_SECONDS, is_small, present_marks
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.steps import Due, References, StepKind
from modelyard_operator.objects.workloads import Job
from modelyard_operator.reconcilers.context import AGAIN, DONE, Context, Next
from modelyard_operator.reconcilers.status import tell, write_status
from modelyard_operator.reconcilers.steps import carry_out, gather_step, make_job, page_of
from modelyard_operator.reconcilers.warm import gather_warm, hand_over, take_all_out
from modelyard_operator.resources import common
from modelyard_operator.resources.pods import MLFLOW_KEYS, POSTGRES_KEYS, S3_KEYS
from modelyard_operator.resources.step_job import StepJob
from modelyard_operator.resources.steps import DatasetStep, dataset_step

_KEPT_STEPS = 3
"""Steps whose Jobs stay for their pods' logs; a Dataset with a short interval makes thousands a day."""
_TOLD = (
    DatasetCondition.READY,
    DatasetCondition.VALID,
    DatasetCondition.DETERMINISTIC,
    DatasetCondition.PROGRESSING,
)


async def reconcile_dataset(context: Context, key: Key) -> Next:
    """Brings one Dataset a step further."""
    dataset = context.store.get(DATASET, key.namespace, key.name)
    if dataset is None or dataset.metadata.deletion_timestamp is not None:
        await take_all_out(context, key)
        return DONE
    facts = await _gather(context, key, dataset)
    plan = decide_dataset(dataset, facts)
    await carry_out(context, plan)
    if plan.start is not None and plan.due is not None and isinstance(dataset.spec, DatasetSpec):
        wanted = _job(context, dataset, dataset.spec, plan.start, plan.due)
        most = context.settings.warm.max_rows
        small = is_small(dataset.spec, dataset.status, plan.due, plan.start.attempt, most)
        if small and await hand_over(context, wanted):
            return Next(WARM_POLL_SECONDS)
        refusal = await make_job(context, wanted)
        if refusal is None:
            return AGAIN
        plan = decide_dataset(dataset, replace(facts, refusal=refusal))
    if not await write_status(context, DATASET, dataset, plan.status, *_TOLD):
        return AGAIN
    _count(context, key, dataset, plan)
    return Next(plan.after)


async def _gather(context: Context, key: Key, dataset: DatasetObject) -> DatasetFacts:
    now = context.clock()
    uid = dataset.metadata.uid
    owned = owned_jobs(context.store.children(JOB, key), uid, {})
    present = owned_jobs(owned, uid, present_marks(dataset))
    warm = await gather_warm(context, key, dataset, present)
    present = (*present, *warm.jobs)
    step = replace(await gather_step(context, key, present, now, warm.pods), patient=True)
    return DatasetFacts(
        step=step,
        outdated=(*_outdated(owned, dataset), *warm.outdated),
        bucket=context.settings.s3.bucket,
        parent=_parent(context, key, dataset),
        circle=circle(dataset, lambda name: context.store.get(DATASET, key.namespace, name)),
        page=warm.page or await page_of(context, step),
    )


def _outdated(owned: tuple[Job, ...], dataset: DatasetObject) -> tuple[Job, ...]:
    """Jobs of recipes that are not asked for any more and still run, and those of steps that ended long ago."""

    def is_outdated(job: Job) -> bool:
        if not job.finished:
            return job.metadata.annotation(labels.RECIPE) != dataset.recipe
        step = job.metadata.annotation(labels.STEP) or ""
        return step.isdigit() and int(step) <= dataset.status.steps - _KEPT_STEPS

    return tuple(job for job in owned if is_outdated(job))


def _parent(context: Context, key: Key, dataset: DatasetObject) -> Parent:
    if not isinstance(dataset.spec, DatasetSpec) or dataset.spec.source.dataset is None:
        return None
    source = dataset.spec.source.dataset
    return find_parent(source, context.store.get(DATASET, key.namespace, source.name))


def _job(context: Context, dataset: DatasetObject, spec: DatasetSpec, start: Start, due: Due) -> StepJob:
    meta, step = dataset.metadata, str(dataset.status.steps + 1)
    parent = common.Parent("Dataset", meta.namespace, meta.name, meta.uid, meta.generation)
    wanted = DatasetStep(
        parent=parent,
        spec=spec,
        status=dataset.status,
        due=due,
        attempt=start.attempt,
        requested_by=meta.annotations.get(labels.REQUESTED_BY, ""),
        references=_references(context, dataset) if due.kind is StepKind.SWEEP else References(),
    )
    marks = {labels.RECIPE: dataset.recipe, labels.STEP: step}
    if due.request:
        marks[labels.REQUEST] = due.request
    return StepJob(
        parent=parent,
        identity=(dataset.recipe, due.kind, str(due.sequence), step),
        attempt=start.attempt,
        step=dataset_step(wanted, context.settings),
        options=spec,
        pod=context.settings.loader,
        keys=(*POSTGRES_KEYS, *S3_KEYS, *(MLFLOW_KEYS if due.kind is StepKind.SWEEP else ())),
        marks=marks,
        deadline_seconds=start.deadline_seconds,
        source_secret=spec.source.secret if due.kind is StepKind.LOAD else None,
    )


def _references(context: Context, dataset: DatasetObject) -> References:
    meta, store = dataset.metadata, context.store
    return references_to(
        meta.name,
        store.all(TRAINING_JOB, meta.namespace),
        store.all(PROMOTION, meta.namespace),
        store.all(DATASET, meta.namespace),
    )


def _count(context: Context, key: Key, dataset: DatasetObject, plan: DatasetPlan) -> None:
    if plan.announce is not None:
        tell(context, DATASET, dataset, plan.announce)
    if plan.ended is not None:
        context.step_metrics.count(key.namespace, key.name, plan.ended)
