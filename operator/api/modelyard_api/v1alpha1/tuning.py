"""Tuning: which parameters are searched, how, how many trials there are and what a trial is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from modelyard_api.base import ApiModel, OneOf, StatusModel, rules
from modelyard_api.v1alpha1.common import DecimalString, Json, MetricName, ResourceName

PARAMETER_PATTERN = r"^(estimator|resample|preprocess\.[a-z][a-z0-9_]*\.[0-9])(\.[A-Za-z_][A-Za-z0-9_]*)+$"

Whole = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, le=2147483647)]
ParameterPath = Annotated[str, Field(pattern=PARAMETER_PATTERN, min_length=1, max_length=200)]

_LOG_IS_ABOVE_ZERO = "low must be above 0 where log is true"
_LOG_OR_STEP = "step and log exclude one another"
_LOW_BELOW_HIGH = "low must be below high"


class IntegerRange(ApiModel):
    """Whole numbers, both ends included."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.low < self.high", _LOW_BELOW_HIGH),
            ("!has(self.log) || !self.log || self.low > 0", _LOG_IS_ABOVE_ZERO),
            ("!has(self.log) || !self.log || !has(self.step)", _LOG_OR_STEP),
        )
    )

    low: Whole
    """Smallest value."""
    high: Whole
    """Largest value."""
    step: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Distance of two values, from low on; 1 if unset."""
    log: bool = False
    """True tries small values as often as large ones: equal ratios instead of equal distances."""

    @model_validator(mode="after")
    def _in_order(self) -> IntegerRange:
        _check_range(Decimal(self.low), Decimal(self.high), log=self.log, step=self.step is not None)
        return self


class NumberRange(ApiModel):
    """Numbers as decimal strings, both ends included."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("double(self.low) < double(self.high)", _LOW_BELOW_HIGH),
            ("!has(self.log) || !self.log || double(self.low) > 0.0", _LOG_IS_ABOVE_ZERO),
            ("!has(self.log) || !self.log || !has(self.step)", _LOG_OR_STEP),
            ("!has(self.step) || double(self.step) > 0.0", "step must be above 0"),
        )
    )

    low: DecimalString
    """Smallest value."""
    high: DecimalString
    """Largest value."""
    step: DecimalString | None = None
    """Distance of two values, from low on; any number between both ends if unset."""
    log: bool = False
    """True tries small values as often as large ones: equal ratios instead of equal distances."""

    @model_validator(mode="after")
    def _in_order(self) -> NumberRange:
        if self.step is not None and Decimal(self.step) <= 0:
            raise ValueError("step must be above 0")
        _check_range(Decimal(self.low), Decimal(self.high), log=self.log, step=self.step is not None)
        return self


def _check_range(low: Decimal, high: Decimal, *, log: bool, step: bool) -> None:
    if low >= high:
        raise ValueError(_LOW_BELOW_HIGH)
    if log and low <= 0:
        raise ValueError(_LOG_IS_ABOVE_ZERO)
    if log and step:
        raise ValueError(_LOG_OR_STEP)


class Choice(ApiModel):
    """Some values."""

    values: Annotated[list[Json], Field(min_length=2, max_length=50)]
    """The values, as they would stand in params."""


_KINDS = ("integer", "number", "choice")


class Dimension(ApiModel):
    """A parameter and the values that are tried for it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"{' + '.join(f'(has(self.{name}) ? 1 : 0)' for name in _KINDS)} == 1",
                f"exactly one of {', '.join(_KINDS)} must be set",
            )
        )
    )

    parameter: ParameterPath
    """Where it stands: estimator.<parameter>, resample.<parameter> or preprocess.<branch>.<step from 0>.<parameter>."""
    integer: IntegerRange | None = None
    """Whole numbers of a range."""
    number: NumberRange | None = None
    """Numbers of a range."""
    choice: Choice | None = None
    """Some values."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Dimension:
        given = sum(getattr(self, name) is not None for name in _KINDS)
        if given != 1:
            raise ValueError(f"exactly one of {', '.join(_KINDS)} must be set, {given} are")
        return self


