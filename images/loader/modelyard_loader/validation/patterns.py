"""Regular expressions of rules: RE2, which takes time in proportion to the text whatever the pattern is."""

from __future__ import annotations

from contextlib import closing

import pyarrow as pa
from sqlglot import exp

from modelyard_loader.transforms.engine import Engine, EngineError
from modelyard_loader.validation.counting import Place


def matches(text: exp.Expr, pattern: str) -> exp.Expr:
    """Condition that a whole text matches."""
    return exp.Anonymous(this="regexp_full_match", expressions=[text, exp.Literal.string(pattern)])


def check_pattern(pattern: str, place: Place) -> None:
    """Raises InvalidSpecError for a pattern that RE2 does not know."""
    with closing(Engine(pa.table({"text": pa.array([""])}))) as engine:
        try:
            engine.run(exp.select(matches(exp.Literal.string(""), pattern)))
        except EngineError as error:
            raise place.refuse(
                "pattern",
                pattern,
                f"is not a regular expression of RE2 ({error})",
                "correct it; RE2 has no backreferences and no look-around",
            ) from error
