"""How traffic moves to a new version, when it moves back, and how far that has come."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from modelyard_api.base import ApiModel, OneOf, StatusModel, rules
from modelyard_api.v1alpha1.common import DECIMAL_PATTERN
from modelyard_api.v1alpha1.gates import PrometheusGate

_PERCENT_FAULT = "a limit in percent is at least 0 and at most 100"
_ANY_LIMIT = (
    "has(self.onErrorPercent) || has(self.onLatencySeconds) || has(self.onQuery)"
    " || (has(self.onDrift) && self.onDrift)"
)
_SECONDS_FAULT = "must be more than 0 seconds"
_SHARE_FAULT = "a tolerance is at least 0 and at most 1"


def _limit(value: str) -> str:
    if not 0 <= Decimal(value) <= 100:  # noqa: PLR2004  percent
        raise ValueError(_PERCENT_FAULT)
    return value


def _positive(value: str) -> str:
    if not Decimal(value) > 0:
        raise ValueError(_SECONDS_FAULT)
    return value


def _share(value: str) -> str:
    if not 0 <= Decimal(value) <= 1:
        raise ValueError(_SHARE_FAULT)
    return value


LimitPercent = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?$",
        max_length=10,
        json_schema_extra=rules(("double(self) <= 100.0", _PERCENT_FAULT)),
    ),
    AfterValidator(_limit),
]
"""A limit as a percent that may be 0: then nothing of it is accepted."""

Seconds = Annotated[
    str,
    Field(
        pattern=DECIMAL_PATTERN,
        max_length=32,
        json_schema_extra=rules(("double(self) > 0.0", _SECONDS_FAULT)),
    ),
    AfterValidator(_positive),
]

Tolerance = Annotated[
    str,
    Field(
        pattern=DECIMAL_PATTERN,
        max_length=32,
        json_schema_extra=rules(("double(self) >= 0.0 && double(self) <= 1.0", _SHARE_FAULT)),
    ),
    AfterValidator(_share),
]

TrafficPercent = Annotated[int, Field(ge=1, le=100)]
StepSeconds = Annotated[int, Field(ge=1, le=604800)]


class Immediate(ApiModel):
    """All traffic at once, after the new version is loaded and warm."""


class CanaryStep(ApiModel):
    """A share of the requests, for a time."""

    percent: TrafficPercent
    """Percent of the requests that the candidate answers."""
    seconds: StepSeconds
    """How long, counted from when every pod serves the step."""


class Canary(ApiModel):
    """A growing share of the requests; what the candidate cannot answer, the champion does."""

    steps: Annotated[list[CanaryStep], Field(min_length=1, max_length=10)]
    """Steps in order; after the last the candidate takes charge."""
    max_error_percent: LimitPercent = "1"
    """Percent of its requests that the candidate may fail to answer in a step."""
    max_latency_seconds: Seconds | None = None
    """Seconds within which 99 of 100 answers of the candidate must come; not judged if unset."""


class Shadow(ApiModel):
    """The champion answers; a share of the requests is repeated for the candidate and the answers are compared."""

    percent: TrafficPercent = 100
    """Percent of the requests that are repeated."""
    seconds: StepSeconds
    """How long, counted from when every pod does so."""
    max_disagreement_percent: LimitPercent
    """Percent of the rows that the candidate may answer otherwise than the champion, or not at all."""
    tolerance: Tolerance = "0.1"
    """Numbers agree that differ by at most this share of the larger one; labels must be equal."""


class Rollout(OneOf):
    """How traffic moves to the candidate."""

    immediate: Immediate | None = None
    """All at once, without a failed request."""
    canary: Canary | None = None
    """In steps, each judged before the next."""
    shadow: Shadow | None = None
    """After its answers were compared with the champion's."""


class Rollback(ApiModel):
    """When a version that took charge gives way to the one before it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                _ANY_LIMIT,
                "onErrorPercent, onLatencySeconds, onDrift or onQuery must be set",
            )
        )
    )

    on_error_percent: LimitPercent | None = None
    """Percent of its requests that the new champion may fail to answer (status 500 and above, or no number where the version
    before has one)."""
    on_latency_seconds: Seconds | None = None
    """Seconds within which 99 of 100 of its answers must come."""
    on_drift: bool = False
    """Whether its traffic must be like the rows that it was trained on, also in the steps of a rollout, unless that of the
    version before is not either."""
    on_query: PrometheusGate | None = None
    """Bounds of what Prometheus answers, also in the steps of a rollout. Without a value nothing goes back, and no step ends."""
    window_seconds: Annotated[int, Field(ge=1, le=604800)] = 600
    """How long it is watched after it took charge."""


class RolloutCounts(StatusModel):
    """What the candidate did in a step, over all pods."""

    requests: int = 0
    """Requests that it was asked."""
    errors: int = 0
    """Of these, the ones that it did not answer."""
    slow: int = 0
    """Answers that took longer than maxLatencySeconds."""
    compared: int = 0
    """Rows of a shadow that were compared."""
    disagreed: int = 0
    """Of these, the rows answered otherwise than by the champion."""
    windows: int = 0
    """Latest windows of its traffic that were compared with its training data."""
    drifted: int = 0
    """Of these, the windows that differ."""


class RolloutStatus(StatusModel):
    """How far the rollout of a candidate has come; with the spec it says all that the next decision needs."""

    step: int
    """Step under way, from 1; one more than steps when the candidate is to take charge."""
    steps: int
    """Number of steps."""
    percent: int
    """Percent of the requests that the candidate answers, or is asked as a shadow."""
    route_digest: Annotated[str, Field(max_length=71)] | None = None
    """Route that the pods are to serve for it."""
    began: Annotated[str, Field(max_length=32)]
    """When the pods were told so."""
    since: Annotated[str, Field(max_length=32)] | None = None
    """When all pods did."""
    restarts: int = 0
    """Restarts of the server's containers before it began."""
    counts: RolloutCounts = RolloutCounts()
    """What the candidate did in this step, or in the last one when they are over, as of countedAt."""
    counted_at: Annotated[str, Field(max_length=32)] | None = None
    """When that was looked at; it is noted every few seconds."""


class SwapStatus(StatusModel):
    """What clients saw of a rollout, from the first pod that read of the version until all served it."""

    version: Annotated[str, Field(max_length=16)]
    """Version that took charge."""
    requests: int = 0
    """Requests that were answered meanwhile, by whichever version."""
    errors: int = 0
    """Of these, answers of 500 and above."""
