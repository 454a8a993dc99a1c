"""How a Dataset is loaded: in which steps, in which order, and what becomes of rows that do not fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from modelyard_api.base import ApiModel, OneOf, rules
from modelyard_api.v1alpha1.common import ColumnName, ColumnType, Percent

_INITIAL = "(has(self.initialPercent) ? double(self.initialPercent) : 100.0)"
_TARGET = "(has(self.targetPercent) ? double(self.targetPercent) : 100.0)"


class ColumnSpec(ApiModel):
    """A column that the source must have."""

    name: ColumnName
    """Name of the column."""
    type: ColumnType
    """Canonical type that its values are turned into."""
    nullable: bool = True
    """False rejects the rows that miss a value."""


class HashOrder(ApiModel):
    """By hash of seed and key: every prefix is a random sample, and a smaller one is part of a larger one."""

    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """Seed of the hash."""


class SourceOrder(ApiModel):
    """As the source gives them."""


class Order(OneOf):
    """In which order rows are loaded."""

    hash: HashOrder | None = None
    """By hash of seed and key."""
    source: SourceOrder | None = None
    """As the source gives them."""


class Fail(ApiModel):
    """The step fails and nothing of it is loaded."""


class Quarantine(ApiModel):
    """Rows that do not fit are set aside with the reason, in the table ``data_rejects``; the others are loaded."""

    limit: Annotated[int, Field(ge=0, le=1000000)] = 100
    """Rows that may be set aside in one step; one more fails the step."""


class OnReject(OneOf):
    """What happens to rows that do not fit."""

    fail: Fail | None = None
    """The step fails."""
    quarantine: Quarantine | None = None
    """They are set aside, up to a limit."""


class LoadPlan(ApiModel):
    """How much is loaded when. Without a schedule or an interval, the first step is the only one that comes by itself."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"{_INITIAL} <= {_TARGET}",
                "load.initialPercent must be at most load.targetPercent",
            ),
            (
                "!(has(self.schedule) && has(self.intervalSeconds))",
                "only one of load.schedule and load.intervalSeconds may be set",
            ),
            (
                f"{_INITIAL} == {_TARGET} || has(self.incrementPercent)",
                "load.incrementPercent must be set where load.initialPercent is less than load.targetPercent",
            ),
        )
    )

    initial_percent: Percent | None = None
    """Share of the source's rows that the first step loads; the target if unset."""
    increment_percent: Percent | None = None
    """Share that each further step adds."""
    target_percent: Percent = "100"
    """Share at which loading is complete. Sources that grow are then looked at again for what is new."""
    order: Order = Order(hash=HashOrder())
    """In which order rows are loaded."""
    schedule: Annotated[str, Field(min_length=9, max_length=100)] | None = None
    """Times of further steps as five cron fields in UTC, for example ``*/10 * * * *``."""
    interval_seconds: Annotated[int, Field(ge=1, le=31536000)] | None = None
    """Seconds from the end of one step to the next."""
    on_reject: OnReject = OnReject(fail=Fail())
    """What happens to rows that do not fit."""

    @model_validator(mode="after")
    def _reaches_the_target(self) -> LoadPlan:
        if self.schedule is not None and self.interval_seconds is not None:
            raise ValueError("only one of load.schedule and load.intervalSeconds may be set")
        initial, target = Decimal(self.initial_percent or self.target_percent), Decimal(self.target_percent)
        if initial > target:
            raise ValueError(f"load.initialPercent {initial} must be at most load.targetPercent {target}")
        if initial < target and self.increment_percent is None:
            raise ValueError(
                "load.incrementPercent must be set where load.initialPercent is less than load.targetPercent"
            )
        return self

    def percent_after(self, loaded: str | None) -> str:
        """Share that is loaded after the next step, ``loaded`` being the share before it (None: nothing yet)."""
        target = Decimal(self.target_percent)
        if loaded is None:
            return self.initial_percent or self.target_percent
        reached = min(target, Decimal(loaded) + Decimal(self.increment_percent or self.target_percent))
        return f"{reached.normalize():f}"

    def is_complete(self, loaded: str) -> bool:
        """Whether the target is reached."""
        return Decimal(loaded) >= Decimal(self.target_percent)
