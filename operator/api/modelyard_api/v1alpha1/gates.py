"""Gates of a ModelPromotion: what a candidate must pass before it is rolled out, and what each saw."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from modelyard_api.base import ApiModel, OneOf, StatusModel, rules
from modelyard_api.v1alpha1.common import DecimalString, MetricName

_BOUNDED = rules(("has(self.min) || has(self.max)", "min or max must be set"))


class MetricGate(ApiModel):
    """A bound on a metric of the test part."""

    model_config = ConfigDict(json_schema_extra=_BOUNDED)

    name: MetricName
    """Metric."""
    min: DecimalString | None = None
    """Least value that passes."""
    max: DecimalString | None = None
    """Greatest value that passes."""


class ImprovementGate(ApiModel):
    """A metric has to be better than the champion's, on the test rows that both have."""

    metric: MetricName
    """Metric of the test part; which direction is better is its own."""
    min_delta: DecimalString = "0"
    """By how much it has to be better; below 0, by how much it may be worse."""
    confidence: Literal["0.80", "0.90", "0.95", "0.99"] = "0.95"
    """In which share of the draws of these rows it has to be better by more than minDelta."""


class SignatureGate(ApiModel):
    """What the champion's clients send and get stays valid: same inputs, same target, same labels."""


class EnvironmentGate(ApiModel):
    """The libraries that the model was trained with are those of the server's image."""


class PrometheusGate(ApiModel):
    """A bound on the answer of Prometheus; without an answer, or without a value in it, the candidate fails."""

    model_config = ConfigDict(json_schema_extra=_BOUNDED)

    query: Annotated[str, Field(min_length=1, max_length=2048)]
    """Instant query in PromQL; of several series each has to be within the bounds."""
    min: DecimalString | None = None
    """Least value that passes."""
    max: DecimalString | None = None
    """Greatest value that passes."""


class Gate(OneOf):
    """A test that a candidate must pass."""

    metric: MetricGate | None = None
    """A bound on a metric of the test part."""
    improvement: ImprovementGate | None = None
    """A metric has to be better than the champion's, beyond the luck of the test rows."""
    signature: SignatureGate | None = None
    """The champion's clients keep working."""
    environment: EnvironmentGate | None = None
    """The server has the libraries that the model was trained with."""
    prometheus: PrometheusGate | None = None
    """A bound on the answer of Prometheus."""


class GateResult(StatusModel):
    """What a gate saw."""

    gate: Annotated[str, Field(max_length=128)]
    """Which gate."""
    required: Annotated[str, Field(max_length=128)]
    """What it requires."""
    observed: Annotated[str, Field(max_length=256)]
    """What it saw."""
    passed: bool | None = None
    """Whether the candidate passes; absent while that is not known yet."""
