"""Where a ModelPromotion is going: which route its servers should have now, and who is in charge once they do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from modelyard_api import labels
from modelyard_api.conditions import Observation, find_condition
from modelyard_api.contract.route import Route, RoutedModel, Trial
from modelyard_api.v1alpha1.model_promotion import (
    CandidateStatus,
    ModelPromotionSpec,
    ModelPromotionStatus,
    ServedModel,
)
from modelyard_api.v1alpha1.reasons import PromotionCondition
from modelyard_api.v1alpha1.rollout import RolloutStatus
from modelyard_operator.decisions.admission import try_candidate
from modelyard_operator.decisions.candidates import NoCandidate, Registry, choose
from modelyard_operator.decisions.fleet import Fleet
from modelyard_operator.decisions.gates import GateFacts, Verdict
from modelyard_operator.decisions.history import Recording
from modelyard_operator.decisions.plan import Refusal
from modelyard_operator.decisions.rollout import Stage, begin, pause, stage_of, stages, text
from modelyard_operator.objects.custom import PromotionObject, TrainingJobObject, Unreadable
from modelyard_operator.objects.gates import GateEvidence, QueryAnswer
from modelyard_operator.objects.registry import Version


@dataclass(frozen=True)
class PromotionFacts:
    """What is seen around a ModelPromotion."""

    now: datetime
    registry: Registry | None = None
    """None while MLflow does not answer."""
    trouble: str = ""
    """What MLflow answered instead."""
    training_job: TrainingJobObject | None = None
    owner: str = ""
    """Name of the older promotion that has the alias, if there is one."""
    fleet: Fleet = field(default_factory=Fleet)
    refusal: Refusal | None = None
    """Why the server cannot be made, where that was tried."""
    patience_seconds: float = 120
    """How long pods may refuse a route before the champion's is put back."""
    load_seconds: float = 600
    """How long they may take to load what it names."""
    evidence: GateEvidence = field(default_factory=GateEvidence)
    """What is known for the gates besides metrics."""
    recording: Recording = field(default_factory=Recording)
    """What became of writing champions into Postgres."""
    watched: QueryAnswer | None = None
    """Answer to spec.rollback.onQuery, where it was asked."""
    look_again: float | None = None
    """Seconds after which a step needs another look by itself."""


@dataclass(frozen=True)
class Direction:
    """Which route the servers should have."""

    route: Route | None
    target: ServedModel | None
    """Who is in charge once all pods serve the route."""
    candidate: CandidateStatus | None
    verdict: Verdict | NoCandidate | None
    approval: Observation | None = None
    stage: Stage | None = None
    """Step of the rollout that the route is about, where it has steps and one is under way."""

    @property
    def rolled_out(self) -> str:
        """Version that the route is about: the candidate that is tried, else the target."""
        if self.route is not None and self.route.candidate is not None:
            return self.route.candidate.model.version
        return self.target.version if self.target is not None else ""


def direct(promotion: PromotionObject, facts: PromotionFacts) -> Direction:
    """Which version should be served: the candidate if it passes, as far as its rollout has come, else the champion."""
    spec, status = promotion.spec, promotion.status
    champion = status.champion
    stay = Direction(
        _route(spec, champion, status.previous), champion, _paused(status.candidate, champion), None
    )
    if isinstance(spec, Unreadable) or facts.owner:
        return stay
    if (back := way_back(status)) is not None:
        target = back.model_copy(update={"since": text(facts.now)})
        return replace(stay, route=_route(spec, target, None), target=target)
    if facts.registry is None or spec.suspend:
        return stay
    chosen = choose(spec, facts.registry, facts.training_job)
    if isinstance(chosen, NoCandidate):
        return replace(stay, verdict=chosen)
    tried = try_candidate(promotion, spec, gate_facts(promotion, facts, chosen), facts.now)
    candidate = tried.candidate.model_copy(
        update={
            "refused": _refused(promotion, chosen.version),
            "rollout": _rollout_of(promotion, chosen.version),
        }
    )
    told = replace(stay, candidate=candidate, verdict=tried.verdict, approval=tried.approval)
    if not tried.admitted or candidate.refused is not None:
        return replace(told, candidate=_paused(candidate, champion))
    if champion is not None and champion.version == chosen.version:
        return told
    return _roll_out(promotion, facts, told, _served(chosen, facts.now))


