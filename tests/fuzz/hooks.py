"""Loaded by schemathesis: bodies that are meant to be right get lengths that agree."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.hooks import HookContext

from tests.fuzz.fitting import fitted


@schemathesis.hook
def before_call(context: HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """A request about to be sent; one that is meant to be wrong goes as it is."""
    del context, kwargs
    if case.meta is not None and case.meta.generation.mode.is_positive and isinstance(case.body, dict):
        case.body = fitted(case.path, case.body)
