"""What is on S3 of a Dataset's versions: pointers, manifests, and the files that only manifests name.

Batches of loads are not part of it: the working copy is made again from them, so they stay while the Dataset exists. Those
that no load names are found by ``leftovers``.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from modelyard_api.contract.manifest import Manifest
from modelyard_runtime.errors import DataError
from modelyard_runtime.s3 import Entry, ObjectStore
from modelyard_runtime.versions import VersionPointer, parse_pointer

FILES = ("variants", "profiles")
"""Folders of a Dataset whose objects are there for manifests alone."""
_READERS = 8


@dataclass(frozen=True)
class Pointed:
    """A version pointer and its object."""

    pointer: VersionPointer
    key: str


@dataclass(frozen=True)
class KnownVersion:
    """A manifest, what it needs, and the pointers that say it is a version."""

    manifest: Manifest
    entry: Entry
    uri: str
    needs: frozenset[str]
    """Keys of the objects that it names."""
    pointed: tuple[Pointed, ...]

    @property
    def touched(self) -> datetime:
        """When it was last published, by the clock of the store."""
        return max(
            self.entry.modified, *(each.pointer.modified for each in self.pointed), self.entry.modified
        )


@dataclass(frozen=True)
class Inventory:
    """Everything that retention may remove, and what holds it together."""

    versions: tuple[KnownVersion, ...]
    files: tuple[Entry, ...]
    """Objects below ``FILES``."""


def inventory(store: ObjectStore, dataset: str) -> Inventory:
    """Looks at a Dataset's versions, those of deleted Datasets of the same name included.

    Raises DataError where a manifest cannot be read: what it needs is unknown then, and nothing may be removed.
    """
    root = f"{store.endpoint.prefix}/datasets/{dataset}"
    # Manifests last: a version that is published meanwhile is then seen with its manifest, or not at all.
    files = tuple(entry for folder in FILES for entry in store.entries(f"{root}/{folder}"))
    pointed = _pointed(store.entries(f"{root}/versions"))
    manifests = store.entries(f"{root}/manifests")
    with ThreadPoolExecutor(_READERS) as pool:
        known = pool.map(lambda entry: _version(store, entry, pointed), manifests)
        return Inventory(tuple(known), files)


def _pointed(entries: Sequence[Entry]) -> Mapping[tuple[str, str], tuple[Pointed, ...]]:
    """Pointers by variant and SHA-256 of the manifest."""
    found: dict[tuple[str, str], tuple[Pointed, ...]] = defaultdict(tuple)
    for entry in entries:
        pointer = parse_pointer(entry)
        if pointer is not None:
            found[pointer.variant, pointer.sha256] += (Pointed(pointer, entry.key),)
    return found


def _version(
    store: ObjectStore, entry: Entry, pointed: Mapping[tuple[str, str], tuple[Pointed, ...]]
) -> KnownVersion:
    content = store.read(entry.key)
    uri = store.uri(entry.key)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise DataError(
            "is not a manifest that this release can read, so that nothing can be removed safely",
            field=uri,
            remedy="restore the object from a backup of the bucket, or remove it by hand",
        ) from error
    needed = [*(part.uri for part in manifest.parts), *([manifest.profile] if manifest.profile else [])]
    sha256 = hashlib.sha256(content).hexdigest()
    return KnownVersion(
        manifest,
        entry,
        uri,
        frozenset(store.key(each) for each in needed),
        pointed.get((manifest.variant, sha256), ()),
    )
