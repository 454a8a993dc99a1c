"""Own code in the place of a pipeline: an image, and the variables that its container gets."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from modelyard_api.base import ApiModel, rules

Word = Annotated[str, Field(max_length=4096)]


class OwnContainer(ApiModel):
    """A container that trains a model by the contract of files in docs/containers.md."""

    image: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^\S+$")]
    """Image; named by its digest (``…@sha256:…``) it always means the same code, and only then is a result taken again."""
    command: Annotated[list[Word], Field(max_length=64)] = []
    """What is run; the image's entrypoint if empty, and then nobody can measure what it takes."""
    args: Annotated[list[Word], Field(max_length=64)] = []
    """Arguments of it; those of the image if empty and command is empty."""


class SecretKey(ApiModel):
    """A key of a Secret of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of the Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """Key in it."""


class EnvironmentVariable(ApiModel):
    """A variable of the container, with a value or with one that a Secret holds."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.value) != has(self.secret)", "exactly one of value, secret must be set"),
            ("!self.name.matches('^MODELYARD_')", "names that begin with MODELYARD_ are Modelyard's own"),
        )
    )

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", min_length=1, max_length=128)]
    """Name of the variable."""
    value: Word | None = None
    """The value."""
    secret: SecretKey | None = None
    """Where the value is, for one that nobody should read here."""
