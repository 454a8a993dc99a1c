"""A metric has to be better than the champion's on the same test rows, beyond their luck."""

from __future__ import annotations

from decimal import Decimal

from modelyard_api.contract.outcome import ImprovementOutcome
from modelyard_api.contract.steps import AskedMetric
from modelyard_api.judging import metric_fault
from modelyard_api.v1alpha1.gates import Gate, ImprovementGate
from modelyard_operator.decisions.gates.kind import BETTER_VERSION, GateFacts, Kind, Seen, pending
from modelyard_operator.objects.gates import Wanted


def _asked(gate: Gate) -> ImprovementGate:
    assert gate.improvement is not None  # noqa: S101  it is the chosen one
    return gate.improvement


def _required(gate: Gate, facts: GateFacts) -> str:
    del facts
    wanted = _asked(gate)
    return f"better by more than {wanted.min_delta} with confidence {wanted.confidence}"


def _see(gate: Gate, facts: GateFacts) -> Seen:
    evidence, unknown = facts.evidence.improvement, metric_fault(_asked(gate).metric)
    if unknown:
        return Seen("no metric", passed=False, sentence=f"improvement.metric: {unknown}")
    if facts.rival is None:
        return Seen(facts.unrivalled, passed=True)
    if evidence.found is not None:
        return _judged(_asked(gate), evidence.found)
    if evidence.fault:
        return Seen(f"not compared: {evidence.fault}", passed=False, remedy="An edit of the spec tries again")
    return pending(evidence.waiting)


def _judged(wanted: ImprovementGate, found: ImprovementOutcome) -> Seen:
    if found.refused:
        return Seen(found.refused, passed=False, remedy="Without this gate nobody compares the two")
    change = next(
        (
            item
            for item in found.changes
            if (item.metric, item.confidence) == (wanted.metric, wanted.confidence)
        ),
        None,
    )
    if change is None:
        return Seen("not compared: the trainer is of another version", passed=False)
    told = f"{change.candidate:.6g} after {change.champion:.6g} on {found.rows:,} common test rows"
    if change.at_least is None:
        return Seen(f"{told}, and draws of these rows tell nothing of this metric", passed=False)
    passed = Decimal(repr(change.at_least)) > Decimal(wanted.min_delta)
    return Seen(f"{told}, better by {change.better_by:.3g}, by at least {change.at_least:.3g}", passed)


def _wants(gate: Gate, facts: GateFacts) -> Wanted:
    wanted = _asked(gate)
    if facts.rival is None or metric_fault(wanted.metric):
        return Wanted()
    return Wanted(metrics=(AskedMetric(metric=wanted.metric, confidence=wanted.confidence),))


IMPROVEMENT = Kind(
    name=lambda gate: f"improvement {_asked(gate).metric}",
    required=_required,
    see=_see,
    remedy=BETTER_VERSION,
    wants=_wants,
    durable=True,
)
