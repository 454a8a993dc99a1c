"""Whether the chosen version may be rolled out: its gates, and somebody's approval where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from modelyard_api import labels
from modelyard_api.conditions import ConditionStatus, Observation, find_condition
from modelyard_api.v1alpha1.gates import GateResult
from modelyard_api.v1alpha1.model_promotion import CandidateStatus, ModelPromotionSpec
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_operator.decisions.gates import GateFacts, Verdict, digest_of, judge, still_true, wanted
from modelyard_operator.decisions.plan import false, true, unknown
from modelyard_operator.objects.custom import PromotionObject
from modelyard_operator.objects.gates import Wanted

_APPROVED = PromotionCondition.APPROVED


@dataclass(frozen=True)
class Trial:
    """What became of a candidate at its gates."""

    candidate: CandidateStatus
    verdict: Verdict
    approval: Observation | None
    """None where nothing is to be said of it."""
    admitted: bool
    """Whether it may be rolled out."""


def still_wanted(promotion: PromotionObject, spec: ModelPromotionSpec, facts: GateFacts) -> Wanted:
    """What has to be found out before the gates have an answer."""
    return wanted(spec.gates, facts, _still_true(promotion, spec, facts))


def try_candidate(
    promotion: PromotionObject, spec: ModelPromotionSpec, facts: GateFacts, now: datetime
) -> Trial:
    """Tries the gates and looks for the approval.

    A candidate that had both is admitted for good: what its gates saw then is not asked again while it is rolled out,
    or afterwards, unless the gates are others.
    """
    before = promotion.status.candidate
    known = before if before is not None and before.version == facts.version else None
    earlier = _still_true(promotion, spec, facts)
    verdict = judge(spec.gates, facts, earlier)
    digest = digest_of(spec.gates)
    already = known is not None and known.admitted_at is not None and known.gates_digest == digest
    in_charge = facts.champion == facts.version
    settled = already or in_charge
    approval = None if settled and spec.approval == "Manual" else _approval(promotion, spec, facts, verdict)
    admitted_at = None
    if verdict.passed and (approval is None or approval.status == ConditionStatus.TRUE):
        admitted_at = known.admitted_at if already and known is not None else _text(now)
    candidate = CandidateStatus(
        version=facts.version,
        gates=list(verdict.results),
        against=known.against if already and known is not None else facts.rival,
        gates_digest=digest,
        admitted_at=admitted_at,
    )
    return Trial(candidate, verdict, approval, admitted_at is not None)


def _still_true(
    promotion: PromotionObject, spec: ModelPromotionSpec, facts: GateFacts
) -> list[GateResult | None]:
    edited = promotion.status.observed_generation != promotion.metadata.generation
    return still_true(spec.gates, facts, promotion.status.candidate, edited=edited)


def _approval(
    promotion: PromotionObject, spec: ModelPromotionSpec, facts: GateFacts, verdict: Verdict
) -> Observation | None:
    """Nothing is said where nobody ever had to be asked."""
    meta, version = promotion.metadata, facts.version
    told = find_condition(promotion.status.conditions, _APPROVED)
    if spec.approval == "Automatic":
        if told is None:
            return None
        return true(_APPROVED, PromotionReason.APPROVED, "spec.approval is Automatic")
    if not verdict.passed:
        message = f"Version {version} has not passed its gates"
        return unknown(_APPROVED, verdict.reason, message) if told is not None else None
    given = meta.annotations.get(labels.APPROVED_VERSION, "")
    if given == version:
        return true(_APPROVED, PromotionReason.APPROVED, f"Version {version} is approved")
    other = f"Version {given[:20]} is approved, not this one. " if given else ""
    message = (
        f"Version {version} passed its gates and waits for approval. {other}Approve it: kubectl annotate "
        f"modelpromotion -n {meta.namespace} {meta.name} --overwrite {labels.APPROVED_VERSION}={version}"
    )
    return false(_APPROVED, PromotionReason.WAITING_FOR_APPROVAL, message)


def _text(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
