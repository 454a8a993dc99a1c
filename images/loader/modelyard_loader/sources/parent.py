"""A variant of another Dataset: the parts of its version, of which only new ones are read where that is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from modelyard_api.contract.manifest import Manifest, Part
from modelyard_api.v1alpha1.sources import FileFormat, Files, Source
from modelyard_loader.sources.files import FilesSource, Listing, RemoteFile, file_tags, sha256_of
from modelyard_loader.sources.reading import OpenSource, SourceContext
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_runtime.manifests import read_manifest
from modelyard_runtime.s3 import ObjectStore

_FIELD = "spec.source.dataset"


def open_dataset(source: Source, context: SourceContext) -> OpenSource:
    """Rows of the version that the step names."""
    asked = source.dataset
    if asked is None:
        raise InvalidSpecError("is not set", field=_FIELD)
    if context.parent is None:
        raise InvalidSpecError(
            f"has no version of variant {asked.variant} yet",
            field=f"{_FIELD}.name",
            value=asked.name,
            remedy="wait until that Dataset is Ready, or correct name and variant",
        )
    manifest = read_manifest(context.store, context.parent.uri)
    columns = context.columns or tuple(manifest.columns)
    known = file_tags(context.consumed)
    if not set(known) <= {part.sha256 for part in manifest.parts}:
        # A part that was consumed was written anew, so rows may have changed anywhere.
        known, context = {}, replace(context, consumed={}, first_row=1)
    fresh = [_as_remote(context.store, part) for part in manifest.parts if part.sha256 not in known]
    return _ParentSource(replace(context, columns=columns), Listing(fresh), manifest)


class _ParentSource(FilesSource):
    """Parts of a version; its digest is that of the version's content."""

    def __init__(self, context: SourceContext, listing: Listing, manifest: Manifest) -> None:
        super().__init__(context, Files(format=FileFormat.PARQUET), _FIELD, listing)
        self._content = manifest.content_digest

    @property
    def digest(self) -> str:
        """Content digest of the version."""
        return self._content

    def unchanged(self, consumed: Mapping[str, str], digest: str) -> bool:
        """Whether the version holds the same values."""
        return digest == self._content or super().unchanged(consumed, digest)


def _as_remote(store: ObjectStore, part: Part) -> RemoteFile:
    return RemoteFile(part.sha256, part.sha256, partial(_fetch, store, part))


def _fetch(store: ObjectStore, part: Part, target: Path) -> str:
    store.download(store.key(part.uri), target)
    found = sha256_of(target)
    if found != part.sha256:
        raise DataError(
            "the bytes are not those that the manifest names",
            field=part.uri,
            remedy="restore the object from a backup of the bucket",
        )
    return found
