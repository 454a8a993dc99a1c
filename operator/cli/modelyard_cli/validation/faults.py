"""A fault of a resource, and values in the spelling of the API server's messages."""

from __future__ import annotations

import json
from dataclasses import dataclass

from modelyard_api.v1alpha1.common import Json

NOT_CHECKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    field: str
    """Path of the field; empty where it is about the whole resource."""
    message: str
    blocking: bool = False
    """Whether the API server looks no further at rules that span fields."""

    def sentence(self) -> str:
        """Field and fault."""
        return f"{self.field}: {self.message}" if self.field else self.message


def type_name(value: Json) -> str:
    """The type of a value in JSON schemas."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def shown(value: Json) -> str:
    """A value within a message."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def child(path: str, name: str) -> str:
    """Path of a field of an object."""
    return f"{path}.{name}" if path else name
