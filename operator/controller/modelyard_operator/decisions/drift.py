"""Whether a version's traffic drifts from what it was trained on, as its pods say it, and what follows."""

from __future__ import annotations

from modelyard_api.conditions import Observation, find_condition, shorten
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec, ModelPromotionStatus, ServedModel
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_api.v1alpha1.rollout import RolloutCounts
from modelyard_operator.decisions.evidence import EARLY, Breach, exceeds
from modelyard_operator.decisions.fleet import Fleet
from modelyard_operator.decisions.plan import false, true, unknown
from modelyard_operator.decisions.rollout import Look

_DRIFTED = PromotionCondition.DRIFTED
_NAMES_SHOWN = 200


def drifts(spec: ModelPromotionSpec, counts: RolloutCounts) -> bool | None:
    """Whether more windows have drifted than false alarms explain; None while no window was judged."""
    if counts.windows == 0:
        return None
    return exceeds(counts.drifted, counts.windows, spec.serving.drift.false_alarm_percent, EARLY)


def judge_drift(spec: ModelPromotionSpec, look: Look, before: ServedModel | None) -> Breach | None:
    """Whether a version has to give way because its traffic drifts.

    Traffic that drifts from what the version ``before`` was trained on as well is no reason to go back to that one.
    """
    if spec.rollback is None or not spec.rollback.on_drift:
        return None
    if not drifts(spec, look.fleet.counts(look.digest, look.version)):
        return None
    if before is not None and _drifts_too(spec, look, before):
        return None
    return Breach(PromotionReason.TRAFFIC_DRIFTED, _told(spec, look.fleet, look.digest, look.version))


def with_drift(spec: ModelPromotionSpec, status: ModelPromotionStatus, look: Look) -> ModelPromotionStatus:
    """The status with what pods that serve a route say of the champion's traffic; what was known stays until they know."""
    champion = status.champion
    if champion is None:
        return status
    found = drifts(spec, look.fleet.counts(look.digest, champion.version))
    if found is None or found == champion.drifted:
        return status
    return status.model_copy(update={"champion": champion.model_copy(update={"drifted": found})})


def drift_condition(
    spec: ModelPromotionSpec, before: ModelPromotionStatus, after: ModelPromotionStatus, look: Look
) -> list[Observation]:
    """The condition where it changes; what it says of a champion stays as it was first seen, so that nothing flickers."""
    champion, told = after.champion, find_condition(before.conditions, _DRIFTED)
    if champion is None:
        return []
    version = champion.version
    if champion.drifted is None:
        if told is None or told.reason == PromotionReason.NOT_JUDGED:
            return []
        message = f"No window of the traffic of version {version} is full yet"
        return [unknown(_DRIFTED, PromotionReason.NOT_JUDGED, message)]
    known = before.champion.drifted if before.champion is not None else None
    if known == champion.drifted and told is not None:
        return []
    if champion.drifted:
        return [
            true(_DRIFTED, PromotionReason.TRAFFIC_DRIFTED, _told(spec, look.fleet, look.digest, version))
        ]
    message = f"The traffic of version {version} is like the rows that it was trained on"
    return [false(_DRIFTED, PromotionReason.NO_DRIFT, message)]


def _drifts_too(spec: ModelPromotionSpec, look: Look, before: ServedModel) -> bool:
    found = drifts(spec, look.fleet.counts(look.digest, before.version))
    return bool(before.drifted if found is None else found)


def _told(spec: ModelPromotionSpec, fleet: Fleet, digest: str, version: str) -> str:
    counts, drift = fleet.counts(digest, version), spec.serving.drift
    names = shorten(", ".join(fleet.drifting(digest, version)), _NAMES_SHOWN)
    return (
        f"the traffic of version {version} differs from the rows that it was trained on in {counts.drifted} of the latest "
        f"{counts.windows} windows of {drift.window_rows} rows, {drift.false_alarm_percent} % would without drift: {names}"
    )
