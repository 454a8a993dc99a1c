"""A bound on a metric of the candidate's run."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelyard_api.metrics import METRICS
from modelyard_api.v1alpha1.gates import Gate, MetricGate
from modelyard_api.v1alpha1.reasons import PromotionReason
from modelyard_operator.decisions.gates.kind import BETTER_VERSION, GateFacts, Kind, Seen, bounds, within

MISSING = "missing"


def _asked(gate: Gate) -> MetricGate:
    assert gate.metric is not None  # noqa: S101  it is the chosen one
    return gate.metric


def _see(gate: Gate, facts: GateFacts) -> Seen:
    wanted = _asked(gate)
    value = facts.metrics.get(wanted.name)
    if value is None:
        sentence = (
            f"metric {wanted.name} is {MISSING}: the candidate's run has {_known(facts.metrics)}. "
            "Name it in spec.evaluation.metrics of the TrainingJob, or change the gate"
        )
        return Seen(MISSING, passed=False, reason=PromotionReason.METRIC_MISSING, sentence=sentence)
    if not math.isfinite(value):
        return Seen(str(value), passed=False)
    return Seen(f"{value:.6g}", within(value, wanted.min, wanted.max))


def _known(metrics: Mapping[str, float]) -> str:
    """Metrics of a run in bounded length: those of the list, and how many others there are beside them."""
    listed = sorted(name for name in metrics if name in METRICS)
    others = len(metrics) - len(listed)
    named = listed + ([f"{others} others of classes, folds and intervals"] if others else [])
    return ", ".join(named) or "none"


METRIC = Kind(
    name=lambda gate: f"metric {_asked(gate).name}",
    required=lambda gate, _facts: bounds(_asked(gate).min, _asked(gate).max),
    see=_see,
    remedy=BETTER_VERSION,
    joint=" is ",
)
