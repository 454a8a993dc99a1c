"""Transforms for which a row's fate depends on other rows."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from modelyard_api.base import ApiModel, rules
from modelyard_api.v1alpha1.common import ColumnName
from modelyard_api.v1alpha1.transform_rows import Columns, Seed

COPY_NUMBER = "copy_number"
"""Column that ``balance`` adds to the key: 0 is the row itself, further copies are numbered from 1."""
VariantName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=30)]


class Dedupe(ApiModel):
    """Keep one row of those that have the same values: the first in key order. Missing values are the same."""

    columns: Columns
    """Columns whose values are compared."""


class SortColumn(ApiModel):
    """A column to sort by."""

    column: ColumnName
    """Name of the column."""
    descending: bool = False
    """True puts the greatest value first. Missing values are last in any case."""


class Sort(ApiModel):
    """Add a column with the place of the row in an order, from 1. Rows of a version have no order of their own."""

    by: Annotated[list[SortColumn], Field(min_length=1, max_length=16)]
    """What is compared, the most important column first; rows that are equal in all follow their key."""
    into: ColumnName
    """Name of the new column."""


class BalanceMethod(StrEnum):
    """How classes are made equally large."""

    OVER = "Over"
    """Rows of smaller classes are copied until each is as large as the largest."""
    UNDER = "Under"
    """Rows of larger classes are dropped until each is as small as the smallest."""


class Balance(ApiModel):
    """Make the classes of the training part equally large; the test part stays as it is.

    Over adds the column ``copy_number`` to the key. A copy stays on the side of the split of the row it was made of.
    """

    column: ColumnName
    """Column whose values are classes; rows that miss it stay as they are."""
    method: BalanceMethod
    """How they are made equally large."""
    seed: Seed = 0
    """Seed of the hash by which rows are drawn."""


class JoinKind(StrEnum):
    """What becomes of rows without a match."""

    LEFT = "Left"
    """They stay, without values in the new columns."""
    INNER = "Inner"
    """They are dropped."""


class Join(ApiModel):
    """Add columns of another variant of this Dataset, which must have at most one row for each row here."""

    variant: VariantName
    """An earlier variant."""
    on: Annotated[list[ColumnName], Field(min_length=1, max_length=8)]
    """Columns that both have and that must be equal; a missing value matches nothing."""
    columns: Annotated[list[ColumnName], Field(max_length=1000)] = []
    """Columns to add; all of the other variant but its key and ``on`` if empty."""
    kind: JoinKind = JoinKind.LEFT
    """What becomes of rows without a match."""


class AggregateFunction(StrEnum):
    """What is computed of the values of a group. Missing values do not count, except for Count and CountMissing."""

    COUNT = "Count"
    """Rows."""
    COUNT_MISSING = "CountMissing"
    """Rows that miss the value."""
    COUNT_DISTINCT = "CountDistinct"
    """Different values."""
    SUM = "Sum"
    """Sum."""
    MEAN = "Mean"
    """Mean."""
    STANDARD_DEVIATION = "StandardDeviation"
    """Standard deviation of a sample; missing for fewer than two values."""
    MIN = "Min"
    """Least value."""
    MAX = "Max"
    """Greatest value."""
    MEDIAN = "Median"
    """Median."""
    FIRST = "First"
    """Value of the first row in key order that has one."""
    LAST = "Last"
    """Value of the last row in key order that has one."""


class AggregateColumn(ApiModel):
    """A column of the result."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("(self.function == 'Count') != has(self.column)", "column goes with every function but Count")
        )
    )

    into: ColumnName
    """Name of the new column."""
    function: AggregateFunction
    """What is computed."""
    column: ColumnName | None = None
    """Column that it is computed of."""

    @model_validator(mode="after")
    def _column_unless_count(self) -> AggregateColumn:
        if (self.function is AggregateFunction.COUNT) == (self.column is not None):
            raise ValueError("column goes with every function but Count")
        return self


class AggregatePart(StrEnum):
    """Which rows are looked at."""

    ALL = "All"
    """All rows."""
    TRAINING = "Training"
    """Those that are not held out for the final test."""


class Aggregate(ApiModel):
    """One row for each group of rows; the columns of ``groupBy`` are its key."""

    group_by: Annotated[list[ColumnName], Field(min_length=1, max_length=8)]
    """Columns whose values make a group; none of them may be missing."""
    columns: Annotated[list[AggregateColumn], Field(min_length=1, max_length=100)]
    """Columns of the result, after those of the key."""
    part: AggregatePart = AggregatePart.ALL
    """Which rows are looked at."""


class Sql(ApiModel):
    """What one SELECT over the table ``rows`` answers. It must give the key, and each key at most once."""

    query: Annotated[str, Field(min_length=1, max_length=4096)]
    """For example ``SELECT id, lower(title) AS title FROM rows WHERE price > 0``."""
