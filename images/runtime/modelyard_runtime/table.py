"""A version as training sees it: rows in key order and which of them are held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from modelyard_api.contract.manifest import Manifest
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.digest import ContentAccumulator, in_key_order
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_manifest, read_part
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.split import SplitLine


@dataclass(frozen=True)
class Version:
    """One version of a variant."""

    manifest: Manifest
    table: pa.Table
    """All columns, the key's first, rows in key order."""
    is_test: np.ndarray
    """One bool a row: held out for the final test."""

    @property
    def train(self) -> pa.Table:
        """Rows to learn from."""
        return self.table.filter(pa.array(~self.is_test))

    @property
    def test(self) -> pa.Table:
        """Rows that only the final model may see."""
        return self.table.filter(pa.array(self.is_test))


def load_version(manifest_uri: str, store: ObjectStore) -> Version:
    """Reads a version and proves that its values are those of the content digest.

    Rows come in key order, so that nothing depends on the history of loads that made the parts. Raises DataError
    where a manifest or a part is missing or changed, PlatformError where S3 does not answer.
    """
    manifest = read_manifest(store, manifest_uri)
    sums = ContentAccumulator(manifest.columns, manifest.key)
    parts = []
    for table in read_parts(manifest, store):
        sums.add(table)
        parts.append(table)
    found = sums.digest().root
    if found != manifest.content_digest:
        raise DataError(
            f"the values have the digest {found}, the manifest says {manifest.content_digest}",
            field=manifest_uri,
        )
    table = in_key_order(
        pa.concat_tables(parts) if parts else schema_of(manifest).empty_table(), manifest.key
    )
    return Version(manifest, table, SplitLine.of(manifest).mask(table))


def read_parts(manifest: Manifest, store: ObjectStore) -> Iterator[pa.Table]:
    """Rows of a manifest part by part. Raises DataError where columns, types or the row count are others."""
    schema, rows = schema_of(manifest), 0
    for part in manifest.parts:
        table = read_part(store, part)
        if not table.schema.equals(schema):
            raise DataError("the columns are not those that the manifest names", field=part.uri)
        rows += table.num_rows
        yield table
    if rows != manifest.rows:
        raise DataError(f"the parts hold {rows} rows, the manifest says {manifest.rows}")


def schema_of(manifest: Manifest) -> pa.Schema:
    """Columns and types that a manifest names, as Arrow holds them."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in manifest.columns])
