"""The Secret of a source: one file a key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelyard_runtime.errors import InvalidSpecError


@dataclass(frozen=True)
class SourceSecret:
    """Keys of the Secret that ``field`` of the spec names."""

    directory: Path
    field: str
    name: str

    def optional(self, key: str) -> str | None:
        """Value of a key, None where the Secret does not have it."""
        try:
            return (self.directory / key).read_text(encoding="utf-8").rstrip("\r\n")
        except FileNotFoundError:
            return None

    def required(self, key: str) -> str:
        """Value of a key. Raises InvalidSpecError where it is missing or empty."""
        value = self.optional(key)
        if not value:
            missing = "is empty" if value is not None else "is not in the Secret, or there is no such Secret"
            raise InvalidSpecError(
                f"the key {key} {missing}",
                field=self.field,
                value=self.name,
                remedy=f"make the Secret {self.name} in the namespace of the Dataset, with the key {key}",
            )
        return value

    def refused(self, where: str, what: str = "") -> InvalidSpecError:
        """The error for credentials that a server does not take."""
        return InvalidSpecError(
            f"{where} refuses the credentials{f' ({what})' if what else ''}",
            field=self.field,
            value=self.name,
            remedy=f"put keys that are valid into the Secret {self.name}, then ask for the load again",
        )