class Tpe(ApiModel):
    """Tree-structured Parzen estimator: values like those of the better trials, rather than of the worse."""

    seed: Seed = 0
    """Seed of the choices."""
    startup_trials: Annotated[int, Field(ge=1, le=1000)] = 10
    """Trials at random before it begins to learn."""


class RandomSearch(ApiModel):
    """Values at random."""

    seed: Seed = 0
    """Seed of the choices."""


class Grid(ApiModel):
    """Every combination once, in order; numbers need a step."""


class CmaEs(ApiModel):
    """Covariance matrix adaptation for ranges; choices are made at random."""

    seed: Seed = 0
    """Seed of the choices."""


class GaussianProcess(ApiModel):
    """A Gaussian process of what the trials came to, and the point that promises most by it."""

    seed: Seed = 0
    """Seed of the choices."""
    startup_trials: Annotated[int, Field(ge=2, le=1000)] = 10
    """Trials at random before it begins to learn."""


class Sampler(OneOf):
    """How the values of the next trial are chosen."""

    tpe: Tpe | None = None
    """Learns which values are worth it, one parameter at a time."""
    random: RandomSearch | None = None
    """At random."""
    grid: Grid | None = None
    """Every combination once."""
    cmaes: CmaEs | None = None
    """An evolution strategy for ranges of numbers."""
    gp: GaussianProcess | None = None
    """A model of the whole space; for few and costly trials."""


class Median(ApiModel):
    """Ends a trial whose folds so far are worse than the median of the other trials at that fold."""

    startup_trials: Annotated[int, Field(ge=1, le=1000)] = 5
    """Completed trials before any is ended."""
    warmup_folds: Annotated[int, Field(ge=1, le=19)] = 1
    """Folds of every trial that are always judged."""


class Hyperband(ApiModel):
    """Ends all but the best share of trials after some folds, in brackets that begin at different folds."""

    reduction_factor: Annotated[int, Field(ge=2, le=10)] = 3
    """One trial of so many goes on."""


class Pruner(OneOf):
    """Which trials are ended before all of their folds are judged."""

    median: Median | None = None
    """Those that are worse than half of the others."""
    hyperband: Hyperband | None = None
    """All but the best, after few folds."""


class Objective(ApiModel):
    """What a trial is judged by: the mean of a metric over folds of the training part."""

    metric: MetricName | None = None
    """Metric; which end of it is the good one is known. That of evaluation.primary if unset."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Folds of the training part; the test part is not looked at."""


class WarmStart(ApiModel):
    """What an earlier job has tried."""

    training_job: ResourceName
    """TrainingJob of this namespace; it need not exist any more."""


