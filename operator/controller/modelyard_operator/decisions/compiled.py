"""What answers for the champion, as its pods say it: the compiled program, or the libraries that trained the model."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_api.contract.route import RouteState
from modelyard_api.v1alpha1.model_promotion import ServedModel

_REASON_LENGTH = 256


def answered_by(champion: ServedModel, states: Sequence[RouteState]) -> ServedModel:
    """The champion with what the pods that serve it say; one that scikit-learn answers is enough for ``False``.

    Nothing is known while no pod serves it, or where a pod of an older release does not say.
    """
    known = [state.compiled for state in states]
    if not known or None in known:
        return without_answer(champion)
    reasons = (state.not_compiled_because for state in states if not state.compiled)
    reason = next((text for text in reasons if text), None)
    return champion.model_copy(
        update={
            "compiled": all(known),
            "not_compiled_because": reason[:_REASON_LENGTH] if reason else None,
        }
    )


def without_answer(served: ServedModel) -> ServedModel:
    """A version that is not asked, or not in charge any more."""
    return served.model_copy(update={"compiled": None, "not_compiled_because": None})
