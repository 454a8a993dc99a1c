"""What is found out for gates: by steps that look at a candidate, and by asking Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from modelyard_api.contract.outcome import ImprovementOutcome, InspectionOutcome
from modelyard_api.contract.steps import AskedMetric

Found = TypeVar("Found")


@dataclass(frozen=True)
class Evidence(Generic[Found]):
    """What a step came to: an answer, the reason why there will be none, or neither yet."""

    found: Found | None = None
    fault: str = ""
    waiting: str = ""
    """What is in the way of an answer that may come still."""


@dataclass(frozen=True)
class QueryAnswer:
    """What Prometheus answered."""

    values: tuple[float, ...] = ()
    fault: str = ""
    """Why there is no value."""


@dataclass(frozen=True)
class GateEvidence:
    """All that is known besides the metrics of the candidate's run."""

    improvement: Evidence[ImprovementOutcome] = Evidence()
    inspection: Evidence[InspectionOutcome] = Evidence()
    answers: Mapping[str, QueryAnswer] = field(default_factory=dict)
    """By query."""
    server_image: str = ""


@dataclass(frozen=True)
class Wanted:
    """What has to be found out before all gates have an answer."""

    metrics: tuple[AskedMetric, ...] = ()
    """In which candidate and champion are compared."""
    inspection: bool = False
    queries: tuple[str, ...] = ()
