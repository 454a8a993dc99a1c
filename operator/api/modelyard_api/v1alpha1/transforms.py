"""Transforms of a variant: declared here, compiled to one DuckDB query by the loader. One-of by key."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel, OneOf, rules
from modelyard_api.v1alpha1.transform_rows import (
    Bin,
    Cast,
    Derive,
    DropMissing,
    FillMissing,
    Filter,
    Rename,
    Sample,
    Select,
    Text,
)
from modelyard_api.v1alpha1.transform_tables import (
    Aggregate,
    Balance,
    Dedupe,
    Join,
    Sort,
    Sql,
    VariantName,
)


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
    fill_missing: FillMissing | None = None
    """Give a value to rows that miss one."""
    select: Select | None = None
    """Keep some columns."""
    rename: Rename | None = None
    """Give columns other names."""
    cast: Cast | None = None
    """Turn columns into another type."""
    dedupe: Dedupe | None = None
    """Keep one row of those that have the same values."""
    sort: Sort | None = None
    """Add the place of the row in an order."""
    sample: Sample | None = None
    """Keep a share of the rows."""
    balance: Balance | None = None
    """Make the classes of the training part equally large."""
    join: Join | None = None
    """Add columns of another variant."""
    aggregate: Aggregate | None = None
    """One row for each group of rows."""
    text: Text | None = None
    """Normalise texts."""
    sql: Sql | None = None
    """What a SELECT answers."""


class Variant(ApiModel):
    """A declarative version of the data; ``from`` names an earlier one, else the loaded rows."""

    name: VariantName
    """Name by which training refers to it."""
    from_: Annotated[str | None, Field(alias="from", max_length=30)] = None
    """Earlier variant that this one starts from."""
    transforms: Annotated[list[Transform], Field(max_length=50)] = []
    """Steps in order."""

    @property
    def joined(self) -> list[str]:
        """Names of the variants that it takes columns of, in order of use."""
        return [transform.join.variant for transform in self.transforms if transform.join is not None]


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
        (
            "self.all(v, !has(v.transforms) || v.transforms.all(t, !has(t.join) || "
            "(t.join.variant != v.name && self.exists(w, w.name == t.join.variant))))"
        ),
        "join must name another variant of the list",
    ),
    (
        "self.all(v, !has(v.from) || v.from != v.name)",
        "a variant cannot start from itself",
    ),
)
