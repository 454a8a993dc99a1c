"""Manifests and their parts on S3: written once under the name of their own content, checked when read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from modelyard_api.contract.manifest import Manifest, Part, manifest_key
from modelyard_api.digests import canonical_json
from modelyard_runtime.errors import DataError
from modelyard_runtime.s3 import ObjectStore

_SCHEMA_VERSION = 2
_NAME = re.compile(r"/([0-9a-f]{64})\.(?:json|parquet)$")


@dataclass(frozen=True)
class WrittenManifest:
    """A manifest on S3."""

    uri: str
    sha256: str
    """Bare hex; also its name."""


def write_manifest(store: ObjectStore, manifest: Manifest) -> WrittenManifest:
    """Writes a manifest as canonical JSON. The same manifest is the same object, however often it is written."""
    content = canonical_json(manifest.to_wire())
    sha256 = hashlib.sha256(content).hexdigest()
    key = manifest_key(store.endpoint.prefix, manifest.dataset, manifest.variant, sha256)
    store.create(key, content)
    return WrittenManifest(uri=store.uri(key), sha256=sha256)


def read_manifest(store: ObjectStore, uri: str) -> Manifest:
    """The manifest at an address. Raises DataError if its content is not what its name says."""
    content = store.read(store.key(uri))
    named = _NAME.search(uri)
    if named is None or hashlib.sha256(content).hexdigest() != named.group(1):
        raise DataError("the content does not have the SHA-256 of its name", field=uri)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise DataError("is not a manifest that this release can read", field=uri) from error
    if manifest.schema_version != _SCHEMA_VERSION:
        raise DataError(
            f"has schema version {manifest.schema_version}, this release reads {_SCHEMA_VERSION}",
            field=uri,
            remedy="publish the version anew: make the Dataset again, or ask for a step of it",
        )
    return manifest


def write_part(store: ObjectStore, prefix: str, content: bytes, rows: int) -> Part:
    """Writes a Parquet file below ``prefix`` under the name of its bytes."""
    part = named_part(store, prefix, content, rows)
    store.create(store.key(part.uri), content)
    return part


def named_part(store: ObjectStore, prefix: str, content: bytes, rows: int) -> Part:
    """What a Parquet file below ``prefix`` is called, which need not be there."""
    sha256 = hashlib.sha256(content).hexdigest()
    return Part(uri=store.uri(f"{prefix}/{sha256}.parquet"), sha256=sha256, rows=rows, bytes=len(content))


def read_part(store: ObjectStore, part: Part, columns: list[str] | None = None) -> pa.Table:
    """Rows of a part, all columns or some. Raises DataError if bytes or rows are not those that the manifest names."""
    content = store.read(store.key(part.uri))
    if len(content) != part.bytes or hashlib.sha256(content).hexdigest() != part.sha256:
        raise DataError(
            "the bytes are not those that the manifest names",
            field=part.uri,
            remedy="restore the object from a backup of the bucket",
        )
    table = read_rows(pa.BufferReader(content), columns)
    if table.num_rows != part.rows:
        raise DataError(f"holds {table.num_rows} rows, the manifest says {part.rows}", field=part.uri)
    return table


def read_rows(source: Path | pa.NativeFile, columns: list[str] | None = None) -> pa.Table:
    """Rows of a Parquet file, all columns or some, in one thread and without the machinery for many files."""
    with pq.ParquetFile(source, pre_buffer=False) as file:
        table = file.read(columns=columns, use_threads=False)
    return table if columns is None else table.select(columns)
