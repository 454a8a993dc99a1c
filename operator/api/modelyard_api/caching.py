"""When two TrainingJobs ask for the same result, and by what they differ where they do not.

Everything that the result follows from is one flat document, the ingredients: path → value as canonical JSON, so that
``1``, ``"1"`` and ``1.0`` are three values. Its digest is the key. What a spec says of where and how its pod runs is left
out by name, so that a field that is added later counts until somebody decides otherwise.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from modelyard_api.digests import canonical_digest, canonical_json
from modelyard_api.v1alpha1.common import JobOptions, Quantity, ResourceRequirements
from modelyard_api.v1alpha1.own_container import EnvironmentVariable, OwnContainer
from modelyard_api.v1alpha1.training_job import DatasetVersion, LearningSpec

KEY_SCHEMA = "1"
"""Counted up where the same ingredients come to mean another result: every earlier run then misses, for that reason."""
TEXT_LIMIT = 5000
"""Characters of packed ingredients at most: a tag of MLflow holds a little more."""

Ingredients = dict[str, str]

_WHERE_AND_HOW = frozenset(
    {*JobOptions.model_fields, "dataset_ref", "ttl_seconds_after_finished", "cache_policy"}
)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_CONTENT_TAG = re.compile(r":[^/:@]*-[0-9a-f]{12,64}$")
_GROUPED = "grouped"
_HASH_LENGTH = 12


@dataclass(frozen=True)
class Surroundings:
    """What a result follows from besides spec and data."""

    image: str
    """Image of the trainer as it is asked for."""
    resources: ResourceRequirements
    """Of a pod whose spec asks for none."""
    libraries: Mapping[str, str]
    """Library → version in the trainer."""


def unknown_ingredient(
    spec: LearningSpec, data: DatasetVersion | None, surroundings: Surroundings
) -> str | None:
    """The ingredient that nobody knows for certain before the pod runs, in words; None where all are known."""
    if spec.tuning is not None and spec.tuning.warm_start is not None:
        return "tuning.warmStart begins with trials of a job, which may be others another time"
    if spec.container is not None and (unknown := _unknown_of(spec.container, spec.environment)):
        return unknown
    if data is None:
        return "datasetRef pins a version that the trainer looks up"
    if data.split is None:
        return "the Dataset does not say by which split the version was published"
    if not is_pinned(surroundings.image):
        return (
            f"the trainer's image {surroundings.image} is named by a tag that may come to mean another image"
        )
    return None


def _unknown_of(container: OwnContainer, environment: Sequence[EnvironmentVariable]) -> str | None:
    if not is_pinned(container.image):
        return f"container.image {container.image} is named by a tag that may come to mean another image"
    secret = next((item for item in environment if item.secret is not None), None)
    return None if secret is None else f"environment {secret.name} is what a Secret holds at the time"


def is_pinned(image: str) -> bool:
    """Whether a name always means the same image: by digest, or by a tag that ends in the digest of its content."""
    return bool(_DIGEST.search(image) or _CONTENT_TAG.search(image))


def ingredients_of(spec: LearningSpec, data: DatasetVersion, surroundings: Surroundings) -> Ingredients:
    """All that the result follows from. The data count by their content: not by name, load or time."""
    # A pipeline has no environment: its key stays that of a release before there were containers.
    left_out = _WHERE_AND_HOW if spec.environment else _WHERE_AND_HOW | {"environment"}
    asked = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(left_out))
    document = {
        "keySchema": KEY_SCHEMA,
        **asked,
        "data": {"digest": data.digest, "split": data.split},
        "image": surroundings.image,
        "libraries": dict(surroundings.libraries),
        "threads": threads_of(spec.resources or surroundings.resources),
    }
    return dict(_leaves("", document))


def key_of(ingredients: Ingredients) -> str:
    """``sha256:<hex>`` of the ingredients."""
    return canonical_digest(ingredients)


def threads_of(resources: ResourceRequirements) -> str:
    """Threads that the trainer takes under these limits: whole CPUs, at least one; ``node`` for all of the node."""
    limit = resources.limits.get("cpu")
    return "node" if limit is None else str(max(1, int(_cpus(limit))))


def _cpus(quantity: Quantity) -> Decimal:
    text = str(quantity)
    try:
        return Decimal(text[:-1]) / 1000 if text.endswith("m") else Decimal(text)
    except InvalidOperation:
        # The API server refuses it with the Job; until then it means itself.
        return Decimal(1)


def differences(now: Ingredients, before: Ingredients) -> list[str]:
    """Paths by which two lots of ingredients differ; a part that only one of them has is named once, as a whole."""
    if _is_grouped(now) or _is_grouped(before):
        now, before = _grouped(now), _grouped(before)
    found: dict[str, None] = {}
    for path in sorted(now.keys() | before.keys()):
        if path in now and path in before:
            if now[path] != before[path]:
                found[path] = None
        else:
            found[_whole(path, before if path in now else now)] = None
    return list(found)


def pack(ingredients: Ingredients) -> str:
    """The ingredients as short text; where they are too many, one digest for each field of the spec."""
    text = _packed(ingredients)
    return text if len(text) <= TEXT_LIMIT else _packed(_grouped(ingredients))


def unpack(text: str) -> Ingredients | None:
    """The ingredients that were packed; None for anything else."""
    try:
        found = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except (binascii.Error, zlib.error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _packed(ingredients: Ingredients) -> str:
    return base64.b64encode(zlib.compress(canonical_json(ingredients), 9)).decode()


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Every scalar by its path. Something empty is a value of its own: no parameters are not no estimator."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(f"{path}[{number}]", inner)
    else:
        yield path, canonical_json(value).decode()


def _whole(path: str, other: Ingredients) -> str:
    """The outermost part on the way to a path that the other does not have at all."""
    ends = [match.start() for match in re.finditer(r"[.\[]", path)] + [len(path)]
    for end in ends:
        part = path[:end]
        if part in other or not any(each.startswith((f"{part}.", f"{part}[")) for each in other):
            return part
    return path


def _is_grouped(ingredients: Ingredients) -> bool:
    return _GROUPED in ingredients


def _grouped(ingredients: Ingredients) -> Ingredients:
    if _is_grouped(ingredients):
        return ingredients
    fields: dict[str, Ingredients] = {}
    for path, value in ingredients.items():
        fields.setdefault(re.split(r"[.\[]", path, maxsplit=1)[0], {})[path] = value
    digests = {
        field: canonical_digest(leaves).removeprefix("sha256:")[:_HASH_LENGTH]
        for field, leaves in fields.items()
    }
    return {**digests, _GROUPED: "true"}
