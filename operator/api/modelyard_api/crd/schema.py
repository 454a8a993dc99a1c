"""A pydantic model as a structural schema of Kubernetes (apiextensions/v1 JSONSchemaProps).

What differs: references are inlined, optional fields lose their ``null`` branch, titles go, and defaults go too, since
the API server would write them into stored objects and freeze them there; only a field that can never change anyway may
ask for that.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from modelyard_api.base import STORED_DEFAULT_KEY
from modelyard_api.crd.descriptions import add_descriptions

Schema = dict[str, Any]

_DROPPED = frozenset(
    {"title", "default", "$defs", "const", "examples", "additionalProperties", "propertyNames"}
)
_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"


def structural_schema(model: type[BaseModel]) -> Schema:
    """The schema of ``model`` by its names on the wire, self-contained."""
    raw = model.model_json_schema(by_alias=True)
    add_descriptions(model, raw)
    return _convert(raw, raw.get("$defs", {}))


def _convert(node: Schema, definitions: Schema) -> Schema:
    node = _resolve(node, definitions)
    if node.get(_INT_OR_STRING) or node.get(_PRESERVE):
        return {key: value for key, value in node.items() if key not in _DROPPED}
    result = {
        key: value
        for key, value in node.items()
        if key not in _DROPPED and key not in {"properties", "items", "anyOf", "allOf", STORED_DEFAULT_KEY}
    }
    if STORED_DEFAULT_KEY in node:
        result["default"] = node[STORED_DEFAULT_KEY]
    if "const" in node:
        result["enum"] = [node["const"]]
    if "properties" in node:
        result["properties"] = {
            name: _convert(child, definitions) for name, child in node["properties"].items()
        }
    elif result.get("type") == "object":
        _convert_map(node, result, definitions)
    if "items" in node:
        result["items"] = _convert(node["items"], definitions)
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    return result


def _convert_map(node: Schema, result: Schema, definitions: Schema) -> None:
    values = node.get("additionalProperties")
    if isinstance(values, dict):
        child = _convert(values, definitions)
        result["additionalProperties"] = child
    elif not result.get(_PRESERVE):
        result["properties"] = {}


def _resolve(node: Schema, definitions: Schema) -> Schema:
    """Follow references and fold ``T | None`` into T; what stands beside a reference wins over what it names."""
    merged = dict(node)
    for key in ("anyOf", "allOf"):
        if key in merged and not merged.get(_INT_OR_STRING):
            branches = [branch for branch in merged.pop(key) if branch.get("type") != "null"]
            if len(branches) != 1:
                raise ValueError(
                    f"a field has {len(branches)} types, a structural schema knows one: {branches}"
                )
            merged = {**branches[0], **merged}
            return _resolve(merged, definitions)
    if "$ref" in merged:
        target = definitions[merged.pop("$ref").rsplit("/", 1)[1]]
        rules_key = "x-kubernetes-validations"
        both = [*target.get(rules_key, []), *merged.get(rules_key, [])]
        merged = {**target, **merged}
        if both:
            merged[rules_key] = both
        return _resolve(merged, definitions)
    return merged
