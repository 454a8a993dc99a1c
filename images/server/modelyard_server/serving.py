"""What is being served: the champion, the version before it, and who is who. Replaced whole, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from http import HTTPStatus

from modelyard_api.contract.route import Route, RoutedModel
from modelyard_server.errors import Header, RequestError
from modelyard_server.metrics import ModelMetrics
from modelyard_server.models.loading import LoadedModel


class Role(StrEnum):
    """Why a version is held."""

    CHAMPION = "champion"
    PREVIOUS = "previous"


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A loaded version under the name that clients know."""

    name: str
    role: Role
    routed: RoutedModel
    model: LoadedModel
    metrics: ModelMetrics

    @property
    def version(self) -> str:
        """Version in the registry."""
        return self.routed.version

    @cached_property
    def header(self) -> Header:
        """Tells with every answer which version gave it."""
        return (b"x-modelyard-model-version", self.version.encode("latin-1", "replace"))


@dataclass(frozen=True)
class Serving:
    """A route that is loaded and warm."""

    route: Route
    champion: ServedModel
    previous: ServedModel | None = None

    @property
    def held(self) -> tuple[ServedModel, ...]:
        """All versions, the champion first."""
        return (self.champion,) if self.previous is None else (self.champion, self.previous)

    @property
    def versions(self) -> list[str]:
        """Versions that may be asked for."""
        return [served.version for served in self.held]

    def find(self, name: str | None, version: str | None) -> ServedModel:
        """The version that is asked for, the champion where none is. Raises RequestError 404."""
        if name is not None and name != self.champion.name:
            raise RequestError(
                f'model "{name[:80]}" is not served here, "{self.champion.name}" is', HTTPStatus.NOT_FOUND
            )
        if version is None:
            return self.champion
        for served in self.held:
            if served.version == version:
                return served
        raise RequestError(
            f'version "{version[:20]}" of model "{self.champion.name}" is not served here, '
            f"{' and '.join(self.versions)} {'are' if len(self.held) > 1 else 'is'}",
            HTTPStatus.NOT_FOUND,
        )
