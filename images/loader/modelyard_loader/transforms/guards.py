"""Checks that a query makes of the rows as it runs: the first row that breaks one ends it with a message for people."""

from __future__ import annotations

from sqlglot import exp

from modelyard_runtime.errors import DataError

_MARK = "\x1f"
_FIELDS = 4


def refusal(problem: str, *, field: str, remedy: str, value: exp.Expr | None = None) -> exp.Expr:
    """An expression that raises when it is evaluated. Engines do not fold it away, since the message is computed."""
    shown = exp.cast(value, exp.DType.TEXT) if value is not None else exp.Literal.string("")
    head = exp.Literal.string(_MARK.join(["", problem, field, remedy, ""]))
    known = exp.Coalesce(this=shown, expressions=[exp.Literal.string("")])
    return exp.Anonymous(this="error", expressions=[exp.DPipe(this=head, expression=known)])


def unless(broken: exp.Expr, problem: exp.Expr) -> exp.Case:
    """A condition that is always true, or raises where ``broken`` is."""
    return exp.Case().when(broken, exp.cast(problem, exp.DType.BOOLEAN)).else_(exp.true())


def refused(message: str) -> DataError | None:
    """The error that a guard raised, found in the engine's message; None if it was not a guard."""
    parts = message.split(_MARK)
    if len(parts) <= _FIELDS:
        return None
    _, problem, field, remedy, value, *rest = parts
    whole = _MARK.join([value, *rest])
    return DataError(problem, field=field, value=whole or None, remedy=remedy)
