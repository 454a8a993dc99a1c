"""The registry of rules: each name and the function that checks and compiles it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelyard_api.v1alpha1.validation import Rule, RuleName
from modelyard_loader.validation.counting import Count, Place
from modelyard_loader.validation.counts import duplicate_values, row_count
from modelyard_loader.validation.query import query_answer
from modelyard_loader.validation.values import invalid_values, missing_values, null_values, out_of_range

KINDS: Mapping[RuleName, Callable[[Rule, Place], Count]] = {
    RuleName.NULL_VALUES: null_values,
    RuleName.MISSING_VALUES: missing_values,
    RuleName.INVALID_VALUES: invalid_values,
    RuleName.DUPLICATE_VALUES: duplicate_values,
    RuleName.ROW_COUNT: row_count,
    RuleName.RANGE: out_of_range,
    RuleName.SQL: query_answer,
}
"""Each raises InvalidSpecError with the field of the rule that does not fit the columns."""
