"""Types that more than one kind uses."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from modelyard_api.base import ApiModel, StatusModel, rules
from modelyard_api.conditions import Condition

NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
COLUMN_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"

ResourceName = Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=52)]
ColumnName = Annotated[str, Field(pattern=COLUMN_PATTERN, min_length=1, max_length=63)]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN, max_length=71)]
DecimalString = Annotated[str, Field(pattern=DECIMAL_PATTERN, max_length=32)]
"""A number as text: Kubernetes advises against floats in fields, since encoders disagree about them."""


def _percent(value: str) -> str:
    if not Decimal(0) < Decimal(value) <= Decimal(100):
        raise ValueError("a percent is more than 0 and at most 100")
    return value


Percent = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?$",
        max_length=10,
        json_schema_extra=rules(
            ("double(self) > 0.0 && double(self) <= 100.0", "a percent is more than 0 and at most 100")
        ),
    ),
    AfterValidator(_percent),
]

Quantity = Annotated[
    str | int,
    WithJsonSchema({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
]
LabelMap = Annotated[
    dict[Annotated[str, Field(max_length=253)], Annotated[str, Field(max_length=63)]], Field(max_length=32)
]
Json = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]


class ResourceRequirements(ApiModel):
    """Compute of a container, as in a pod."""

    requests: Annotated[dict[Annotated[str, Field(max_length=63)], Quantity], Field(max_length=8)] = {}
    """What the scheduler reserves."""
    limits: Annotated[dict[Annotated[str, Field(max_length=63)], Quantity], Field(max_length=8)] = {}
    """What the container may use at most."""


class Toleration(ApiModel):
    """A taint that the pod accepts, as in a pod."""

    key: Annotated[str, Field(max_length=253)] | None = None
    """Taint key; empty matches all with operator Exists."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """How the value is compared."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Taint value for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect; empty matches all."""
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None
    """How long a NoExecute taint is tolerated."""


class JobOptions(ApiModel):
    """How the Job of a resource runs; the names are those of batch/v1."""

    suspend: bool = False
    """True holds the work back, or stops it; false lets it go on."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=31536000)] | None = None
    """Seconds after which unfinished work fails with reason Deadline; counted anew after a suspension."""
    backoff_limit: Annotated[int, Field(ge=0, le=10)] = 2
    """How many failures that may pass by themselves are tried again."""
    resources: ResourceRequirements | None = None
    """Compute of the pod; the chart's default if unset."""
    node_selector: LabelMap | None = None
    """Labels that the node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=16)] = []
    """Taints that the pod accepts."""
    priority_class_name: Annotated[str, Field(max_length=253)] | None = None
    """PriorityClass of the pod."""
    queue_name: Annotated[str, Field(max_length=63)] | None = None
    """Kueue queue, passed through as the label kueue.x-k8s.io/queue-name."""


class NamedValue(StatusModel):
    """A number under its name, as text."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the value."""
    value: Annotated[str, Field(max_length=32)]
    """The value as a decimal string."""


class ResourceStatus(StatusModel):
    """What the status of every kind begins with."""

    observed_generation: int | None = None
    """metadata.generation that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Observations; pick one by its type."""


class ColumnType(StrEnum):
    """Canonical types of columns; how a value of each is stored is said in ``contract.manifest``."""

    INTEGER = "Integer"
    NUMBER = "Number"
    BOOLEAN = "Boolean"
    TEXT = "Text"


class ObjectMeta(StatusModel):
    """The part of metav1.ObjectMeta that Modelyard reads."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
