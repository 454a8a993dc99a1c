"""Who was in charge: the last of them in the status, all of them in Postgres."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api.conditions import Observation
from modelyard_api.v1alpha1.model_promotion import HISTORY_LIMIT, ModelPromotionStatus, ServedModel
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_operator.decisions.compiled import without_answer
from modelyard_operator.decisions.plan import false, true

_RECORDED = PromotionCondition.RECORDED


@dataclass(frozen=True)
class Recording:
    """What became of the step that writes champions into Postgres."""

    number: int = 0
    """The last champion that it wrote."""
    fault: str = ""
    """Why it could not write."""


def take_charge(status: ModelPromotionStatus, target: ServedModel, limit: int) -> ModelPromotionStatus:
    """The status with another champion, under its number.

    Champions that Postgres does not have yet stay in the status beyond the limit, for they are known nowhere else.
    """
    before = status.champion
    numbered = target.model_copy(update={"number": (before.number if before else 0) + 1})
    history = [without_answer(numbered), *status.history]
    kept = min(max(limit, 1 + len(unrecorded(status))), HISTORY_LIMIT)
    previous = without_answer(before) if before is not None else None
    return status.model_copy(update={"champion": numbered, "previous": previous, "history": history[:kept]})


def unrecorded(status: ModelPromotionStatus) -> list[ServedModel]:
    """Champions that Postgres does not have yet, the oldest first."""
    return [served for served in reversed(status.history) if served.number > status.recorded]


def recorded(
    status: ModelPromotionStatus, recording: Recording, limit: int
) -> tuple[ModelPromotionStatus, list[Observation]]:
    """The status with what was written since, and whether anything is missing."""
    if recording.number > status.recorded:
        status = status.model_copy(update={"recorded": recording.number})
    missing = unrecorded(status)
    kept = max(limit, len(missing))
    if len(status.history) > kept:
        status = status.model_copy(update={"history": status.history[:kept]})
    if not status.history:
        return status, []
    if not missing:
        last = status.history[0]
        message = f"Postgres has every champion, the last is version {last.version}"
        return status, [true(_RECORDED, PromotionReason.RECORDED, message)]
    versions = ", ".join(served.version for served in missing)
    if recording.fault:
        message = f"Postgres does not know of version {versions} in charge: {recording.fault}"
        return status, [false(_RECORDED, PromotionReason.NOT_RECORDED, message)]
    message = f"Version {versions} is being written into the history"
    return status, [false(_RECORDED, PromotionReason.RECORDING, message)]
