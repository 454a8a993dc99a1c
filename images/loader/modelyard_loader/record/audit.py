"""The part of the audit that no load tells of, as objects on S3: what rules said, and what retention removed.

Each object holds the rows that one transaction wrote into one table, and is named by their content. It is written right
before the commit, so that S3 has whatever Postgres has; the rows of a transaction that failed after all are there too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from modelyard_api.contract.steps import Owner
from modelyard_api.digests import canonical_json
from modelyard_loader.record.files import record_root
from modelyard_runtime.errors import DataError
from modelyard_runtime.s3 import ObjectStore

RULES = "data_rules"
SWEEPS = "data_sweeps"
TABLES = (RULES, SWEEPS)
"""Tables whose rows are on S3 so."""
_READERS = 8

AuditRow = Mapping[str, str | int | bool | None]
"""A row by column; times as ISO 8601 with their zone."""


class AuditRecord:
    """The record of one Dataset."""

    def __init__(self, store: ObjectStore, owner: Owner) -> None:
        self._store = store
        self._prefix = f"{record_root(store, owner.name)}/audit/{owner.uid}"

    def write(self, table: str, rows: Sequence[AuditRow]) -> None:
        """Records rows; the same rows are the same object."""
        if rows:
            content = canonical_json({"rows": [dict(row) for row in rows]})
            self._store.create(self._key(table, hashlib.sha256(content).hexdigest()), content)

    def read(self, table: str) -> Iterator[list[AuditRow]]:
        """All rows, those of each transaction together. Raises DataError naming an object that was changed."""
        keys = [key for key in self._store.keys(f"{self._prefix}/{table}") if key.endswith(".json")]
        with ThreadPoolExecutor(_READERS) as pool:
            yield from pool.map(self._rows, keys)

    def _rows(self, key: str) -> list[AuditRow]:
        content = self._store.read(key)
        if not key.endswith(f"/{hashlib.sha256(content).hexdigest()}.json"):
            raise DataError(
                "the content does not have the SHA-256 of its name",
                field=self._store.uri(key),
                remedy="restore the object from a backup of the bucket",
            )
        rows: list[AuditRow] = json.loads(content)["rows"]
        return rows

    def _key(self, table: str, sha256: str) -> str:
        return f"{self._prefix}/{table}/{sha256}.json"
