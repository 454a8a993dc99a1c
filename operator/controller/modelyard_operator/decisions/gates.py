"""Whether a candidate may take charge: each gate says what it requires and what it saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from modelyard_api.metrics import METRICS
from modelyard_api.v1alpha1.model_promotion import Gate, GateResult
from modelyard_api.v1alpha1.reasons import PromotionReason

MISSING = "missing"


@dataclass(frozen=True)
class GateFacts:
    """What gates look at."""

    metrics: Mapping[str, float]
    """Metrics of the candidate's run."""


@dataclass(frozen=True)
class Verdict:
    """Results in the order of the gates; the first that failed gives the reason."""

    results: tuple[GateResult, ...]
    reason: PromotionReason
    message: str

    @property
    def passed(self) -> bool:
        """Whether every gate let the candidate pass."""
        return self.reason is PromotionReason.GATES_PASSED


def judge(gates: Sequence[Gate], facts: GateFacts) -> Verdict:
    """Tries every gate, so that all results can be shown."""
    results = tuple(_GATES[gate.chosen](gate, facts) for gate in gates)
    number, failed = next(((n, item) for n, item in enumerate(results) if not item.passed), (0, None))
    if failed is None:
        text = _passed(len(results))
        return Verdict(results, PromotionReason.GATES_PASSED, text)
    if failed.observed == MISSING:
        known = _known(facts.metrics)
        message = (
            f"spec.gates[{number}]: {failed.gate} is missing: the candidate's run has {known}. "
            "Name it in spec.evaluation.metrics of the TrainingJob, or change the gate"
        )
        return Verdict(results, PromotionReason.METRIC_MISSING, message)
    message = (
        f"spec.gates[{number}]: {failed.gate} is {failed.observed}, required is {failed.required}. "
        "Train a better version or change the gate"
    )
    return Verdict(results, PromotionReason.GATE_FAILED, message)


def _known(metrics: Mapping[str, float]) -> str:
    """Metrics of a run in bounded length: those of the list, and how many others there are beside them."""
    listed = sorted(name for name in metrics if name in METRICS)
    others = len(metrics) - len(listed)
    named = listed + ([f"{others} others of classes, folds and intervals"] if others else [])
    return ", ".join(named) or "none"


def _passed(count: int) -> str:
    return "There are no gates" if not count else f"{count} gate{'s' * (count > 1)} passed"


def _metric(gate: Gate, facts: GateFacts) -> GateResult:
    wanted = gate.metric
    assert wanted is not None  # noqa: S101  it is the chosen one
    value = facts.metrics.get(wanted.name)
    bounds = [f"≥ {wanted.min}"] if wanted.min is not None else []
    bounds += [f"≤ {wanted.max}"] if wanted.max is not None else []
    if value is None or not math.isfinite(value):
        observed, passed = (MISSING if value is None else str(value)), False
    else:
        exact = Decimal(repr(value))
        observed = f"{value:.6g}"
        passed = (wanted.min is None or exact >= Decimal(wanted.min)) and (
            wanted.max is None or exact <= Decimal(wanted.max)
        )
    return GateResult(
        gate=f"metric {wanted.name}", required=" and ".join(bounds), observed=observed, passed=passed
    )


_GATES: Mapping[str, Callable[[Gate, GateFacts], GateResult]] = {"metric": _metric}
"""By key of the gate; a new gate is one function and one line here."""