def gate_facts(promotion: PromotionObject, facts: PromotionFacts, chosen: Version) -> GateFacts:
    """What the gates of a candidate look at."""
    champion = promotion.status.champion
    return GateFacts(
        metrics=facts.registry.metrics_of(chosen) if facts.registry is not None else {},
        version=chosen.version,
        champion=champion.version if champion is not None else None,
        evidence=facts.evidence,
    )


def _roll_out(
    promotion: PromotionObject, facts: PromotionFacts, told: Direction, target: ServedModel
) -> Direction:
    """The route of the step that the rollout of a version has come to."""
    spec, candidate = promotion.spec, told.candidate
    champion, previous = promotion.status.champion, promotion.status.previous
    assert isinstance(spec, ModelPromotionSpec)  # noqa: S101  asked before
    if champion is None or candidate is None:
        return replace(told, route=_route(spec, target, champion), target=target)
    steps = stages(spec)
    state = candidate.rollout
    if state is None or not _is_of_this_spec(promotion):
        state = begin(steps, facts.fleet.restarts, facts.now)
    told = replace(told, candidate=candidate.model_copy(update={"rollout": state}))
    stage = stage_of(steps, state)
    if stage is None:
        return replace(told, route=_route(spec, target, champion), target=target)
    trial = stage.trial(_routed(target))
    return replace(told, route=_route(spec, champion, previous, trial), stage=stage)


def _refused(promotion: PromotionObject, version: str) -> str | None:
    """Why this version was given up, unless the spec was edited since."""
    before = promotion.status.candidate
    if before is None or before.version != version or not _is_of_this_spec(promotion):
        return None
    return before.refused


def _rollout_of(promotion: PromotionObject, version: str) -> RolloutStatus | None:
    before = promotion.status.candidate
    return before.rollout if before is not None and before.version == version else None


def _is_of_this_spec(promotion: PromotionObject) -> bool:
    """Whether what was decided about the candidate was decided for the spec as it is."""
    progressing = find_condition(promotion.status.conditions, PromotionCondition.PROGRESSING)
    return progressing is not None and progressing.observed_generation == promotion.metadata.generation


def way_back(status: ModelPromotionStatus) -> ServedModel | None:
    """The version before the champion, where the champion was found to have to give way."""
    champion, candidate = status.champion, status.candidate
    if champion is None or candidate is None or candidate.refused is None:
        return None
    return status.previous if candidate.version == champion.version else None


def _paused(candidate: CandidateStatus | None, champion: ServedModel | None) -> CandidateStatus | None:
    """The candidate, whose rollout does not go on for now."""
    if candidate is None or candidate.rollout is None or candidate.refused is not None:
        return candidate
    if champion is not None and champion.version == candidate.version:
        return candidate
    return candidate.model_copy(update={"rollout": pause(candidate.rollout)})


def _served(version: Version, now: datetime) -> ServedModel:
    return ServedModel(
        version=version.version,
        run_id=version.run_id,
        dataset_digest=version.tag(labels.TAG_DATASET_DIGEST),
        model_digest=version.model_digest or "",
        bundle_uri=version.bundle_uri or "",
        since=text(now),
    )


def _route(
    spec: ModelPromotionSpec | Unreadable,
    champion: ServedModel | None,
    previous: ServedModel | None,
    trial: Trial | None = None,
) -> Route | None:
    if champion is None or isinstance(spec, Unreadable):
        return None
    before = previous if previous is not None and previous.version != champion.version else None
    return Route(
        model_name=spec.model_name,
        champion=_routed(champion),
        candidate=trial,
        previous=_routed(before) if before is not None else None,
        max_latency_seconds=spec.rollback.on_latency_seconds if spec.rollback is not None else None,
    )


def _routed(served: ServedModel) -> RoutedModel:
    return RoutedModel(
        version=served.version,
        run_id=served.run_id,
        model_digest=served.model_digest,
        bundle_uri=served.bundle_uri,
        dataset_digest=served.dataset_digest,
    )
