"""The step that a pod was started for."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from modelyard_api.contract.steps import STEP_VARIABLE, Step
from modelyard_runtime.errors import InvalidSpecError

_REMEDY = "operator and image must be of the same release"


def read_step(environment: Mapping[str, str]) -> Step:
    """The step in ``MODELYARD_STEP``. Raises InvalidSpecError naming the first field that does not fit."""
    text = environment.get(STEP_VARIABLE)
    if not text:
        raise InvalidSpecError("is not set", field=STEP_VARIABLE, remedy=_REMEDY)
    try:
        return Step.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"]) or "document"
        value = first["input"] if isinstance(first["input"], str | int | float) else None
        raise InvalidSpecError(
            first["msg"], field=f"{STEP_VARIABLE}.{path}", value=value, remedy=_REMEDY
        ) from error
