"""The ledger ``data_loads``: one row a load, each holding the hash of the one before, so that a rewrite shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from modelyard_api.digests import canonical_digest
from modelyard_runtime.errors import DataError

LEDGER = "data_loads"
GENESIS = "sha256:" + "0" * 64
"""What the first entry holds in place of a hash before it."""

_DDL = """
CREATE TABLE IF NOT EXISTS {table} (
  dataset text NOT NULL,
  dataset_uid text NOT NULL,
  sequence integer NOT NULL,
  batch_name text NOT NULL,
  percentage numeric NOT NULL,
  total_rows bigint NOT NULL,
  offered bigint NOT NULL,
  accepted bigint NOT NULL,
  rejected bigint NOT NULL,
  source_digest text NOT NULL,
  generation bigint NOT NULL,
  image text NOT NULL,
  started_at timestamptz NOT NULL,
  completed_at timestamptz NOT NULL,
  metadata jsonb NOT NULL,
  previous_hash text NOT NULL,
  hash text NOT NULL,
  PRIMARY KEY (dataset_uid, sequence)
)
"""


@dataclass(frozen=True)
class LedgerEntry:
    """One load: what came, what was kept, who asked for it."""

    dataset: str
    dataset_uid: str
    sequence: int
    batch_name: str
    percentage: str
    """Share of the source that is loaded, as a decimal string."""
    total_rows: int
    """Rows in the table after the load."""
    offered: int
    accepted: int
    rejected: int
    source_digest: str
    generation: int
    image: str
    started_at: datetime
    completed_at: datetime
    metadata: dict[str, Any]
    """The batch on S3, the key and the columns."""
    previous_hash: str = GENESIS
    hash: str = ""

    def sealed(self, previous_hash: str) -> LedgerEntry:
        """The entry with its place in the chain."""
        placed = replace(self, previous_hash=previous_hash, hash="")
        return replace(placed, hash=placed.computed_hash())

    def computed_hash(self) -> str:
        """Digest of everything but the hash itself; times in UTC with microseconds."""
        document = asdict(self)
        del document["hash"]
        for name in ("started_at", "completed_at"):
            moment: datetime = document[name]
            document[name] = moment.astimezone(UTC).isoformat(timespec="microseconds")
        return canonical_digest(document)


def ensure_ledger(connection: psycopg.Connection, schema: str) -> None:
    """Makes the table if the schema has none. Commits, so that no one waits for a whole load."""
    exists = connection.execute("SELECT to_regclass(%s)", [f'"{schema}".{LEDGER}']).fetchone()
    if exists is not None and exists[0] is not None:
        return
    # Two CREATE TABLE IF NOT EXISTS at the same time may still collide in the catalog.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{schema} {LEDGER}"])
    connection.execute(sql.SQL(_DDL).format(table=_table(schema)))
    connection.commit()


def entries(connection: psycopg.Connection, schema: str, uid: str) -> list[LedgerEntry]:
    """All loads of a Dataset in order. Raises DataError if one of them was changed afterwards."""
    cursor = connection.cursor(row_factory=dict_row)
    query = sql.SQL("SELECT * FROM {table} WHERE dataset_uid = %s ORDER BY sequence")
    found = cursor.execute(query.format(table=_table(schema)), [uid]).fetchall()
    chain = [LedgerEntry(**{**row, "percentage": str(row["percentage"])}) for row in found]
    previous = GENESIS
    for entry in chain:
        if entry.previous_hash != previous or entry.computed_hash() != entry.hash:
            raise DataError(
                "the entry is not the one that was written",
                field=f"{schema}.{LEDGER}, sequence {entry.sequence}",
                remedy="restore the table from a backup; the record on S3 is not affected",
            )
        previous = entry.hash
    return chain


def append(connection: psycopg.Connection, schema: str, entry: LedgerEntry) -> None:
    """Writes an entry that is sealed."""
    values = {**asdict(entry), "metadata": Jsonb(entry.metadata)}
    statement = sql.SQL("INSERT INTO {table} ({names}) VALUES ({values})").format(
        table=_table(schema),
        names=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    connection.execute(statement, values)


def last_owner(connection: psycopg.Connection, schema: str, dataset: str) -> str | None:
    """Uid of the Dataset that last loaded rows under this name."""
    query = sql.SQL("SELECT dataset_uid FROM {table} WHERE dataset = %s ORDER BY completed_at DESC LIMIT 1")
    row = connection.execute(query.format(table=_table(schema)), [dataset]).fetchone()
    return None if row is None else str(row[0])


def _table(schema: str) -> sql.Identifier:
    return sql.Identifier(schema, LEDGER)
