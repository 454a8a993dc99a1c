"""What a ModelPromotion needs next: a candidate that passes is served first, and is in charge once all pods serve it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelyard_api.conditions import ConditionStatus, Observation, find_condition, merge_conditions
from modelyard_api.v1alpha1.model_promotion import (
    HISTORY_LIMIT,
    CandidateStatus,
    ModelPromotionSpec,
    ModelPromotionStatus,
    ServedModel,
)
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_api.v1alpha1.rollout import RolloutStatus
from modelyard_operator.decisions.candidates import NoCandidate
from modelyard_operator.decisions.compiled import answered_by
from modelyard_operator.decisions.direction import Direction, PromotionFacts, direct, way_back
from modelyard_operator.decisions.drift import drift_condition, judge_drift, with_drift
from modelyard_operator.decisions.evidence import Breach
from modelyard_operator.decisions.history import recorded, take_charge
from modelyard_operator.decisions.plan import LOOK_AGAIN_SECONDS, false, true, unknown
from modelyard_operator.decisions.rollout import (
    Look,
    follow,
    is_answered,
    is_over,
    is_watched,
    judge_champion,
    judge_query,
    judge_stage,
    next_step,
    noted,
    obstacle,
    stages,
)
from modelyard_operator.objects.custom import PromotionObject, Unreadable

READY = PromotionCondition.READY
GATES_PASSED = PromotionCondition.GATES_PASSED
PROGRESSING = PromotionCondition.PROGRESSING
ROLLED_BACK = PromotionCondition.ROLLED_BACK
ALIAS = PromotionCondition.ALIAS

POLL_SECONDS = 1.0
"""Pause between looks at pods while a rollout is under way: they tell nobody when they swap."""
WATCH_SECONDS = 5.0
"""Pause between looks at a champion that may have to give way."""
AT_ONCE = 0.1
"""What was decided changes the route, which the next look brings to the pods."""
_REFUSED_LIMIT = 512


@dataclass(frozen=True)
class PromotionPlan:
    """The status, and the alias where it has to be moved."""

    status: ModelPromotionStatus
    set_alias: str | None = None
    after: float | None = None


@dataclass(frozen=True)
class _Case:
    """A promotion whose servers have a route, and the status as it will be unless something else is found."""

    promotion: PromotionObject
    facts: PromotionFacts
    spec: ModelPromotionSpec
    direction: Direction
    look: Look
    status: ModelPromotionStatus

    @property
    def target(self) -> ServedModel:
        """Who is in charge once all pods serve the route."""
        assert self.direction.target is not None  # noqa: S101  there is a route
        return self.direction.target

    @property
    def judged(self) -> list[Observation]:
        """What the gates say, and what is news of the champion's traffic."""
        news = drift_condition(self.spec, self.promotion.status, self.status, self.look)
        return [*_judged(self.direction), *news]

    def with_rollout(self, state: RolloutStatus, refused: str | None = None) -> _Case:
        """The same with another state of the rollout, or with its candidate given up."""
        candidate = self.status.candidate
        assert candidate is not None  # noqa: S101  it is rolled out
        update = {"rollout": state, "refused": refused[:_REFUSED_LIMIT] if refused is not None else None}
        status = self.status.model_copy(update={"candidate": candidate.model_copy(update=update)})
        return replace(self, status=status)


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
    if direction.route is None or direction.target is None:
        return _without_champion(promotion, facts, spec, direction)
    case = _case(promotion, facts, spec, direction)
    if (state := _under_way(promotion, direction)) is not None:
        return _roll_on(case, state)
    return _serve(case) if case.look.all_serve else _rolling(case)


def _case(
    promotion: PromotionObject, facts: PromotionFacts, spec: ModelPromotionSpec, direction: Direction
) -> _Case:
    assert direction.route is not None  # noqa: S101  asked before
    look = Look(
        version=direction.rolled_out,
        digest=direction.route.digest(),
        fleet=facts.fleet,
        wanted=spec.serving.replicas.min,
        patience_seconds=facts.patience_seconds,
        load_seconds=facts.load_seconds,
        now=facts.now,
    )
    status = promotion.status.model_copy(
        update={
            "ready_replicas": facts.fleet.serving(look.digest),
            "candidate": direction.candidate,
            "url": _url(promotion),
        }
    )
    return _Case(promotion, facts, spec, direction, look, with_drift(spec, status, look))


def _under_way(promotion: PromotionObject, direction: Direction) -> RolloutStatus | None:
    """The rollout that the route is about: of a candidate that is to follow a champion."""
    candidate, champion = direction.candidate, promotion.status.champion
    if candidate is None or champion is None or candidate.refused is not None:
        return None
    rolled_out = direction.rolled_out
    return candidate.rollout if candidate.version == rolled_out != champion.version else None


