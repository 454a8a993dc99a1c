"""One resource judged: first what the API server says, and where it has no objection what the operator says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import cast

from pydantic import ValidationError

from modelyard_api import GROUP, VERSION
from modelyard_api.crd.definition import KINDS, Kind, custom_resource_definition
from modelyard_api.crd.schema import Schema
from modelyard_api.judging import Spec, faults_of
from modelyard_api.reading import explain
from modelyard_api.v1alpha1.common import Json
from modelyard_cli.validation.faults import NOT_CHECKED, Fault
from modelyard_cli.validation.metadata import metadata_faults
from modelyard_cli.validation.rules import broken_rules
from modelyard_cli.validation.schema import faults, unknown_fields, without_nulls

API_VERSION = f"{GROUP}/{VERSION}"


@dataclass(frozen=True)
class Verdict:
    """What became of one resource."""

    kind: str
    name: str
    known: bool
    """Whether it is a kind of Modelyard at all; of others nothing is said."""
    faults: tuple[Fault, ...] = ()


def judge(content: object, now: datetime) -> Verdict:
    """Everything that is wrong with a resource. ``now`` is when a schedule would begin."""
    if not isinstance(content, dict):
        return Verdict("", "", known=True, faults=(Fault("", "is no resource: it must be an object"),))
    kind = _kind(content)
    metadata = content.get("metadata")
    name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
    word = str(content.get("kind", ""))
    if kind is None:
        found = tuple(_misnamed(content, word))
        return Verdict(word, name, known=bool(found), faults=found)
    told = list(metadata_faults(metadata))
    stored = without_nulls({**content, "metadata": {"name": name}}, _schema(kind.name))
    told += _unknown(content, kind)
    told += _api_server_faults(stored, kind)
    found = tuple(told) or tuple(_operator_faults(stored, kind, now))
    return Verdict(word, name, known=True, faults=found)


def _unknown(content: Mapping[str, Json], kind: Kind) -> Iterator[Fault]:
    judged = {field: value for field, value in content.items() if field != "metadata"}
    for path in unknown_fields(judged, _schema(kind.name)):
        yield Fault(path, f'unknown field "{path}"')


def _api_server_faults(stored: Json, kind: Kind) -> Iterator[Fault]:
    """What a new resource would be refused for."""
    schema = _schema(kind.name)
    found = list(faults(stored, schema))
    yield from found
    if any(fault.blocking for fault in found):
        yield Fault("", NOT_CHECKED)
    else:
        yield from broken_rules(stored, schema)


def _operator_faults(stored: dict[str, Json], kind: Kind, now: datetime) -> Iterator[Fault]:
    try:
        spec = cast("Spec", kind.read(stored["spec"]))
    except ValidationError as error:
        yield Fault("", explain(error))
        return
    for sentence in faults_of(spec, now):
        yield Fault("", sentence)


def _kind(content: Mapping[str, Json]) -> Kind | None:
    if content.get("apiVersion") != API_VERSION:
        return None
    return next((kind for kind in KINDS if kind.name == content.get("kind")), None)


def _misnamed(content: Mapping[str, Json], word: str) -> Iterator[Fault]:
    version = content.get("apiVersion")
    for name in ("apiVersion", "kind"):
        if not isinstance(content.get(name), str) or not content[name]:
            yield Fault(name, "Required value")
    if not isinstance(version, str) or not version.startswith(f"{GROUP}/"):
        return
    if version != API_VERSION:
        yield Fault("apiVersion", f'no matches for "{version}". There is {API_VERSION}')
    else:
        names = ", ".join(kind.name for kind in KINDS)
        yield Fault("kind", f'no matches for kind "{word}" in version "{version}". There are {names}')


@cache
def _schema(kind: str) -> Schema:
    known = next(item for item in KINDS if item.name == kind)
    version = custom_resource_definition(known)["spec"]["versions"][0]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema
