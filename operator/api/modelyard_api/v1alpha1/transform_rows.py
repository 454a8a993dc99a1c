"""Transforms of columns and single rows."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from modelyard_api.base import ApiModel, rules
from modelyard_api.v1alpha1.common import ColumnName, ColumnType, DecimalString, Percent

Expression = Annotated[str, Field(min_length=1, max_length=1024)]
Columns = Annotated[list[ColumnName], Field(min_length=1, max_length=1000)]
Seed = Annotated[int, Field(ge=0, le=2147483647)]


class Filter(ApiModel):
    """Keep the rows for which a SQL condition is true."""

    where: Expression
    """Condition over the columns, for example ``MedHouseVal <= 5.0``."""


class Derive(ApiModel):
    """Add a column computed from the others of its row."""

    column: ColumnName
    """Name of the new column."""
    as_: Annotated[Expression, Field(alias="as")]
    """SQL expression over the columns, for example ``AveRooms * AveOccup``."""


class Bin(ApiModel):
    """Add a column with the number of the interval that a value falls into, the first being 0.

    Intervals are closed on the right, as in pandas.cut; a value outside all of them gives null. With ``quantiles``
    the borders are learned from the training part, and the first and the last interval have no end.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.edges) != has(self.quantiles)", "exactly one of edges, quantiles must be set"),
            (
                "!(has(self.openEnded) && self.openEnded && has(self.quantiles))",
                "openEnded goes with edges; quantiles are open at both ends",
            ),
        )
    )

    column: ColumnName
    """Numeric column to look at."""
    into: ColumnName
    """Name of the new column."""
    edges: Annotated[list[DecimalString], Field(min_length=2, max_length=100)] | None = None
    """Borders of the intervals, ascending."""
    quantiles: Annotated[int, Field(ge=2, le=100)] | None = None
    """Number of intervals that hold equally many rows of the training part."""
    open_ended: bool = False
    """True adds a last interval above the highest edge."""

    @model_validator(mode="after")
    def _edges_or_quantiles(self) -> Bin:
        if (self.edges is None) == (self.quantiles is None):
            raise ValueError("exactly one of edges, quantiles must be set")
        if self.open_ended and self.quantiles is not None:
            raise ValueError("openEnded goes with edges; quantiles are open at both ends")
        return self


class DropMissing(ApiModel):
    """Drop the rows that miss a value: null, or not a number."""

    columns: Annotated[list[ColumnName], Field(max_length=1000)] = []
    """Columns to look at; all if empty."""


class FillStrategy(StrEnum):
    """What a missing value becomes; all but Constant are learned from the training part."""

    CONSTANT = "Constant"
    """The value of ``value``."""
    MEAN = "Mean"
    """The mean; of an Integer column the nearest whole number."""
    MEDIAN = "Median"
    """The median; of an Integer column the nearest whole number."""
    MOST_FREQUENT = "MostFrequent"
    """The value that most rows have; the least of them if there are several."""


class FillMissing(ApiModel):
    """Give a value to the rows that miss one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("(self.strategy == 'Constant') == has(self.value)", "value goes with strategy Constant alone")
        )
    )

    columns: Columns
    """Columns to fill."""
    strategy: FillStrategy
    """What a missing value becomes."""
    value: Annotated[str, Field(max_length=256)] | None = None
    """The constant, as text."""

    @model_validator(mode="after")
    def _value_with_constant(self) -> FillMissing:
        if (self.strategy is FillStrategy.CONSTANT) != (self.value is not None):
            raise ValueError("value goes with strategy Constant alone")
        return self


class Select(ApiModel):
    """Keep these columns, in this order. The key is always kept."""

    columns: Annotated[list[ColumnName], Field(min_length=1, max_length=1000)]
    """Columns to keep."""


class Renaming(ApiModel):
    """A column's old and new name."""

    from_: Annotated[ColumnName, Field(alias="from")]
    """Name so far."""
    to: ColumnName
    """Name from here on."""


class Rename(ApiModel):
    """Give columns other names, all at once. The key keeps its names."""

    columns: Annotated[list[Renaming], Field(min_length=1, max_length=1000)]
    """Columns and their new names."""


class OnMisfit(StrEnum):
    """What becomes of a value that the new type cannot hold."""

    FAIL = "Fail"
    """The variant is not built."""
    NULL = "Null"
    """It is missing from here on."""


class Cast(ApiModel):
    """Turn columns into another type."""

    columns: Columns
    """Columns to turn."""
    to: ColumnType
    """Their new type."""
    on_misfit: OnMisfit = OnMisfit.FAIL
    """What becomes of a value that the new type cannot hold, such as 1.5 as Integer."""


class Sample(ApiModel):
    """Keep a share of the rows, drawn by hash of seed and key: a smaller share is part of a larger one."""

    percent: Percent
    """Share of the rows that stay, on average."""
    seed: Seed = 0
    """Seed of the hash."""


class TextOperation(StrEnum):
    """A change to a text."""

    NFC = "NFC"
    """Unicode's composed form: letter and accent in one."""
    NFKC = "NFKC"
    """Composed form without differences of looks, such as of ligatures and full-width letters."""
    LOWER = "Lower"
    """Small letters."""
    REMOVE_PUNCTUATION = "RemovePunctuation"
    """Punctuation is removed: that of Unicode, and ``$+<=>^`` with grave accent, bar and tilde."""
    COLLAPSE_WHITESPACE = "CollapseWhitespace"
    """White space within becomes one blank each."""
    STRIP = "Strip"
    """White space around is removed."""


class Text(ApiModel):
    """Normalise texts. A missing text stays missing."""

    columns: Columns
    """Text columns."""
    operations: Annotated[list[TextOperation], Field(min_length=1, max_length=10)]
    """What is done, in this order."""
