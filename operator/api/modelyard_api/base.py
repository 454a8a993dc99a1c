"""What all models of the API share: spelling, strictness and the way CEL rules are attached.

A rule is written beside the field or the model that it judges; the generator in ``crd`` copies it into the
CustomResourceDefinition, so that the API server and these models can never disagree about where it stands.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

RULES_KEY = "x-kubernetes-validations"
STORED_DEFAULT_KEY = "x-modelyard-stored-default"
"""Marks a default that the API server shall write into the object, so that everyone who reads it sees it."""


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """JSON schema extension holding CEL rules, each a pair of expression and message."""
    return {RULES_KEY: [{"rule": rule, "message": message} for rule, message in pairs]}


def immutable(kind: str, *fields: str) -> dict[str, Any]:
    """Rules of a spec by which these fields stay as they were made, those that were left out included."""
    return rules(*((_unchanged(field), f"{field} is immutable: make a new {kind}") for field in fields))


def also(schema: dict[str, Any], *pairs: tuple[str, str]) -> dict[str, Any]:
    """The schema extension with more CEL rules."""
    return {RULES_KEY: [*schema[RULES_KEY], *rules(*pairs)[RULES_KEY]]}


def _unchanged(field: str) -> str:
    now, before = f"self.{field}", f"oldSelf.{field}"
    return f"has({now}) == has({before}) && (!has({now}) || {now} == {before})"


class ApiModel(BaseModel):
    """Immutable, camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that Kubernetes or a pod sees: camelCase, unset fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OneOf(ApiModel):
    """A union by key: exactly one member is set, as Kubernetes does it (``source: {builtin: {...}}``)."""

    @classmethod
    def members(cls) -> tuple[str, ...]:
        """Names of the members on the wire, in order of declaration."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core_schema)
        resolved: dict[str, Any] = handler.resolve_ref_schema(schema)
        names = cls.members()
        count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
        resolved[RULES_KEY] = [
            {"rule": f"{count} == 1", "message": f"exactly one of {', '.join(names)} must be set"}
        ]
        return schema

    @model_validator(mode="after")
    def _exactly_one(self) -> OneOf:
        names = type(self).members()
        given = sum(getattr(self, name) is not None for name in self.model_fields_set)
        if given != 1 or len(self.model_fields_set) != 1:
            raise ValueError(f"exactly one of {', '.join(names)} must be set, {given} are")
        return self

    @property
    def chosen(self) -> str:
        """Python name of the member that is set."""
        return next(iter(self.model_fields_set))


class StatusModel(ApiModel):
    """Status as read back: fields of a newer version are tolerated, since status is output and never judged."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
