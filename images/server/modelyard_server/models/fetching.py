"""Fetches a bundle and proves that every byte of it is the one that the route names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from modelyard_api.contract.bundle import (
    BUNDLE_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
    TWIN_FILE,
    Bundle,
    BundleFile,
    GoldenRequest,
)
from modelyard_api.contract.route import RoutedModel
from modelyard_api.digests import canonical_digest
from modelyard_runtime.s3 import ObjectStore
from modelyard_server.errors import BundleError
from modelyard_server.models.memory import Room, demand_room, unlimited
from modelyard_server.models.trusted import ALLOWED_NAMES

_SCHEMA_VERSION = 1
_DOCUMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class FetchedBundle:
    """A verified bundle, whose large files are read when they are wanted: few servers need all of them."""

    bundle: Bundle
    golden: GoldenRequest | None
    file: Callable[[str], bytes]
    """The content of a file by its name, verified. Raises BundleError, PlatformError and ObjectMissingError as
    ``fetch_bundle`` does."""


def fetch_bundle(
    store: ObjectStore, routed: RoutedModel, max_bytes: int, room: Room = unlimited
) -> FetchedBundle:
    """The bundle of a routed version; ``room`` is asked before each file is read.

    Raises BundleError where a digest, a size or the format is not as promised, PlatformError where S3 does not answer
    and ObjectMissingError where a file is not there.
    """
    prefix = _prefix(store, routed.bundle_uri)
    bundle = read_bundle(store, routed.bundle_uri, routed.model_digest)
    files = {file.name: file for file in bundle.files}
    twin = files[TWIN_FILE].bytes if TWIN_FILE in files else 0
    # The program and the model are not held together: one answers in the other's place.
    total = max(twin, sum(file.bytes for file in bundle.files) - twin)
    if total > max_bytes:
        raise BundleError(f"the bundle has {total} bytes, at most {max_bytes} are allowed")
    if MODEL_FILE not in files:
        raise BundleError(f"the bundle has no {MODEL_FILE}")
    golden = files.get(GOLDEN_FILE)
    return FetchedBundle(
        bundle=bundle,
        golden=None if golden is None else _parse_golden(_read_golden(store, prefix, golden)),
        file=lambda name: _read_file(store, prefix, files[name], room),
    )


def read_bundle(store: ObjectStore, uri: str, digest: str) -> Bundle:
    """``bundle.json`` alone, proven to be the one of the digest. Raises what ``fetch_bundle`` raises."""
    document = _read_bounded(store, f"{_prefix(store, uri)}/{BUNDLE_FILE}", _DOCUMENT_BYTES)
    return _parse(document, digest)


def _prefix(store: ObjectStore, uri: str) -> str:
    return store.key(uri).removesuffix(BUNDLE_FILE).rstrip("/")


def _parse(document: bytes, digest: str) -> Bundle:
    try:
        content = orjson.loads(document)
        found = canonical_digest(content)
        if found != digest:
            raise BundleError(f"the bundle has the digest {found}, the route says {digest}")
        bundle = Bundle.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            f"{BUNDLE_FILE} is not of a form that this server knows: {path}: {first['msg']}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{BUNDLE_FILE} is not JSON: {error}") from error
    if bundle.schema_version != _SCHEMA_VERSION:
        raise BundleError(f"{BUNDLE_FILE} has schema version {bundle.schema_version}, this server knows 1")
    foreign = sorted(set(bundle.trusted_types) - ALLOWED_NAMES)
    if foreign:
        raise BundleError(f"the model holds {foreign[0]}, which is not on the list of allowed types")
    return bundle


def _parse_golden(document: bytes) -> GoldenRequest:
    try:
        return GoldenRequest.model_validate_json(document)
    except ValidationError as error:
        raise BundleError(f"{GOLDEN_FILE} cannot be read") from error


def _read_golden(store: ObjectStore, prefix: str, file: BundleFile) -> bytes:
    if file.bytes > _DOCUMENT_BYTES:
        raise BundleError(f"{GOLDEN_FILE} has {file.bytes} bytes, at most {_DOCUMENT_BYTES} are allowed")
    return _read_file(store, prefix, file, unlimited)


def _read_file(store: ObjectStore, prefix: str, file: BundleFile, room: Room) -> bytes:
    if "/" in file.name:
        raise BundleError(f"the bundle names a file outside of itself: {file.name!r}")
    demand_room(file.name, file.bytes, room())
    content = _read_bounded(store, f"{prefix}/{file.name}", file.bytes)
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise BundleError(f"{file.name} has the SHA-256 {found}, the bundle says {file.sha256}")
    return content


def _read_bounded(store: ObjectStore, key: str, most: int) -> bytes:
    """An object that is not larger than promised: its size is asked for before its bytes are."""
    size = store.size(key)
    if size is not None and size > most:
        raise BundleError(f"{store.uri(key)} has {size} bytes where at most {most} were promised")
    return store.read(key)
