"""What a ModelPromotion needs next: a candidate that passes is served first, and is in charge once all pods serve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from modelyard_api import labels
from modelyard_api.conditions import Condition, Observation, find_condition, merge_conditions
from modelyard_api.contract.route import Route, RoutedModel, RouteState
from modelyard_api.v1alpha1.model_promotion import (
    CandidateStatus,
    ModelPromotionSpec,
    ModelPromotionStatus,
    ServedModel,
)
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_operator.decisions.candidates import NoCandidate, Registry, choose
from modelyard_operator.decisions.compiled import answered_by, without_answer
from modelyard_operator.decisions.gates import GateFacts, Verdict, judge
from modelyard_operator.decisions.plan import LOOK_AGAIN_SECONDS, Refusal, false, true, unknown
from modelyard_operator.objects.custom import PromotionObject, TrainingJobObject, Unreadable
from modelyard_operator.objects.registry import Version

READY = PromotionCondition.READY
GATES_PASSED = PromotionCondition.GATES_PASSED
PROGRESSING = PromotionCondition.PROGRESSING
ALIAS = PromotionCondition.ALIAS

POLL_SECONDS = 1.0
"""Pause between looks at pods while a rollout is under way: they tell nobody when they swap."""


@dataclass(frozen=True)
class Fleet:
    """The server pods and what they say."""

    pods: tuple[str, ...] = ()
    """Names of the pods that are meant to live."""
    ready: frozenset[str] = frozenset()
    states: Mapping[str, RouteState] = field(default_factory=dict)

    def serving(self, digest: str) -> int:
        """Ready pods that serve the route."""
        return len(self.states_of(digest))

    def states_of(self, digest: str) -> list[RouteState]:
        """What ready pods that serve the route say, in the order of their names."""
        return [
            state
            for name in sorted(self.ready)
            if (state := self.states.get(name)) is not None and state.route_digest == digest
        ]

    def error(self, digest: str) -> str:
        """What a pod has against the route."""
        for name, state in self.states.items():
            if state.wanted_digest == digest and state.route_digest != digest and state.error:
                return f"{name}: {state.error}"
        return ""


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
    fleet: Fleet = Fleet()
    refusal: Refusal | None = None
    """Why the server cannot be made, where that was tried."""
    patience_seconds: float = 120
    """How long pods may refuse a route before the champion's is put back."""


@dataclass(frozen=True)
class Direction:
    """Which route the servers should have."""

    route: Route | None
    target: ServedModel | None
    candidate: CandidateStatus | None
    verdict: Verdict | NoCandidate | None


@dataclass(frozen=True)
class PromotionPlan:
    """The status, and the alias where it has to be moved."""

    status: ModelPromotionStatus
    set_alias: str | None = None
    after: float | None = None


def direct(promotion: PromotionObject, facts: PromotionFacts) -> Direction:
    """Which version should be served: the candidate if it passes, else the champion."""
    spec, status = promotion.spec, promotion.status
    champion = status.champion
    stay = Direction(_route(spec, champion, status.previous), champion, status.candidate, None)
    if isinstance(spec, Unreadable) or facts.owner or facts.registry is None or spec.suspend:
        return stay
    chosen = choose(spec, facts.registry, facts.training_job)
    if isinstance(chosen, NoCandidate):
        return replace(stay, verdict=chosen)
    verdict = judge(spec.gates, GateFacts(facts.registry.metrics_of(chosen)))
    candidate = CandidateStatus(
        version=chosen.version, gates=list(verdict.results), refused=_refused(promotion, chosen.version)
    )
    told = replace(stay, candidate=candidate, verdict=verdict)
    if not verdict.passed or candidate.refused is not None:
        return told
    if champion is not None and champion.version == chosen.version:
        return told
    target = _served(chosen, facts.now)
    return replace(told, route=_route(spec, target, champion), target=target)


