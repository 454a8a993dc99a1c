"""Structural schemas as the API server judges by them: the same faults in the same words.

Only what the generated definitions use is known: types, required fields, enumerations, patterns, lengths and bounds. The
judgement of the API server is that of go-openapi; its words are those of Kubernetes' field errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from modelyard_api.crd.schema import Schema
from modelyard_api.v1alpha1.common import Json
from modelyard_cli.validation.faults import Fault, child, shown, type_name

_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"


def unknown_fields(value: Json, schema: Schema, path: str = "") -> Iterator[str]:
    """Paths of all fields that the schema does not have."""
    if schema.get(_PRESERVE):
        return
    if isinstance(value, Mapping):
        properties: Mapping[str, Schema] = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name, item in value.items():
            known = properties.get(name, others)
            if known is not None:
                yield from unknown_fields(item, known, child(path, name))
            else:
                yield child(path, name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from unknown_fields(item, schema.get("items", {}), f"{path}[{number}]")


def without_nulls(value: Json, schema: Schema) -> Json:
    """The value without fields that are null, which the API server takes as left out."""
    if schema.get(_PRESERVE):
        return value
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        return {
            name: without_nulls(item, properties.get(name, others))
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [without_nulls(item, schema.get("items", {})) for item in value]
    return value


def faults(value: Json, schema: Schema, path: str = "") -> Iterator[Fault]:
    """Everything that the schema does not allow."""
    yield from _type(value, schema, path)
    yield from _enumeration(value, schema, path)
    match value:
        case bool():
            pass
        case str():
            yield from _text(value, schema, path)
        case int() | float():
            yield from _number(value, schema, path)
        case list():
            yield from _list(value, schema, path)
        case dict():
            yield from _object(value, schema, path)


def _type(value: Json, schema: Schema, path: str) -> Iterator[Fault]:
    given = type_name(value)
    if schema.get(_INT_OR_STRING):
        wanted = ["integer", "string"]
    else:
        wanted = [schema["type"]] if "type" in schema else []
    whole = isinstance(value, float) and value.is_integer() and "integer" in wanted
    fits = not wanted or given in wanted or (given == "integer" and "number" in wanted) or whole
    if not fits:
        words = f'{path} in body must be of type {",".join(wanted)}: "{given}"'
        yield Fault(path, f'Invalid value: "{given}": {words}', blocking=True)
        if schema.get(_INT_OR_STRING):
            first = f'{path} in body must be of type integer: "{given}"'
            yield Fault(path, f'Invalid value: "{given}": {first}', blocking=True)
            yield Fault("", f'Invalid value: "": "{path}" must validate at least one schema (anyOf)')


def _enumeration(value: Json, schema: Schema, path: str) -> Iterator[Fault]:
    allowed: Sequence[Json] | None = schema.get("enum")
    if allowed is not None and value not in allowed:
        known = ", ".join(shown(item) for item in allowed)
        yield Fault(path, f"Unsupported value: {shown(value)}: supported values: {known}", blocking=True)


def _text(value: str, schema: Schema, path: str) -> Iterator[Fault]:
    least, most, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if most is not None and len(value) > most:
        yield Fault(path, f"Too long: may not be more than {_counted(most, 'byte')}", blocking=True)
    if least is not None and len(value) < least:
        yield _invalid(path, value, f"should be at least {least} chars long")
    if pattern is not None and re.search(_python(pattern), value) is None:
        yield _invalid(path, value, f"should match '{pattern}'")


def _number(value: float, schema: Schema, path: str) -> Iterator[Fault]:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if least is not None and value < least:
        yield _invalid(path, value, f"should be greater than or equal to {least}")
    if above is not None and value <= above:
        yield _invalid(path, value, f"should be greater than {above}")
    if most is not None and value > most:
        yield _invalid(path, value, f"should be less than or equal to {most}")
    if below is not None and value >= below:
        yield _invalid(path, value, f"should be less than {below}")


def _list(value: list[Json], schema: Schema, path: str) -> Iterator[Fault]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if most is not None and len(value) > most:
        yield Fault(
            path, f"Too many: {len(value)}: must have at most {_counted(most, 'item')}", blocking=True
        )
    if least is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} items")
    for number, item in enumerate(value):
        yield from faults(item, schema.get("items", {}), f"{path}[{number}]")


def _object(value: dict[str, Json], schema: Schema, path: str) -> Iterator[Fault]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if most is not None and len(value) > most:
        yield Fault(
            path, f"Too many: {len(value)}: must have at most {_counted(most, 'item')}", blocking=True
        )
    if least is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} properties")
    for name in schema.get("required", []):
        if name not in value:
            yield Fault(child(path, name), "Required value", blocking=True)
    others = schema.get("additionalProperties")
    for name, item in value.items():
        known = properties.get(name, others)
        if known is not None:
            yield from faults(item, known, child(path, name))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _invalid(path: str, value: Json, words: str) -> Fault:
    return Fault(path, f"Invalid value: {shown(value)}: {path} in body {words}")


def _python(pattern: str) -> str:
    """Go's ``$`` is the very end of the text, Python's may stand before a last line break."""
    return f"{pattern[:-1]}\\Z" if pattern.endswith("$") and not pattern.endswith("\\$") else pattern
