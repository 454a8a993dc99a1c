"""CEL rules of a schema, evaluated as the API server does on a resource that is new."""

from __future__ import annotations

from collections.abc import Iterator

import cel

from modelyard_api.base import RULES_KEY
from modelyard_api.crd.schema import Schema
from modelyard_api.v1alpha1.common import Json
from modelyard_cli.validation.faults import Fault, child, shown, type_name

_BEFORE = "oldSelf"
_NO_NUMBER = "type conversion error from 'string' to 'double'"


def broken_rules(value: Json, schema: Schema, path: str = "") -> Iterator[Fault]:
    """A fault for every rule that does not hold; rules about changes are about resources that exist."""
    for rule in schema.get(RULES_KEY, []):
        if _BEFORE not in rule["rule"]:
            yield from _judge(value, rule["rule"], rule["message"], path)
    if isinstance(value, dict):
        others = schema.get("additionalProperties")
        for name, item in value.items():
            known = schema.get("properties", {}).get(name, others)
            if known is not None:
                yield from broken_rules(item, known, child(path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from broken_rules(item, schema.get("items", {}), f"{path}[{number}]")


def _judge(value: Json, rule: str, message: str, path: str) -> Iterator[Fault]:
    given = "" if isinstance(value, (dict, list)) else f"{shown(value)}: "
    try:
        holds = cel.evaluate(rule, {"self": value})
    except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        yield Fault(path, f'Invalid value: "{type_name(value)}": {_told(error)} evaluating rule: {message}')
        return
    if holds is not True:
        yield Fault(path, f"Invalid value: {given}{message}")


def _told(error: Exception) -> str:
    """The words of the API server's evaluator."""
    text = str(error)
    return _NO_NUMBER if "'double'" in text else text
