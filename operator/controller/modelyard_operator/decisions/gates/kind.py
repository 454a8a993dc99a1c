"""What every kind of gate is made of, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from modelyard_api.v1alpha1.gates import Gate
from modelyard_api.v1alpha1.reasons import PromotionReason
from modelyard_operator.objects.gates import GateEvidence, Wanted

REQUIRED_LENGTH = 128
OBSERVED_LENGTH = 256
BETTER_VERSION = "Train a better version or change the gate"


@dataclass(frozen=True)
class GateFacts:
    """What gates look at."""

    metrics: Mapping[str, float]
    """Metrics of the candidate's run."""
    version: str = ""
    """The candidate."""
    champion: str | None = None
    """The version in charge."""
    evidence: GateEvidence = field(default_factory=GateEvidence)

    @property
    def rival(self) -> str | None:
        """The version that the candidate would replace; None where there is none, or where it is the candidate."""
        return None if self.champion == self.version else self.champion

    @property
    def unrivalled(self) -> str:
        """Why there is nothing to compare the candidate with."""
        return "it is in charge" if self.champion else "no version is in charge yet"


@dataclass(frozen=True)
class Seen:
    """What a gate saw; ``passed`` is None while it is not known."""

    observed: str
    passed: bool | None
    reason: PromotionReason = PromotionReason.GATE_FAILED
    remedy: str = ""
    """Where it failed and the kind's own remedy does not fit."""
    sentence: str = ""
    """The whole message, where bounds and remedy do not say enough."""


@dataclass(frozen=True)
class Kind:
    """A kind of gate. What it is called and what it requires is known before anything is found out."""

    name: Callable[[Gate], str]
    required: Callable[[Gate, GateFacts], str]
    see: Callable[[Gate, GateFacts], Seen]
    remedy: str
    wants: Callable[[Gate, GateFacts], Wanted] = lambda _gate, _facts: Wanted()
    """What has to be found out for it."""
    durable: bool = False
    """Whether what it saw stays true for the same two versions, so that it need not be found out again."""
    joint: str = ": "
    """Between its name and what it saw, in a sentence."""


def within(value: float, least: str | None, most: str | None) -> bool:
    """Whether a number lies between two decimals, both included; NaN lies nowhere."""
    exact = Decimal(repr(value))
    if exact.is_nan():
        return False
    return (least is None or exact >= Decimal(least)) and (most is None or exact <= Decimal(most))


def bounds(least: str | None, most: str | None) -> str:
    """Both bounds in words."""
    told = [f"≥ {least}"] if least is not None else []
    told += [f"≤ {most}"] if most is not None else []
    return " and ".join(told)


def pending(waiting: str) -> Seen:
    """Nothing is known yet."""
    return Seen(waiting or "being found out", None)
