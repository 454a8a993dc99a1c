"""Rules about the data, named as in the Open Data Contract Standard 3.1 (quality of type ``library`` and ``sql``)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel
from modelyard_api.v1alpha1.common import ColumnName, DecimalString


class RuleName(StrEnum):
    """What is counted."""

    NULL_VALUES = "nullValues"
    """Rows whose value is null."""
    MISSING_VALUES = "missingValues"
    """Rows whose value is null, NaN, an empty text or one of ``missingValues``."""
    INVALID_VALUES = "invalidValues"
    """Rows whose value is not among ``validValues`` or does not match ``pattern``."""
    DUPLICATE_VALUES = "duplicateValues"
    """Rows whose values occurred in an earlier row."""
    ROW_COUNT = "rowCount"
    """All rows."""
    RANGE = "range"
    """Rows whose value is below ``min`` or above ``max``."""
    SQL = "sql"
    """The one number that ``query`` answers, over the table ``rows``."""


class Severity(StrEnum):
    """What a broken rule does."""

    ERROR = "Error"
    """The version is not published; the last good one stays."""
    WARNING = "Warning"
    """It is reported."""


class Unit(StrEnum):
    """What a count is compared as."""

    ROWS = "rows"
    PERCENT = "percent"


class Rule(ApiModel):
    """A statement about the data. Without a comparison the count must be 0, and ``rowCount`` more than 0."""

    rule: RuleName
    """What is counted."""
    name: Annotated[str, Field(max_length=63)] | None = None
    """Name in reports; made of the rule and its columns if unset."""
    variant: Annotated[str, Field(max_length=30)] | None = None
    """Variant that the rule is about; the first if unset."""
    column: ColumnName | None = None
    """Column that is looked at."""
    columns: Annotated[list[ColumnName], Field(max_length=16)] = []
    """Columns that are looked at together, for ``duplicateValues``."""
    must_be: DecimalString | None = None
    """The count is this number."""
    must_not_be: DecimalString | None = None
    """The count is not this number."""
    must_be_greater_than: DecimalString | None = None
    """The count is greater."""
    must_be_greater_or_equal_to: DecimalString | None = None
    """The count is greater or equal."""
    must_be_less_than: DecimalString | None = None
    """The count is less."""
    must_be_less_or_equal_to: DecimalString | None = None
    """The count is less or equal."""
    must_be_between: Annotated[list[DecimalString], Field(min_length=2, max_length=2)] | None = None
    """The count is between these two, both included."""
    unit: Unit = Unit.ROWS
    """Whether rows or their share in percent are compared."""
    min: DecimalString | None = None
    """Least value for ``range``."""
    max: DecimalString | None = None
    """Greatest value for ``range``."""
    valid_values: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=1000)] = []
    """Values that ``invalidValues`` allows."""
    pattern: Annotated[str, Field(max_length=512)] | None = None
    """Regular expression (RE2) that whole values must match, for ``invalidValues``."""
    missing_values: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=100)] = []
    """Texts that ``missingValues`` counts too."""
    query: Annotated[str, Field(max_length=4096)] | None = None
    """SELECT of one number over the table ``rows``, for ``sql``."""
    severity: Severity = Severity.ERROR
    """What a broken rule does."""
