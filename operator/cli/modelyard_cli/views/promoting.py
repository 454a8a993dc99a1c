"""A version put in charge of a stage: which ModelPromotion it takes, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modelyard_api.labels import NAME_LIMIT
from modelyard_api.v1alpha1.model_promotion import Candidate
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_cli.objects import Document, PromotionSeen, current
from modelyard_cli.views.look import Look, State, look_at

_STAGE = "production"
"""What the API server writes where a stage is left out."""


def owner_of(promotions: Sequence[Document], model: str, stage: str) -> Document | None:
    """The ModelPromotion of a stage: the oldest, as the others are told that it owns the alias."""
    own = [
        document
        for document in promotions
        if document["spec"]["modelName"] == model and document["spec"].get("stage", _STAGE) == stage
    ]
    return min(own, key=_seniority, default=None)


def _seniority(document: Document) -> tuple[str, str]:
    meta = document["metadata"]
    return str(meta["creationTimestamp"]), str(meta.get("uid", ""))


def pointed_to(version: str) -> dict[str, str | None]:
    """Change of ``spec.candidate`` that leaves the version alone in it."""
    return {**dict.fromkeys(Candidate.members()), "version": version}


def new_promotion(model: str, stage: str, version: str) -> Document:
    """A ModelPromotion without gates."""
    return {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "ModelPromotion",
        "metadata": {"name": f"{model}-{stage}"[:NAME_LIMIT].rstrip("-")},
        "spec": {"modelName": model, "stage": stage, "candidate": {"version": version}},
    }


def look_for(seen: PromotionSeen, version: str) -> Look:
    """How far a version is on its way to be in charge: refused at once where waiting does not help."""
    look = look_at(seen)
    gates = current(seen.metadata, seen.status, PromotionCondition.GATES_PASSED)
    candidate, champion = seen.status.candidate, seen.status.champion
    if look.state is State.DONE and champion is not None and champion.version == version:
        return look
    if gates is not None and gates.reason == PromotionReason.CANDIDATE_NOT_FOUND:
        return Look(State.FAILED, gates.reason, gates.message)
    if candidate is not None and candidate.version == version:
        if gates is not None and gates.status == "False":
            return Look(State.FAILED, gates.reason, gates.message)
        approval = current(seen.metadata, seen.status, PromotionCondition.APPROVED)
        if approval is not None and approval.status == "False":
            return Look(State.FAILED, approval.reason, approval.message)
        if candidate.refused is not None:
            return Look(State.FAILED, PromotionReason.MODEL_UNUSABLE, candidate.refused)
    return replace(look, state=State.WORKING) if look.state is State.DONE else look
