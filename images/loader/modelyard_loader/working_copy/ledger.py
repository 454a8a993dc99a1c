"""The ledger ``data_loads``: one row a load, each holding the hash of the one before, so that a rewrite shows.

The provisioning makes the table; the project's role can read it and append to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from modelyard_api.digests import canonical_digest
from modelyard_loader.working_copy.names import LEDGER
from modelyard_runtime.errors import DataError

GENESIS = "sha256:" + "0" * 64
"""What the first entry holds in place of a hash before it."""
_REMEDY = (
    "an administrator of Postgres must put the entry back; a rebuild, asked for by the annotation"
    " modelyard.dev/rebuild, says where S3 has it"
)
_TIMES = ("started_at", "completed_at")
_ADDED = frozenset({"requested_by", "trigger"})
"""Members that entries of earlier releases lack; they are hashed without, so that their chain still holds."""


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
    """The batch on S3, the key and the columns: texts, whole numbers, lists and maps of them."""
    previous_hash: str = GENESIS
    hash: str = ""
    requested_by: str | None = None
    """Who asked for the load; None in entries from before this was asked."""
    trigger: str | None = None
    """Why the load was made when it was; None in entries from before this was asked."""

    def sealed(self, previous_hash: str) -> LedgerEntry:
        """The entry with its place in the chain. Raises TypeError for metadata that SQL would spell otherwise."""
        _check_spelling(self.metadata)
        placed = replace(self, previous_hash=previous_hash, hash="")
        return replace(placed, hash=placed.computed_hash())

    def computed_hash(self) -> str:
        """Digest of everything but the hash itself. The view ``loads`` computes the same in SQL."""
        document = self.to_document()
        del document["hash"]
        return canonical_digest(document)

    def to_document(self) -> dict[str, Any]:
        """The entry as JSON: times in UTC with microseconds, and no members for what was not asked at its time."""
        document = asdict(self)
        for name in _TIMES:
            moment: datetime = document[name]
            document[name] = moment.astimezone(UTC).isoformat(timespec="microseconds")
        return {name: value for name, value in document.items() if value is not None or name not in _ADDED}

    @property
    def holds(self) -> bool:
        """Whether the entry is the one that was sealed."""
        return self.computed_hash() == self.hash


def head(connection: psycopg.Connection, schema: str, uid: str) -> LedgerEntry | None:
    """The last load of a Dataset, or None before the first.

    Looks at two entries, however long the ledger is. Raises DataError if the last one was changed afterwards or does
    not follow the one before it.
    """
    last = _select(connection, schema, sql.SQL("ORDER BY sequence DESC LIMIT 2"), uid)[::-1]
    if len(last) > 1 and last[0].sequence > 1:
        check_chain(last, f"{schema}.{LEDGER}", last[0].sequence, last[0].previous_hash)
    else:
        check_chain(last, f"{schema}.{LEDGER}")
    return last[-1] if last else None


def entries(connection: psycopg.Connection, schema: str, uid: str) -> list[LedgerEntry]:
    """All loads of a Dataset in order. Raises DataError if one of them was changed or removed afterwards."""
    chain = _select(connection, schema, sql.SQL("ORDER BY sequence"), uid)
    check_chain(chain, f"{schema}.{LEDGER}")
    return chain


def stored(connection: psycopg.Connection, schema: str, uid: str) -> list[LedgerEntry]:
    """What stands in the ledger, in order, whether or not the chain holds."""
    return _select(connection, schema, sql.SQL("ORDER BY sequence"), uid)


def of_name(connection: psycopg.Connection, schema: str, dataset: str) -> list[LedgerEntry]:
    """What stands in the ledger of all Datasets that ever had this name, whether or not their chains hold."""
    return _select(connection, schema, sql.SQL("ORDER BY dataset_uid, sequence"), dataset, "dataset")


def check_chain(
    chain: Sequence[LedgerEntry],
    where: str,
    sequence: int = 1,
    previous: str = GENESIS,
    remedy: str = _REMEDY,
) -> None:
    """Raises DataError naming the first entry that is missing or not the one that was written.

    ``sequence`` is the number that the first entry must have, ``previous`` the hash that it must hold.
    """
    for entry in chain:
        if entry.sequence != sequence:
            raise _broken(where, sequence, "the entry is missing", remedy)
        if entry.previous_hash != previous or not entry.holds:
            raise _broken(where, entry.sequence, "the entry is not the one that was written", remedy)
        previous, sequence = entry.hash, sequence + 1


def _broken(where: str, sequence: int, problem: str, remedy: str) -> DataError:
    return DataError(problem, field=f"{where}, sequence {sequence}", remedy=remedy)


def _select(
    connection: psycopg.Connection, schema: str, order: sql.SQL, value: str, column: str = "dataset_uid"
) -> list[LedgerEntry]:
    cursor = connection.cursor(row_factory=dict_row)
    names = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(LedgerEntry))
    query = sql.SQL("SELECT {names} FROM {table} WHERE {column} = %s {order}").format(
        names=names, table=_table(schema), column=sql.Identifier(column), order=order
    )
    found = cursor.execute(query, [value]).fetchall()
    return [LedgerEntry(**{**row, "percentage": f"{row['percentage']:f}"}) for row in found]


def append(connection: psycopg.Connection, schema: str, entry: LedgerEntry) -> None:
    """Writes an entry that is sealed."""
    values = {**asdict(entry), "metadata": Jsonb(entry.metadata)}
    statement = sql.SQL("INSERT INTO {table} ({names}) VALUES ({values})").format(
        table=_table(schema),
        names=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    connection.execute(statement, values)


def extent(connection: psycopg.Connection, schema: str, uid: str) -> tuple[int, int]:
    """How many loads the ledger holds, and the number of the last; they differ where entries are missing."""
    query = sql.SQL("SELECT count(*), coalesce(max(sequence), 0) FROM {table} WHERE dataset_uid = %s")
    row = connection.execute(query.format(table=_table(schema)), [uid]).fetchone() or (0, 0)
    return int(row[0]), int(row[1])


def last_owner(connection: psycopg.Connection, schema: str, dataset: str) -> str | None:
    """Uid of the Dataset that last loaded rows under this name."""
    query = sql.SQL("SELECT dataset_uid FROM {table} WHERE dataset = %s ORDER BY completed_at DESC LIMIT 1")
    row = connection.execute(query.format(table=_table(schema)), [dataset]).fetchone()
    return None if row is None else str(row[0])


def _table(schema: str) -> sql.Identifier:
    return sql.Identifier(schema, LEDGER)


def _check_spelling(value: object) -> None:
    """Canonical JSON is the same in Python and SQL for texts, whole numbers, booleans and null only."""
    if isinstance(value, Mapping):
        for each in value.values():
            _check_spelling(each)
    elif isinstance(value, list):
        for each in value:
            _check_spelling(each)
    elif not isinstance(value, str | int | None):
        raise TypeError(f"metadata of a load cannot hold {value!r}")
