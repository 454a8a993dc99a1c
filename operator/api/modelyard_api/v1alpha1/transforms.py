"""Transforms of a variant: declared here, compiled to one DuckDB query by the loader. One-of by key."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel, OneOf, rules
from modelyard_api.v1alpha1.common import ColumnName, DecimalString

Expression = Annotated[str, Field(min_length=1, max_length=1024)]


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

    Intervals are closed on the right, as in pandas.cut; a value outside all of them gives null.
    """

    column: ColumnName
    """Numeric column to look at."""
    into: ColumnName
    """Name of the new column."""
    edges: Annotated[list[DecimalString], Field(min_length=2, max_length=100)]
    """Borders of the intervals, ascending."""
    open_ended: bool = False
    """True adds a last interval above the highest edge."""


class DropMissing(ApiModel):
    """Drop the rows that miss a value."""

    columns: Annotated[list[ColumnName], Field(max_length=1000)] = []
    """Columns to look at; all if empty."""


class Select(ApiModel):
    """Keep these columns, in this order. The key is always kept."""

    columns: Annotated[list[ColumnName], Field(min_length=1, max_length=1000)]
    """Columns to keep."""


class Transform(OneOf):
    """One step of a variant."""

    filter: Filter | None = None
    """Keep the rows for which a condition is true."""
    derive: Derive | None = None
    """Add a computed column."""
    bin: Bin | None = None
    """Add the number of the interval of a value."""
    drop_missing: DropMissing | None = None
    """Drop rows that miss a value."""
    select: Select | None = None
    """Keep some columns."""


class Variant(ApiModel):
    """A declarative version of the data; ``from`` names an earlier one, else the loaded rows."""

    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=30)]
    """Name by which training refers to it."""
    from_: Annotated[str | None, Field(alias="from", max_length=30)] = None
    """Earlier variant that this one starts from."""
    transforms: Annotated[list[Transform], Field(max_length=50)] = []
    """Steps in order."""


VARIANT_RULES = rules(
    (
        "self.all(v, self.exists_one(w, w.name == v.name))",
        "names of variants must be unique",
    ),
    (
        "self.all(v, !has(v.from) || self.exists(w, w.name == v.from))",
        "from must name another variant of the list",
    ),
    (
        "self.all(v, !has(v.from) || v.from != v.name)",
        "a variant cannot start from itself",
    ),
)
