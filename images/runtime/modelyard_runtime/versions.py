"""Which versions of a variant there are: empty objects whose names say load and manifest, and a list of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from modelyard_api.contract.manifest import Manifest, manifest_key, version_key
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_manifest
from modelyard_runtime.s3 import Entry, ObjectStore

_POINTER = re.compile(r"/versions/([^/]+)/([^/]+)/(\d{6,})-([0-9a-f]{64})$")
_SHOWN = 10


@dataclass(frozen=True)
class VersionPointer:
    """A published version."""

    uid: str
    """Of the Dataset: one that was deleted and made again counts its loads anew."""
    variant: str
    sequence: int
    sha256: str
    """Of the manifest, bare hex."""
    modified: datetime
    """When it was published, by the clock of the store."""


@dataclass(frozen=True)
class Reference:
    """What a version is asked for by; the latest where nothing is set."""

    dataset: str
    variant: str
    uid: str | None = None
    sequence: int | None = None
    digest: str | None = None
    """``sha256:<hex>`` of the content."""
    as_of: datetime | None = None


def write_version(store: ObjectStore, dataset: str, uid: str, manifest: Manifest, sha256: str) -> None:
    """Adds a version to the list; one that is there stays as it is."""
    prefix = store.endpoint.prefix
    store.create(version_key(prefix, dataset, uid, manifest.variant, manifest.sequence, sha256), b"")


def parse_pointer(entry: Entry) -> VersionPointer | None:
    """The version that an object points to, or None if it is no pointer."""
    name = _POINTER.search(entry.key)
    if name is None:
        return None
    return VersionPointer(name.group(1), name.group(2), int(name.group(3)), name.group(4), entry.modified)


def versions(store: ObjectStore, dataset: str, variant: str, uid: str | None = None) -> list[VersionPointer]:
    """All versions of a variant, the latest last; those of several Datasets of the name where no ``uid`` is given."""
    root = f"{store.endpoint.prefix}/datasets/{dataset}/versions"
    prefix = root if uid is None else f"{root}/{uid}/{variant}"
    pointers = (parse_pointer(entry) for entry in store.entries(prefix))
    found = [pointer for pointer in pointers if pointer is not None and pointer.variant == variant]
    newest = {
        own: max(each.modified for each in found if each.uid == own) for own in {each.uid for each in found}
    }
    return sorted(
        found, key=lambda each: (newest[each.uid], each.uid, each.sequence, each.modified, each.sha256)
    )


def pointed_uri(store: ObjectStore, dataset: str, pointer: VersionPointer) -> str:
    """Address of the manifest of a version."""
    return store.uri(manifest_key(store.endpoint.prefix, dataset, pointer.variant, pointer.sha256))


def resolve_version(store: ObjectStore, wanted: Reference) -> DatasetVersion:
    """The version that a reference means; of several for one load the one published last.

    Raises DataError that lists what there is where no version is meant.
    """
    known = versions(store, wanted.dataset, wanted.variant, wanted.uid)
    if not known:
        raise DataError(
            f"Dataset {wanted.dataset} has no published version of this variant",
            field="spec.datasetRef.variant",
            value=wanted.variant,
            remedy=f"there are versions of {', '.join(_variants(store, wanted.dataset)) or 'no variant yet'}",
        )
    fitting = (
        known if wanted.sequence is None else [each for each in known if each.sequence == wanted.sequence]
    )
    if not fitting:
        raise _not_there(wanted, "sequence", wanted.sequence, known)
    if wanted.as_of is None and wanted.digest is None:
        return _version(store, wanted, fitting[-1])[0]
    for pointer in reversed(fitting):
        version, manifest = _version(store, wanted, pointer)
        in_time = wanted.as_of is None or (
            manifest.loaded_at is not None and manifest.loaded_at <= wanted.as_of
        )
        if in_time and wanted.digest in (None, version.digest):
            return version
    if wanted.digest is not None:
        raise _not_there(wanted, "digest", wanted.digest, known)
    raise _not_there(wanted, "asOf", wanted.as_of, known)


def _variants(store: ObjectStore, dataset: str) -> list[str]:
    """Variants of which a version was published."""
    keys = store.keys(f"{store.endpoint.prefix}/datasets/{dataset}/versions")
    return sorted({name.group(2) for name in map(_POINTER.search, keys) if name is not None})


def _version(
    store: ObjectStore, wanted: Reference, pointer: VersionPointer
) -> tuple[DatasetVersion, Manifest]:
    uri = pointed_uri(store, wanted.dataset, pointer)
    manifest = read_manifest(store, uri)
    version = DatasetVersion(
        variant=pointer.variant, sequence=pointer.sequence, digest=manifest.content_digest, uri=uri
    )
    return version, manifest


def _not_there(wanted: Reference, name: str, value: object, known: Sequence[VersionPointer]) -> DataError:
    loads = sorted({each.sequence for each in known})
    listed = ", ".join(str(each) for each in loads[-_SHOWN:])
    more = f" and {len(loads) - _SHOWN} before" if len(loads) > _SHOWN else ""
    return DataError(
        f"variant {wanted.variant} of {wanted.dataset} has no such version; there are those of loads {listed}{more}",
        field=f"spec.datasetRef.{name}",
        value=str(value),
        remedy=f"pin one of them, or leave {name} out to take the latest; retention may have removed others",
    )
