"""Metadata of a resource, as far as it can be wrong in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard_api.v1alpha1.common import Json
from modelyard_cli.validation.faults import Fault, shown, type_name

_FIELDS = frozenset(
    {
        *("name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers"),
        *("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"),
        *("deletionGracePeriodSeconds", "selfLink", "managedFields"),
    }
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def metadata_faults(metadata: Json) -> Iterator[Fault]:
    """What is wrong with names, labels and annotations."""
    if not isinstance(metadata, dict):
        yield Fault("metadata", "Required value: a name is needed")
        return
    for name in metadata:
        if name not in _FIELDS:
            yield Fault(f"metadata.{name}", f'unknown field "metadata.{name}"')
    yield from _name(metadata)
    for field in ("labels", "annotations"):
        entries = metadata.get(field) or {}
        if not isinstance(entries, dict):
            yield Fault(f"metadata.{field}", f"must be a map, not {type_name(entries)}")
            continue
        for key, value in entries.items():
            if not isinstance(value, str):
                words = f"must be a string, not {type_name(value)} {shown(value)}: put it in quotes"
                yield Fault(f"metadata.{field}.{key}", words)


def _name(metadata: dict[str, Json]) -> Iterator[Fault]:
    name = metadata.get("name")
    if name is None or name == "":
        if not metadata.get("generateName"):
            yield Fault("metadata.name", "Required value: name or generateName is required")
    elif not isinstance(name, str):
        yield Fault(
            "metadata.name", f"must be a string, not {type_name(name)} {shown(name)}: put it in quotes"
        )
    elif not _SUBDOMAIN.fullmatch(name):
        yield Fault("metadata.name", f"Invalid value: {shown(name)}: {_SUBDOMAIN_WORDS}")
