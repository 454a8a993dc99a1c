"""A version as training sees it: rows in key order and which of them are held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from modelyard_api.contract.manifest import Manifest
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.digest import digest_of_ordered, in_key_order
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_manifest, read_part
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.split import held_out


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

    Raises DataError where a manifest or a part is missing or changed, PlatformError where S3 does not answer.
    """
    manifest = read_manifest(store, manifest_uri)
    table = table_of(manifest, store)
    found = digest_of_ordered(table, manifest.key).root
    if found != manifest.content_digest:
        raise DataError(
            f"the values have the digest {found}, the manifest says {manifest.content_digest}",
            field=manifest_uri,
        )
    return Version(manifest, table, held_out(table, manifest.key, manifest.split))


def table_of(manifest: Manifest, store: ObjectStore) -> pa.Table:
    """Rows of a manifest in key order, with the columns and types that it names."""
    schema = pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in manifest.columns])
    parts = []
    for part in manifest.parts:
        table = read_part(store, part)
        if not table.schema.equals(schema):
            raise DataError("the columns are not those that the manifest names", field=part.uri)
        parts.append(table)
    table = pa.concat_tables(parts) if parts else schema.empty_table()
    if table.num_rows != manifest.rows:
        raise DataError(f"the parts hold {table.num_rows} rows, the manifest says {manifest.rows}")
    return in_key_order(table, manifest.key)
