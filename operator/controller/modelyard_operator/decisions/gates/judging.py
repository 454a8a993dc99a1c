"""All gates of a promotion in order, and what of earlier results holds still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.gates import Gate, GateResult
from modelyard_api.v1alpha1.model_promotion import CandidateStatus
from modelyard_api.v1alpha1.reasons import PromotionReason
from modelyard_operator.decisions.gates.bundles import ENVIRONMENT, SIGNATURE
from modelyard_operator.decisions.gates.improvement import IMPROVEMENT
from modelyard_operator.decisions.gates.kind import OBSERVED_LENGTH, GateFacts, Kind, Seen
from modelyard_operator.decisions.gates.metric import METRIC
from modelyard_operator.decisions.gates.prometheus import PROMETHEUS
from modelyard_operator.objects.gates import Wanted

_KINDS: Mapping[str, Kind] = {
    "metric": METRIC,
    "improvement": IMPROVEMENT,
    "signature": SIGNATURE,
    "environment": ENVIRONMENT,
    "prometheus": PROMETHEUS,
}
"""By key of the gate; a new kind is one module and one line here."""
_RECORDED = Seen("", passed=False)
"""What is to be added to a result of which nothing but the result is known."""


@dataclass(frozen=True)
class Verdict:
    """Results in the order of the gates; the first that failed gives the reason, else the first that is not known."""

    results: tuple[GateResult, ...]
    reason: PromotionReason
    message: str

    @property
    def passed(self) -> bool:
        """Whether every gate let the candidate pass."""
        return self.reason is PromotionReason.GATES_PASSED

    @property
    def pending(self) -> bool:
        """Whether a gate has not answered yet, and none has failed."""
        return self.reason is PromotionReason.TRYING_GATES


def judge(gates: Sequence[Gate], facts: GateFacts, earlier: Sequence[GateResult | None] = ()) -> Verdict:
    """Tries every gate, so that all results can be shown; ``earlier`` are results that hold still, by place."""
    known = [*earlier, *[None] * len(gates)]
    tried = [_try(gate, facts, result) for gate, result in zip(gates, known, strict=False)]
    results = tuple(result for result, _ in tried)
    failed = next((place for place, result in enumerate(results) if result.passed is False), None)
    if failed is not None:
        reason = (tried[failed][1] or _RECORDED).reason
        return Verdict(results, reason, f"spec.gates[{failed}]: {_sentence(gates[failed], *tried[failed])}")
    unknown = next((place for place, result in enumerate(results) if result.passed is None), None)
    if unknown is not None:
        result = results[unknown]
        message = f"spec.gates[{unknown}]: {result.gate}: {result.observed}"
        return Verdict(results, PromotionReason.TRYING_GATES, message)
    return Verdict(results, PromotionReason.GATES_PASSED, _passed(len(results)))


def wanted(gates: Sequence[Gate], facts: GateFacts, earlier: Sequence[GateResult | None] = ()) -> Wanted:
    """What has to be found out for the gates of which no earlier result holds."""
    known = [*earlier, *[None] * len(gates)]
    asked = [
        _KINDS[gate.chosen].wants(gate, facts)
        for gate, result in zip(gates, known, strict=False)
        if result is None
    ]
    return Wanted(
        metrics=tuple(dict.fromkeys(metric for item in asked for metric in item.metrics)),
        inspection=any(item.inspection for item in asked),
        queries=tuple(dict.fromkeys(query for item in asked for query in item.queries)),
    )


def still_true(
    gates: Sequence[Gate], facts: GateFacts, candidate: CandidateStatus | None, *, edited: bool
) -> list[GateResult | None]:
    """Results of the status that hold still, by place.

    All of them once the candidate was admitted, unless a gate is another now. Before that those of durable kinds, for
    the same two versions; one that failed only until the spec is edited, which asks for another try.
    """
    if candidate is None or candidate.version != facts.version:
        return []
    if candidate.admitted_at is not None and candidate.gates_digest == digest_of(gates):
        # What they required of a champion or of an image may be past.
        return list(candidate.gates)
    if candidate.against != facts.rival:
        return []
    return [
        result if _holds(gate, facts, result, edited=edited) else None
        for gate, result in zip(gates, candidate.gates, strict=False)
    ]


def digest_of(gates: Sequence[Gate]) -> str:
    """Identity of a list of gates."""
    return canonical_digest([gate.to_wire() for gate in gates])


def _holds(gate: Gate, facts: GateFacts, result: GateResult, *, edited: bool) -> bool:
    same = result.gate == _name(gate) and result.required == _required(gate, facts)
    return (
        same
        and _KINDS[gate.chosen].durable
        and (result.passed is True or (result.passed is False and not edited))
    )


def _sentence(gate: Gate, result: GateResult, seen: Seen | None) -> str:
    """Why a gate failed and what to do."""
    kind, told = _KINDS[gate.chosen], seen or _RECORDED
    if told.sentence:
        return told.sentence
    saw = f"{result.gate}{kind.joint}{result.observed}"
    return f"{saw}, required is {result.required}. {told.remedy or kind.remedy}"


def _try(gate: Gate, facts: GateFacts, earlier: GateResult | None) -> tuple[GateResult, Seen | None]:
    if earlier is not None:
        return earlier, None
    seen = _KINDS[gate.chosen].see(gate, facts)
    result = GateResult(
        gate=_name(gate),
        required=_required(gate, facts),
        observed=_cut(seen.observed),
        passed=seen.passed,
    )
    return result, seen


def _name(gate: Gate) -> str:
    return _KINDS[gate.chosen].name(gate)


def _required(gate: Gate, facts: GateFacts) -> str:
    return _KINDS[gate.chosen].required(gate, facts)


def _cut(text: str) -> str:
    return text if len(text) <= OBSERVED_LENGTH else f"{text[: OBSERVED_LENGTH - 1]}…"


def _passed(count: int) -> str:
    return "There are no gates" if not count else f"{count} gate{'s' * (count > 1)} passed"