def decide_promotion(promotion: PromotionObject, facts: PromotionFacts) -> PromotionPlan:
    """Status and alias, after the children were brought to the directed route."""
    spec = promotion.spec
    if isinstance(spec, Unreadable):
        return _not_ready(promotion, facts, PromotionReason.INVALID_SPEC, spec.problems)
    if facts.owner:
        message = (
            f"spec.stage: the ModelPromotion {facts.owner} is older and owns the alias {spec.stage} of "
            f"{spec.model_name}. Use another stage, or remove that one"
        )
        return _not_ready(promotion, facts, PromotionReason.ALIAS_CONFLICT, message)
    if facts.refusal is not None:
        return _not_ready(promotion, facts, facts.refusal.reason, facts.refusal.message)
    direction = direct(promotion, facts)
    judged = _judged(direction.verdict)
    if direction.route is None or direction.target is None:
        return _without_champion(promotion, facts, spec, direction, judged)
    digest = direction.route.digest()
    serving = facts.fleet.serving(digest)
    status = promotion.status.model_copy(
        update={"ready_replicas": serving, "candidate": direction.candidate, "url": _url(promotion)}
    )
    if serving < spec.serving.replicas.min or serving < len(facts.fleet.ready):
        return _rolling(promotion, facts, replace(direction, candidate=direction.candidate), status, judged)
    target = answered_by(direction.target, facts.fleet.states_of(digest))
    return _serve(promotion, facts, target, status, judged)


def _serve(
    promotion: PromotionObject,
    facts: PromotionFacts,
    target: ServedModel,
    status: ModelPromotionStatus,
    judged: Sequence[Observation],
) -> PromotionPlan:
    """All pods serve the target: it is in charge, and the alias says so too."""
    spec, champion = promotion.spec, promotion.status.champion
    assert isinstance(spec, ModelPromotionSpec)  # noqa: S101  asked before
    if facts.registry is None:
        # Who is in charge changes together with the alias or not at all; what is served already stays.
        return _follow_up(promotion, facts, status, [_ready(spec, target), *judged])
    alias = facts.registry.alias
    set_alias = target.version if alias != target.version else None
    if champion is None or champion.version != target.version:
        history = [without_answer(target), *status.history][: spec.history_limit]
        previous = without_answer(champion) if champion is not None else None
        status = status.model_copy(update={"previous": previous, "history": history})
    status = status.model_copy(update={"champion": target})
    observed = [_ready(spec, target), *judged, _rolled_out(target)]
    observed += _alias(promotion, facts, spec, target)
    plan = _follow_up(promotion, facts, status, observed)
    return replace(plan, set_alias=set_alias)


def _rolling(
    promotion: PromotionObject,
    facts: PromotionFacts,
    direction: Direction,
    status: ModelPromotionStatus,
    judged: Sequence[Observation],
) -> PromotionPlan:
    """Not all pods serve the route: pods are starting, loading, or refuse it."""
    spec, champion, target = promotion.spec, promotion.status.champion, direction.target
    assert isinstance(spec, ModelPromotionSpec)  # noqa: S101  asked before
    assert target is not None  # noqa: S101  asked before
    assert direction.route is not None  # noqa: S101  asked before
    error = facts.fleet.error(direction.route.digest())
    reason = PromotionReason.MODEL_UNUSABLE if error else PromotionReason.ROLLING_OUT
    count = f"{status.ready_replicas} of {spec.serving.replicas.min} pods serve version {target.version}"
    message = f"{count}; {error}" if error else count
    new = champion is None or champion.version != target.version
    progressing = true(PROGRESSING, reason, message)
    if error and new and champion is not None and _is_out_of_patience(promotion, facts):
        candidate = status.candidate
        refused = candidate.model_copy(update={"refused": error[:512]}) if candidate else None
        status = status.model_copy(update={"candidate": refused})
        put_back = f"Version {target.version} was refused, version {champion.version} stays: {error}"
        progressing = false(PROGRESSING, PromotionReason.MODEL_UNUSABLE, put_back)
    if new and champion is not None:
        # The old champion answers until every pod has swapped.
        ready = _ready(spec, champion)
    elif status.ready_replicas > 0 and champion is not None:
        ready = true(READY, PromotionReason.SERVING, message)
    else:
        ready = false(READY, reason, message)
    return _follow_up(promotion, facts, status, [ready, *judged, progressing], POLL_SECONDS)


def _without_champion(
    promotion: PromotionObject,
    facts: PromotionFacts,
    spec: ModelPromotionSpec,
    direction: Direction,
    judged: Sequence[Observation],
) -> PromotionPlan:
    status = promotion.status.model_copy(update={"candidate": direction.candidate})
    if facts.registry is None:
        ready = false(READY, PromotionReason.PLATFORM, facts.trouble)
    elif spec.suspend:
        ready = false(READY, PromotionReason.SUSPENDED, "spec.suspend is true")
    elif judged:
        ready = false(READY, judged[0].reason, judged[0].message)
    else:
        ready = false(READY, PromotionReason.PENDING, "Nothing is decided yet")
    return _follow_up(promotion, facts, status, [ready, *judged])


