"""ModelPromotion: candidate, gates, server, route, alias; in charge is who is served by all pods."""

from __future__ import annotations

from dataclasses import replace

from modelyard_api import labels
from modelyard_api.contract.route import Route
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec, Replicas
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_operator.cluster.kinds import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    POD,
    PROMOTION,
    SERVICE,
    TRAINING_JOB,
)
from modelyard_operator.cluster.store import Key
from modelyard_operator.decisions.candidates import Registry, runs_needed
from modelyard_operator.decisions.direction import PromotionFacts, direct
from modelyard_operator.decisions.fleet import Fleet
from modelyard_operator.decisions.plan import Refusal
from modelyard_operator.decisions.promotion import decide_promotion
from modelyard_operator.decisions.rollout import gave_way
from modelyard_operator.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TrackingError,
    UnavailableError,
)
from modelyard_operator.objects.custom import PromotionObject, TrainingJobObject
from modelyard_operator.objects.pods import Pod
from modelyard_operator.reconcilers.context import AGAIN, DONE, Context, Next
from modelyard_operator.reconcilers.errands import run_errands
from modelyard_operator.reconcilers.status import write_status
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.scaling import build_autoscaler, build_disruption_budget, replicas_of
from modelyard_operator.resources.server import ServerPods, build_deployment, build_route_map, build_service
from modelyard_operator.resources.steps import s3_endpoint

_TOLD = (
    PromotionCondition.READY,
    PromotionCondition.GATES_PASSED,
    PromotionCondition.APPROVED,
    PromotionCondition.ROLLED_BACK,
    PromotionCondition.DRIFTED,
    PromotionCondition.ALIAS,
    PromotionCondition.RECORDED,
)


async def reconcile_promotion(context: Context, key: Key) -> Next:
    """Brings one ModelPromotion a step further."""
    promotion = context.store.get(PROMOTION, key.namespace, key.name)
    if promotion is None or promotion.metadata.deletion_timestamp is not None:
        return DONE
    facts = await run_errands(context, key, promotion, await _gather(context, key, promotion))
    route = direct(promotion, facts).route
    if route is not None and isinstance(promotion.spec, ModelPromotionSpec) and not facts.owner:
        refusal = await _bring_up(context, promotion, promotion.spec, route)
        fleet = await _look_at_pods(context, key, route)
        facts = replace(facts, refusal=refusal, fleet=fleet)
    plan = decide_promotion(promotion, facts)
    if plan.set_alias is not None and isinstance(promotion.spec, ModelPromotionSpec):
        spec = promotion.spec
        try:
            await context.tracking.set_alias(key.namespace, spec.model_name, spec.stage, plan.set_alias)
        except (UnavailableError, TrackingError) as error:
            plan = decide_promotion(promotion, replace(facts, registry=None, trouble=str(error)))
    if not await write_status(context, PROMOTION, promotion, plan.status, *_TOLD):
        return AGAIN
    if (reason := gave_way(promotion.status, plan.status)) is not None:
        context.promotion_metrics.count_rollback(key.namespace, key.name, reason)
    return Next(plan.after)


async def _gather(context: Context, key: Key, promotion: PromotionObject) -> PromotionFacts:
    settings = context.settings
    facts = PromotionFacts(
        now=context.clock(),
        patience_seconds=settings.rollout_patience_seconds,
        load_seconds=settings.rollout_load_seconds,
    )
    spec = promotion.spec
    if not isinstance(spec, ModelPromotionSpec):
        return facts
    owner = _older_owner(context, promotion, spec)
    if owner:
        return replace(facts, owner=owner)
    job = None
    if spec.candidate.training_job is not None:
        job = context.store.get(TRAINING_JOB, key.namespace, spec.candidate.training_job.name)
    try:
        registry = await _registry(context, key.namespace, spec, job)
    except (UnavailableError, TrackingError) as error:
        return replace(facts, trouble=str(error), training_job=job)
    return replace(facts, registry=registry, training_job=job)


async def _registry(
    context: Context, project: str, spec: ModelPromotionSpec, job: TrainingJobObject | None
) -> Registry:
    tracking = context.tracking
    model = await tracking.model(project, spec.model_name)
    if model is None:
        return Registry()
    versions = await tracking.versions(project, spec.model_name)
    registry = Registry(versions=versions, alias=model.alias(spec.stage))
    runs = sorted(runs_needed(spec, registry, job))
    metrics = {run: await tracking.metrics(project, run) for run in runs}
    return replace(registry, metrics=metrics)