class Tuning(ApiModel):
    """A search for parameters; the best are then trained on the whole training part."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.parallelism) || self.parallelism <= self.trials",
                "parallelism must be at most trials",
            ),
            (
                "self.space.all(a, self.space.exists_one(b, b.parameter == a.parameter))",
                "each parameter of space must be named once",
            ),
        )
    )

    trials: Annotated[int, Field(ge=1, le=1000)]
    """How many combinations are tried; fewer only where the grid has fewer or a budget is used up."""
    parallelism: Annotated[int, Field(ge=1, le=32)] = 1
    """Pods that try them side by side; each takes one trial after another."""
    sampler: Sampler = Sampler(tpe=Tpe())
    """How values are chosen; tpe if unset."""
    pruner: Pruner | None = None
    """Which trials are ended early; none if unset."""
    timeout_seconds: Annotated[int, Field(ge=1, le=31536000)] | None = None
    """Budget of time: seconds that trials took, divided by parallelism, after which no further one begins."""
    cpu_seconds: Annotated[int, Field(ge=1, le=31536000)] | None = None
    """Budget of CPU time of all trials together, after which no further one begins."""
    objective: Objective = Objective()
    """What trials are judged by."""
    space: Annotated[list[Dimension], Field(min_length=1, max_length=20)]
    """The parameters and the values that are tried; what params of the pipeline say of them gives way."""
    warm_start: WarmStart | None = None
    """Earlier trials that the sampler learns from; the best of them is the first to be tried."""

    @model_validator(mode="after")
    def _fits(self) -> Tuning:
        if self.parallelism > self.trials:
            raise ValueError("parallelism must be at most trials")
        names = [dimension.parameter for dimension in self.space]
        if len(set(names)) < len(names):
            raise ValueError("each parameter of space must be named once")
        return self


class TrialParameter(StatusModel):
    """A parameter that was tried."""

    name: Annotated[str, Field(max_length=200)]
    """Where it stands."""
    value: Annotated[str, Field(max_length=120)]
    """Its value as JSON."""


class BestTrial(StatusModel):
    """The trial whose parameters were trained."""

    number: int
    """Number of the trial, from 0."""
    value: Annotated[str, Field(max_length=32)]
    """Mean of the objective's metric over the folds."""
    parameters: Annotated[list[TrialParameter], Field(max_length=20)] = []
    """What it tried."""


class TuningProgress(StatusModel):
    """How far the trials are."""

    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Share of the trials that ended."""
    trials_completed: int = 0
    """Trials that were judged on all folds, or whose parameters had been before."""
    trials_pruned: int = 0
    """Trials that were ended early."""
    trials_failed: int = 0
    """Trials that the pipeline refused or that ended their pod again and again."""
    trials_running: int = 0
    """Trials at work."""
    best_value: Annotated[str, Field(max_length=32)] | None = None
    """The best so far."""
    estimated_seconds_remaining: int | None = None
    """Time until the trials are done, by those that ended."""


def points(dimension: Dimension) -> int | None:
    """How many values a parameter has; None where there is no end of them."""
    if dimension.choice is not None:
        return len(dimension.choice.values)
    if dimension.integer is not None:
        asked = dimension.integer
        return (asked.high - asked.low) // (asked.step or 1) + 1
    assert dimension.number is not None  # noqa: S101  one is set
    if dimension.number.step is None:
        return None
    low, high = Decimal(dimension.number.low), Decimal(dimension.number.high)
    return int((high - low) / Decimal(dimension.number.step)) + 1


def point(dimension: Dimension, position: int) -> Json:
    """The value at a position, from 0, of a parameter that has so many."""
    if dimension.choice is not None:
        return dimension.choice.values[position]
    if dimension.integer is not None:
        return dimension.integer.low + position * (dimension.integer.step or 1)
    number = dimension.number
    assert number is not None and number.step is not None  # noqa: PT018, S101  asked for by position
    return float(Decimal(number.low) + position * Decimal(number.step))


def combinations(space: list[Dimension]) -> int | None:
    """How many different trials there are; None where there is no end of them."""
    total = 1
    for dimension in space:
        count = points(dimension)
        if count is None:
            return None
        total *= count
    return total


def budget(tuning: Tuning) -> int:
    """Trials at most: a grid has an end of its own."""
    if tuning.sampler.grid is None:
        return tuning.trials
    return min(tuning.trials, combinations(tuning.space) or tuning.trials)


def extremes(dimension: Dimension) -> Iterator[tuple[str, Any]]:
    """Values by which a class's constraints can judge all of a parameter, each with the field that it stands in."""
    if dimension.integer is not None:
        yield "integer.low", dimension.integer.low
        yield "integer.high", dimension.integer.high
    elif dimension.number is not None:
        yield "number.low", float(dimension.number.low)
        yield "number.high", float(dimension.number.high)
    elif dimension.choice is not None:
        for position, value in enumerate(dimension.choice.values):
            yield f"choice.values[{position}]", value
