"""Rules about rows: rowCount and duplicateValues."""

from __future__ import annotations

from sqlglot import exp

from modelyard_api.v1alpha1.validation import Rule
from modelyard_loader.transforms.relation import column_ref
from modelyard_loader.validation.counting import Count, Facts, Place, all_of, is_there, rows_where


def row_count(rule: Rule, place: Place) -> Count:  # noqa: ARG001  of the kind of all rules
    """All rows."""
    return Count(known=lambda facts: facts.rows)


def duplicate_values(rule: Rule, place: Place) -> Count:
    """Rows beyond the first of those that have the same values, where all of them are there."""
    field = "column" if rule.column else "columns"
    columns = [place.find(name, field) for name in rule.looked_at]
    names = tuple(dict.fromkeys(column.name for column in columns))
    given = all_of([is_there(column) for column in columns])
    held = [column_ref(name) for name in names]
    what = held[0] if len(held) == 1 else exp.Tuple(expressions=held)
    different = exp.Filter(
        this=exp.Count(this=exp.Distinct(expressions=[what])), expression=exp.Where(this=given.copy())
    )
    repeated = exp.Sub(this=rows_where(given), expression=different)

    def known(facts: Facts) -> int | None:  # noqa: ARG001  of the kind of Count.known
        # The key names each row once, and so do columns that hold it.
        return 0 if set(place.key) <= set(names) else None

    return Count(names, repeated, remembers=True, known=known)