def _roll_on(case: _Case, state: RolloutStatus) -> PromotionPlan:
    """A candidate on its way: judged, moved a step further, or given up."""
    look, stage = case.look, case.direction.stage
    state = follow(state, look)
    breach = obstacle(state, look)
    if breach is None:
        # Where it takes charge, some pods may serve it to all clients while others still load it.
        counted = judge_stage(stage, state, look) if stage else judge_champion(case.spec, state, look)
        breach = (
            counted
            or judge_drift(case.spec, look, case.status.champion)
            or judge_query(case.spec, look.version, case.facts.watched)
        )
    if breach is not None:
        return _give_up(case, noted(state, look), breach)
    if stage is None:
        case = case.with_rollout(state)
        return _serve(case) if look.all_serve else _rolling(case)
    message = f"Step {state.step} of {state.steps}: {stage.told(look.version)}"
    after = POLL_SECONDS
    if is_over(stage, state, look) and is_answered(case.spec, case.facts.watched):
        state, after = next_step(stages(case.spec), noted(state, look)), AT_ONCE
    elif not look.all_serve:
        message = f"{message}; {_serving(case)}"
    case = case.with_rollout(state)
    observed = [_in_charge(case), *case.judged, true(PROGRESSING, stage.reason, message)]
    return _follow_up(case.promotion, case.facts, case.status, observed, after)


def _give_up(case: _Case, state: RolloutStatus, breach: Breach) -> PromotionPlan:
    """The candidate is not tried again before the spec is edited; the champion's route comes back with the next look."""
    champion = case.promotion.status.champion
    stays = f"version {champion.version} stays" if champion is not None else "nothing is served"
    message = f"Version {case.look.version} was given up, {stays}: {breach.message}"
    case = case.with_rollout(state, refused=breach.message)
    observed = [
        _in_charge(case),
        *case.judged,
        false(PROGRESSING, breach.reason, message),
        true(ROLLED_BACK, breach.reason, message),
    ]
    return _follow_up(case.promotion, case.facts, case.status, observed, AT_ONCE)


def _serve(case: _Case) -> PromotionPlan:
    """All pods serve the target: it is in charge, and the alias says so too."""
    spec, facts, target, before = case.spec, case.facts, case.target, case.promotion.status
    in_charge = before.champion is not None and before.champion.version == target.version
    if in_charge and (breach := _watch(case)) is not None:
        return _turn_back(case, breach)
    after = WATCH_SECONDS if in_charge and _is_watched(case) else None
    if facts.registry is None:
        # Who is in charge changes together with the alias or not at all; what is served already stays.
        return _follow_up(case.promotion, facts, case.status, [_ready(spec, target), *case.judged], after)
    observed = [_ready(spec, target), *case.judged, _rolled_out(target)]
    target = answered_by(target, facts.fleet.states_of(case.look.digest))
    status = case.status
    if in_charge and status.champion is not None:
        target = target.model_copy(update={"drifted": status.champion.drifted})
        status = status.model_copy(update={"champion": target})
    if not in_charge:
        back = way_back(before) is not None
        begun = target.model_copy(update={"drifted": None})
        status = take_charge(status, begun, spec.history_limit).model_copy(
            update={"last_swap": case.look.fleet.swap(case.look.digest, target.version)}
        )
        if back:
            # Who had to give way is not what one goes back to.
            status = status.model_copy(update={"previous": None})
        after = WATCH_SECONDS if spec.rollback is not None and status.previous is not None else None
        if not back:
            observed.append(
                false(ROLLED_BACK, PromotionReason.ROLLED_OUT, f"Version {target.version} took charge")
            )
    observed += _alias(case.promotion, facts, spec, target)
    plan = _follow_up(case.promotion, facts, status, observed, after)
    return replace(plan, set_alias=target.version if facts.registry.alias != target.version else None)


def _is_watched(case: _Case) -> bool:
    """Whether the champion is new, and there is a version to go back to."""
    champion, previous = case.promotion.status.champion, case.promotion.status.previous
    if champion is None or previous is None or previous.version == champion.version:
        return False
    return not case.spec.suspend and is_watched(case.spec, champion.since, case.facts.now)


def _watch(case: _Case) -> Breach | None:
    """Why a champion that took charge a while ago has to give way."""
    candidate = case.status.candidate
    same = candidate is not None and candidate.version == case.target.version
    state = candidate.rollout if candidate is not None and same else None
    if not _is_watched(case):
        return None
    return (
        judge_champion(case.spec, state, case.look)
        or judge_drift(case.spec, case.look, case.status.previous)
        or judge_query(case.spec, case.target.version, case.facts.watched)
    )


