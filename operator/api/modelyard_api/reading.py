"""What is wrong with a spec that does not fit its model, in the words that conditions and the command line use."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_FAULTS_SHOWN = 5


def explain(error: ValidationError) -> str:
    """The first faults, each with field and value, one after the other."""
    faults = error.errors(include_url=False, include_context=False)
    return "; ".join(_sentence(fault) for fault in faults[:_FAULTS_SHOWN])


def _sentence(fault: ErrorDetails) -> str:
    """Field, fault and value; a check of a whole model names the field itself."""
    message = fault["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in fault["loc"])
    if not place:
        return f"spec.{message}"
    value = "" if isinstance(fault["input"], dict) else f" (is {fault['input']!r:.100})"
    return f"spec.{place}: {message}{value}"