def _not_ready(promotion: PromotionObject, facts: PromotionFacts, reason: str, message: str) -> PromotionPlan:
    return _follow_up(promotion, facts, promotion.status, [false(READY, reason, message)])


def _follow_up(
    promotion: PromotionObject,
    facts: PromotionFacts,
    status: ModelPromotionStatus,
    observed: Sequence[Observation],
    after: float | None = None,
) -> PromotionPlan:
    generation = promotion.metadata.generation
    conditions = merge_conditions(promotion.status.conditions, observed, generation=generation, now=facts.now)
    status = status.model_copy(update={"conditions": conditions, "observed_generation": generation})
    if after is None and facts.registry is None and not isinstance(promotion.spec, Unreadable):
        after = LOOK_AGAIN_SECONDS
    return PromotionPlan(status, after=after)


def _judged(verdict: Verdict | NoCandidate | None) -> list[Observation]:
    if verdict is None:
        return []
    if isinstance(verdict, NoCandidate):
        return [unknown(GATES_PASSED, verdict.reason, verdict.message)]
    if verdict.passed:
        return [true(GATES_PASSED, verdict.reason, verdict.message)]
    return [false(GATES_PASSED, verdict.reason, verdict.message)]


def _ready(spec: ModelPromotionSpec, served: ServedModel) -> Observation:
    message = f"Version {served.version} of {spec.model_name} is served as {spec.stage}"
    return true(READY, PromotionReason.SERVING, message)


def _rolled_out(target: ServedModel) -> Observation:
    return false(PROGRESSING, PromotionReason.ROLLED_OUT, f"All pods serve version {target.version}")


def _alias(
    promotion: PromotionObject, facts: PromotionFacts, spec: ModelPromotionSpec, target: ServedModel
) -> list[Observation]:
    """Whether the alias had been moved by somebody else; that is told until the next champion."""
    alias = facts.registry.alias if facts.registry else None
    champion = promotion.status.champion
    in_charge = champion is not None and champion.version == target.version
    if in_charge and alias != target.version:
        moved = f"pointed to version {alias}" if alias else "was gone"
        message = f"The alias {spec.stage} {moved} and was put back to version {target.version}"
        return [true(ALIAS, PromotionReason.ALIAS_RESTORED, message)]
    if in_charge and find_condition(promotion.status.conditions, ALIAS) is not None:
        return []
    message = f"The alias {spec.stage} points to version {target.version}"
    return [true(ALIAS, PromotionReason.ALIAS_SET, message)]


def _refused(promotion: PromotionObject, version: str) -> str | None:
    """Why this version was given up, unless the spec was edited since."""
    before, progressing = promotion.status.candidate, _progressing(promotion)
    same = before is not None and before.version == version
    if not same or progressing is None or progressing.observed_generation != promotion.metadata.generation:
        return None
    return before.refused if before is not None else None


def _is_out_of_patience(promotion: PromotionObject, facts: PromotionFacts) -> bool:
    progressing = _progressing(promotion)
    if progressing is None or progressing.status != "True":
        return False
    return (facts.now - progressing.last_transition_time).total_seconds() > facts.patience_seconds


def _progressing(promotion: PromotionObject) -> Condition | None:
    return find_condition(promotion.status.conditions, PROGRESSING)


def _served(version: Version, now: datetime) -> ServedModel:
    return ServedModel(
        version=version.version,
        run_id=version.run_id,
        dataset_digest=version.tag(labels.TAG_DATASET_DIGEST),
        model_digest=version.model_digest or "",
        bundle_uri=version.bundle_uri or "",
        since=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _route(
    spec: ModelPromotionSpec | Unreadable, champion: ServedModel | None, previous: ServedModel | None
) -> Route | None:
    if champion is None or isinstance(spec, Unreadable):
        return None
    before = previous if previous is not None and previous.version != champion.version else None
    return Route(
        model_name=spec.model_name,
        champion=_routed(champion),
        previous=_routed(before) if before is not None else None,
    )


def _routed(served: ServedModel) -> RoutedModel:
    return RoutedModel(
        version=served.version,
        run_id=served.run_id,
        model_digest=served.model_digest,
        bundle_uri=served.bundle_uri,
        dataset_digest=served.dataset_digest,
    )


def _url(promotion: PromotionObject) -> str:
    return f"http://{promotion.metadata.name}.{promotion.metadata.namespace}.svc"