def _older_owner(context: Context, promotion: PromotionObject, spec: ModelPromotionSpec) -> str:
    """The promotion that has the alias because it was there first."""
    meta = promotion.metadata
    rivals = [
        item
        for item in context.store.all(PROMOTION, meta.namespace)
        if isinstance(item.spec, ModelPromotionSpec)
        and (item.spec.model_name, item.spec.stage) == (spec.model_name, spec.stage)
        and item.metadata.deletion_timestamp is None
    ]
    first = min(rivals, key=lambda item: (item.metadata.creation_timestamp or "", item.metadata.uid))
    return "" if first.metadata.uid == meta.uid else first.metadata.name


async def _bring_up(
    context: Context, promotion: PromotionObject, spec: ModelPromotionSpec, route: Route
) -> Refusal | None:
    """Keeps route, Service and Deployment as they should be."""
    meta, settings = promotion.metadata, context.settings
    parent = Parent("ModelPromotion", meta.namespace, meta.name, meta.uid, meta.generation)
    pods = ServerPods(
        parent=parent,
        spec=spec,
        s3=s3_endpoint(meta.namespace, settings),
        pod=settings.server,
        secret=settings.project_secret,
        pull_policy=settings.image_pull_policy,
        port=settings.server_port,
        replicas=replicas_of(spec.serving.replicas, context.store.get(DEPLOYMENT, meta.namespace, meta.name)),
    )
    try:
        stranger = (
            await context.applied.ensure(CONFIG_MAP, build_route_map(parent, route), meta.uid)
            or await context.applied.ensure(SERVICE, build_service(parent), meta.uid)
            or await context.applied.ensure(DEPLOYMENT, build_deployment(pods), meta.uid)
            or await context.applied.ensure(DISRUPTION_BUDGET, build_disruption_budget(parent), meta.uid)
            or await _keep_autoscaler(context, parent, spec.serving.replicas)
        )
    except InvalidError as error:
        return Refusal(PromotionReason.INVALID_SPEC, f"The server is refused: {error.message}", final=True)
    except ForbiddenError as error:
        if "being terminated" in error.message:
            raise UnavailableError(error.message) from error
        return Refusal(PromotionReason.PLATFORM, f"The server is not allowed: {error.message}", final=False)
    if not stranger:
        return None
    message = (
        f"The {stranger}, whose name is needed, belongs to something else. "
        "Remove it, or use another name for this ModelPromotion"
    )
    return Refusal(PromotionReason.NAME_CONFLICT, message, final=False)


async def _keep_autoscaler(context: Context, parent: Parent, wanted: Replicas) -> str:
    """The autoscaler, where one is wanted; one that was wanted once is removed, and the number of pods is the spec's."""
    if wanted.scales:
        return await context.applied.ensure(AUTOSCALER, build_autoscaler(parent, wanted), parent.uid)
    known = context.store.get(AUTOSCALER, parent.namespace, parent.name)
    if known is not None and known.metadata.controller_uid == parent.uid:
        await context.cluster.delete(AUTOSCALER, parent.namespace, parent.name, known.metadata.uid or "")
        context.store.remove(AUTOSCALER, parent.namespace, parent.name, known.metadata.uid)
    return ""


async def _look_at_pods(context: Context, key: Key, route: Route) -> Fleet:
    """What the pods serve; those that do not know the route yet are touched, so that their kubelet looks at once."""
    pods = [pod for pod in context.store.children(POD, key) if _is_server(pod) and _is_meant_to_live(pod)]
    addresses = {
        pod.metadata.name: pod.status.pod_ip
        for pod in pods
        if pod.status.pod_ip and pod.status.phase == "Running"
    }
    states = await context.servers.states(addresses)
    digest = route.digest()
    for pod in pods:
        state = states.get(pod.metadata.name)
        knows = state is not None and state.wanted_digest == digest
        if not knows and pod.metadata.annotation(labels.ROUTE_DIGEST) != digest:
            await _touch(context, pod, digest)
    return Fleet(
        pods=tuple(pod.metadata.name for pod in pods),
        ready=frozenset(pod.metadata.name for pod in pods if pod.is_ready),
        states=states,
        restarts=sum(_restarts(pod) for pod in pods),
    )


async def _touch(context: Context, pod: Pod, digest: str) -> None:
    """A change of a pod makes its kubelet refresh its files within a second instead of within a minute."""
    namespace, name = pod.metadata.namespace or "", pod.metadata.name
    change = {"metadata": {"annotations": {labels.ROUTE_DIGEST: digest}}}
    try:
        context.store.put(POD, await context.cluster.patch(POD, namespace, name, change))
    except NotFoundError:
        context.store.remove(POD, namespace, name, pod.metadata.uid)


def _restarts(pod: Pod) -> int:
    return sum(container.restart_count for container in pod.status.container_statuses or [])


def _is_server(pod: Pod) -> bool:
    """Pods of a promotion's steps are its children too."""
    return pod.metadata.label(labels.PROMOTION) is not None


def _is_meant_to_live(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None and pod.status.phase not in {"Succeeded", "Failed"}
