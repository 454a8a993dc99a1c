"""What a ModelPromotion has to have found out or written down by Jobs, and what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from modelyard_api.contract.outcome import Outcome
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec
from modelyard_operator.cluster.kinds import JOB
from modelyard_operator.cluster.store import Key
from modelyard_operator.decisions.admission import still_wanted
from modelyard_operator.decisions.attempts import Progress, State, owned_jobs, progress
from modelyard_operator.decisions.candidates import choose
from modelyard_operator.decisions.direction import PromotionFacts, gate_facts
from modelyard_operator.decisions.history import Recording, unrecorded
from modelyard_operator.decisions.plan import LOOK_AGAIN_SECONDS
from modelyard_operator.decisions.rollout import query_of
from modelyard_operator.objects.custom import PromotionObject
from modelyard_operator.objects.gates import Evidence, GateEvidence
from modelyard_operator.objects.registry import Version
from modelyard_operator.reconcilers.context import Context
from modelyard_operator.reconcilers.steps import gather_step, make_job
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.promotion_steps import (
    OPTIONS,
    Errand,
    champions_errand,
    improvement_errand,
    inspection_errand,
)

_LONGEST = 160


@dataclass(frozen=True)
class Ran:
    """Where an errand is."""

    outcome: Outcome | None = None
    fault: str = ""
    waiting: str = ""
    after: float | None = None


async def run_errands(
    context: Context, key: Key, promotion: PromotionObject, facts: PromotionFacts
) -> PromotionFacts:
    """The facts with what is known for the gates and of the history; Jobs are made for what is not."""
    spec = promotion.spec
    if not isinstance(spec, ModelPromotionSpec):
        return facts
    meta = promotion.metadata
    parent = Parent("ModelPromotion", meta.namespace, meta.name, meta.uid, meta.generation)
    facts = await _record(context, key, parent, promotion, facts)
    facts = replace(facts, evidence=GateEvidence(server_image=context.settings.server.image))
    if facts.owner or spec.suspend:
        return facts
    if query := query_of(spec, promotion.status, facts.now):
        facts = replace(facts, watched=await context.prometheus.ask(query))
    if facts.registry is None:
        return facts
    chosen = choose(spec, facts.registry, facts.training_job)
    if not isinstance(chosen, Version):
        return facts
    return await _find_out(context, key, parent, promotion, facts, chosen)


async def _find_out(
    context: Context,
    key: Key,
    parent: Parent,
    promotion: PromotionObject,
    facts: PromotionFacts,
    chosen: Version,
) -> PromotionFacts:
    spec, champion = promotion.spec, promotion.status.champion
    assert isinstance(spec, ModelPromotionSpec)  # noqa: S101  asked before
    wanted = still_wanted(promotion, spec, gate_facts(promotion, facts, chosen))
    evidence, pauses = facts.evidence, [facts.look_again]
    if wanted.metrics and champion is not None:
        errand = improvement_errand(parent, chosen, champion, wanted, context.settings)
        ran = await _run(context, key, parent, errand)
        found = ran.outcome.improvement if ran.outcome is not None else None
        evidence = replace(evidence, improvement=Evidence(found, ran.fault, ran.waiting))
        pauses.append(ran.after)
    if wanted.inspection:
        errand = inspection_errand(parent, chosen, champion, context.settings)
        ran = await _run(context, key, parent, errand)
        inspected = ran.outcome.inspection if ran.outcome is not None else None
        evidence = replace(evidence, inspection=Evidence(inspected, ran.fault, ran.waiting))
        pauses.append(ran.after)
    if wanted.queries:
        answers = await asyncio.gather(*(context.prometheus.ask(query) for query in wanted.queries))
        evidence = replace(evidence, answers=dict(zip(wanted.queries, answers, strict=True)))
        pauses.append(LOOK_AGAIN_SECONDS)
    return replace(facts, evidence=evidence, look_again=_soonest(*pauses))


async def _record(
    context: Context, key: Key, parent: Parent, promotion: PromotionObject, facts: PromotionFacts
) -> PromotionFacts:
    """Writes champions that Postgres does not have yet, also while the promotion is suspended."""
    spec, missing = promotion.spec, unrecorded(promotion.status)
    assert isinstance(spec, ModelPromotionSpec)  # noqa: S101  asked before
    if not missing:
        return facts
    ran = await _run(context, key, parent, champions_errand(parent, spec, missing, context.settings))
    written = ran.outcome.champions if ran.outcome is not None else None
    recording = Recording(written.number if written is not None else 0, ran.fault or ran.waiting)
    return replace(facts, recording=recording, look_again=_soonest(facts.look_again, ran.after))


async def _run(context: Context, key: Key, parent: Parent, errand: Errand) -> Ran:
    """Makes the errand's Job where it has none, and says where it is. An outage is waited out, however long it is."""
    jobs = owned_jobs(context.store.children(JOB, key), parent.uid, errand.marks)
    facts = replace(await gather_step(context, key, jobs, context.clock()), patient=True)
    told = progress(OPTIONS, facts, recorded=0)
    if told.start is None:
        return _ran(told)
    refusal = await make_job(context, errand.job(parent, told.start.attempt, told.start.failures))
    if refusal is None:
        return Ran()
    if refusal.final:
        return Ran(fault=refusal.message[:_LONGEST])
    return Ran(waiting=refusal.message[:_LONGEST], after=LOOK_AGAIN_SECONDS)


def _ran(told: Progress) -> Ran:
    if told.state is State.DONE:
        return Ran(outcome=told.outcome)
    if told.state is State.FAILED:
        return Ran(fault=_short(told), after=told.after)
    waiting = _short(told) if told.failure is not None else ""
    return Ran(waiting=waiting, after=told.after)


def _short(told: Progress) -> str:
    message = told.failure.message if told.failure is not None else told.message
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"


def _soonest(*pauses: float | None) -> float | None:
    return min((pause for pause in pauses if pause is not None), default=None)
