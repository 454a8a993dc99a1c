"""``--set path=value``: changes to a resource on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import yaml

from modelyard_api.digests import canonical_digest
from modelyard_api.labels import NAME_LIMIT
from modelyard_cli.errors import CommandError
from modelyard_cli.objects import Document

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_HASH_LENGTH = 8


def change(document: Document, settings: Sequence[str]) -> Document:
    """A copy with fields of the spec set. Raises CommandError for a setting that leads nowhere.

    A path names fields with dots and items with numbers in brackets, from the spec on; a value is YAML.
    """
    changed = deepcopy(document)
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise CommandError(
                f"--set {setting} is not PATH=VALUE", "For example pipeline.estimator.params.alpha=0.5"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise CommandError(f"--set {setting}: the value is no YAML: {error}") from error
        _put(changed.setdefault("spec", {}), _parts(path.removeprefix("spec.")), value, setting)
    return changed


def name_for(document: Document) -> str:
    """A name that follows from what is asked for, so that the same settings are the same resource."""
    digest = canonical_digest(document["spec"]).removeprefix("sha256:")[:_HASH_LENGTH]
    name = str(document["metadata"].get("name") or document["kind"].lower())
    return f"{name[: NAME_LIMIT - _HASH_LENGTH - 1]}-{digest}"


def _parts(path: str) -> list[str | int]:
    parts: list[str | int] = []
    place = 0
    while place < len(path):
        found = _PART.match(path, place)
        if found is None:
            raise CommandError(
                f"{path} is no path", "Name fields with dots and items in brackets, such as a.b[0].c"
            )
        parts.append(found[1] if found[1] is not None else int(found[2]))
        place = found.end() + (path[found.end() : found.end() + 1] == ".")
    return parts


def _put(place: Any, parts: Sequence[str | int], value: object, setting: str) -> None:  # noqa: ANN401  JSON
    *way, last = parts
    for position, part in enumerate(way):
        following: object = [] if isinstance(parts[position + 1], int) else {}
        place = _step(place, part, following, setting)
    if isinstance(last, int):
        _step(place, last, value, setting)
        place[last] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise CommandError(f"--set {setting}: {last} is no field of what is there")


def _step(place: Any, part: str | int, following: object, setting: str) -> Any:  # noqa: ANN401  JSON
    if isinstance(part, int):
        if not isinstance(place, list) or part > len(place):
            raise CommandError(f"--set {setting}: there is no item {part}")
        if part == len(place):
            place.append(following)
        return place[part]
    if not isinstance(place, dict):
        raise CommandError(f"--set {setting}: {part} is no field of what is there")
    if place.get(part) is None:
        place[part] = following
    return place[part]