def _turn_back(case: _Case, breach: Breach) -> PromotionPlan:
    """The champion is refused from now on; route, alias and record go back together as they came."""
    champion, previous, known = case.target, case.promotion.status.previous, case.status.candidate
    assert previous is not None  # noqa: S101  it is only watched while there is one
    if known is None or known.version != champion.version:
        known = CandidateStatus(version=champion.version)
    known = known.model_copy(update={"refused": breach.message[:_REFUSED_LIMIT]})
    status = case.status.model_copy(update={"candidate": known})
    message = f"Version {champion.version} gives way to version {previous.version}: {breach.message}"
    observed = [
        _ready(case.spec, champion),
        *case.judged,
        true(PROGRESSING, PromotionReason.ROLLING_BACK, message),
        true(ROLLED_BACK, breach.reason, message),
    ]
    return _follow_up(case.promotion, case.facts, status, observed, AT_ONCE)


def _rolling(case: _Case) -> PromotionPlan:
    """Not all pods serve the route: pods are starting, loading, or refuse it."""
    error = case.look.fleet.error(case.look.digest)
    reason = PromotionReason.MODEL_UNUSABLE if error else PromotionReason.ROLLING_OUT
    message = f"{_serving(case)}; {error}" if error else _serving(case)
    champion = case.promotion.status.champion
    if champion is not None and champion.version != case.target.version:
        ready = _in_charge(case)
    elif case.status.ready_replicas > 0 and champion is not None:
        ready = true(READY, PromotionReason.SERVING, message)
    else:
        ready = false(READY, reason, message)
    observed = [ready, *case.judged, true(PROGRESSING, reason, message)]
    return _follow_up(case.promotion, case.facts, case.status, observed, POLL_SECONDS)


def _in_charge(case: _Case) -> Observation:
    """The champion answers until every pod has swapped."""
    champion = case.promotion.status.champion
    return _ready(case.spec, champion if champion is not None else case.target)


def _serving(case: _Case) -> str:
    pods = f"{case.status.ready_replicas} of {case.look.wanted} pods"
    return f"{pods} serve version {case.look.version}"


def _without_champion(
    promotion: PromotionObject,
    facts: PromotionFacts,
    spec: ModelPromotionSpec,
    direction: Direction,
) -> PromotionPlan:
    judged = _judged(direction)
    status = promotion.status.model_copy(update={"candidate": direction.candidate})
    if facts.registry is None:
        ready = false(READY, PromotionReason.PLATFORM, facts.trouble)
    elif spec.suspend:
        ready = false(READY, PromotionReason.SUSPENDED, "spec.suspend is true")
    elif judged:
        held = next((told for told in judged if told.status != ConditionStatus.TRUE), judged[0])
        ready = false(READY, held.reason, held.message)
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
    limit = promotion.spec.history_limit if isinstance(promotion.spec, ModelPromotionSpec) else HISTORY_LIMIT
    status, told = recorded(status, facts.recording, limit)
    observed = [*observed, *told]
    conditions = merge_conditions(promotion.status.conditions, observed, generation=generation, now=facts.now)
    status = status.model_copy(update={"conditions": conditions, "observed_generation": generation})
    return PromotionPlan(status, after=_soonest(promotion, facts, status, after))


def _soonest(
    promotion: PromotionObject, facts: PromotionFacts, status: ModelPromotionStatus, after: float | None
) -> float | None:
    """When to look again: at once for a champion whose record was not begun, as our own write wakes nobody."""
    before = promotion.status.champion
    if status.champion is not None and (before is None or status.champion.number != before.number):
        return 0
    pauses = [pause for pause in (after, facts.look_again) if pause is not None]
    if facts.registry is None and not isinstance(promotion.spec, Unreadable):
        pauses.append(LOOK_AGAIN_SECONDS)
    return min(pauses, default=None)


def _judged(direction: Direction) -> list[Observation]:
    verdict = direction.verdict
    if verdict is None:
        return []
    approval = [direction.approval] if direction.approval is not None else []
    if isinstance(verdict, NoCandidate) or verdict.pending:
        return [unknown(GATES_PASSED, verdict.reason, verdict.message), *approval]
    if verdict.passed:
        return [true(GATES_PASSED, verdict.reason, verdict.message), *approval]
    return [false(GATES_PASSED, verdict.reason, verdict.message), *approval]


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


def _url(promotion: PromotionObject) -> str:
    return f"http://{promotion.metadata.name}.{promotion.metadata.namespace}.svc"
