"""How a model's inputs and answers were distributed when it was made: what a server compares its traffic with.

Bins and their counts, and not rows, so that a bundle stays small.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from modelyard_api.base import StatusModel

OUTPUT = "prediction"
"""Name of the output in metrics and in the drift of a status; a feature is named by its column."""


class Measure(StrEnum):
    """What is counted of a value."""

    VALUE = "Value"
    """The number itself."""
    LENGTH = "Length"
    """Characters of a text that is hardly ever the same twice."""
    CATEGORY = "Category"
    """Which of a few texts or labels it is."""


class Histogram(StatusModel):
    """Counts by bin of one quantity.

    By ``edges``: bin i holds values above edge i-1 up to and including edge i, the first all below, the last all above.
    By ``categories``: one bin each, then one for any other. The last of ``counts`` is of missing values in both cases.
    """

    name: str
    measure: Measure
    edges: Annotated[list[float], Field(max_length=256)] = []
    """Inner edges, ascending; none for categories."""
    categories: Annotated[list[str], Field(max_length=1024)] = []
    """As texts; a whole number without a point, ``true`` and ``false``."""
    counts: list[int]

    @model_validator(mode="after")
    def _as_many_counts_as_bins(self) -> Histogram:
        bins = len(self.categories if self.measure is Measure.CATEGORY else self.edges) + 2
        if len(self.counts) != bins or min(self.counts) < 0:
            raise ValueError(f"{self.name}: {bins} counts from 0 upwards are needed, one a bin")
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError(f"{self.name}: edges must ascend")
        return self

    @property
    def rows(self) -> int:
        """Rows that were counted."""
        return sum(self.counts)


class Reference(StatusModel):
    """``reference.json`` of a bundle."""

    schema_version: int = 1
    features: list[Histogram]
    """One for each input of the bundle, in their order, of the training part."""
    output: Histogram
    """Of answers to the test part: a model answers rows that it was fitted on otherwise than any others."""


def category_text(value: object) -> str:
    """A label or text as ``Histogram.categories`` and the prediction log spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
