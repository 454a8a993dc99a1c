"""The content digest: one identity for the values of a version, whatever files, chunks or order they arrived in.

A version is a set of rows that are named by a key. ``modelyard_runtime.hashing`` says what a row's hash and the cell of a
value are. All arithmetic is modulo 2^64. A row with the hash r under seed 0x6D6F64656C796172 has two states,
``s1 = mix(r XOR 0x243F6A8885A308D3)`` and ``s2 = mix(r XOR 0x13198A2E03707344)``. Each column has two lanes,

    lane j = sum over all rows of mix(sj XOR cell)

Its digest is the SHA-256 over ``modelyard column 2`` and a line feed, canonical JSON of its name and canonical type and a
line feed, the number of rows and the two lanes, each as unsigned 64-bit little-endian integer. The root is the SHA-256
over ``modelyard content 2``, a line feed, and canonical JSON of the row count, the key and the list of columns with
their digests. tests/data/digests holds vectors.

Sums do not depend on the order of rows, and rows can be taken out of them again. So a version of a hundred million rows to
which a load adds a thousand is named by reading the thousand, and nothing is ever sorted for it. The price is the kind of
proof: a digest tells contents apart that differ by accident, with 128 bits a column, but someone who chooses the values
could find two with the same lanes. Against that stands the SHA-256 of the bytes of each part in the manifest, and the
manifest's own, which is its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.base import StatusModel
from modelyard_api.contract.manifest import Column
from modelyard_api.digests import canonical_json
from modelyard_runtime.columns import ARROW_TYPES, canonical_columns, to_canonical
from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import cells, mix, mix_in_place, row_hashes, whole

_COLUMN = b"modelyard column 2\n"
_ROOT = b"modelyard content 2\n"
_ROW_SEED = 0x6D6F64656C796172
_LANES = (np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344))
_MODULUS = 2**64
_NOTHING: Mapping[str, np.ndarray] = {}
_CHUNK_ROWS = 32_768
"""Rows whose states and cells fit the cache of a core together."""


@dataclass(frozen=True)
class ColumnDigest:
    """Identity of one column's values."""

    column: Column
    sha256: str


@dataclass(frozen=True)
class ContentDigest:
    """Identity of a version's values; two versions can be compared column by column."""

    root: str
    """``sha256:<hex>``."""
    columns: tuple[ColumnDigest, ...]


class ColumnLanes(StatusModel):
    """The lanes of a column, as 16 hex digits each."""

    column: Column
    lanes: tuple[str, str]


class AccumulatorState(StatusModel):
    """A ``ContentAccumulator`` as a document."""

    rows: int
    key: list[str]
    columns: list[ColumnLanes]


class ContentAccumulator:
    """The sums behind a content digest: rows are added, and taken out again, in any order and any portions."""

    def __init__(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        self.columns = tuple(Column(name=column.name, type=column.type) for column in columns)
        self.key = tuple(key)
        self.rows = 0
        self._lanes = [[0, 0] for _ in self.columns]
        self._schema = pa.schema([pa.field(each.name, ARROW_TYPES[each.type]) for each in self.columns])

    @classmethod
    def restored(cls, state: AccumulatorState) -> ContentAccumulator:
        """The accumulator that ``state`` was made of."""
        made = cls([each.column for each in state.columns], state.key)
        made.rows = state.rows
        made._lanes = [[int(lane, 16) for lane in each.lanes] for each in state.columns]
        return made

    def state(self) -> AccumulatorState:
        """The sums as a document."""
        columns = [
            ColumnLanes(column=column, lanes=(f"{one:016x}", f"{two:016x}"))
            for column, (one, two) in zip(self.columns, self._lanes, strict=True)
        ]
        return AccumulatorState(rows=self.rows, key=list(self.key), columns=columns)

    def add(
        self,
        rows: pa.Table | pa.RecordBatch,
        without: Collection[str] = (),
        known: Mapping[str, np.ndarray] = _NOTHING,
    ) -> None:
        """Adds rows. Raises DataError where the columns are others, or a row has no value in its key.

        The sums of columns ``without`` are taken over from another accumulator later; ``known`` are the cells of some.
        """
        self._count(rows, 1, without, known)

    def take_over(self, other: ContentAccumulator, names: Collection[str]) -> None:
        """Adds the sums of columns that were left out; ``other`` holds rows of the same keys, with the same values there."""
        lanes = dict(zip((column.name for column in other.columns), other._lanes, strict=True))
        for column, own in zip(self.columns, self._lanes, strict=True):
            if column.name in names:
                own[:] = _sums(own, lanes[column.name])

    def subtract(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Takes out rows that were added, with the values that they had then."""
        self._count(rows, -1)

    def merge(self, other: ContentAccumulator) -> None:
        """Adds what another accumulator of the same columns and key holds."""
        if (other.columns, other.key) != (self.columns, self.key):
            raise ValueError("accumulators of other columns or another key cannot be added")
        self.rows += other.rows
        for own, added in zip(self._lanes, other._lanes, strict=True):
            own[:] = _sums(own, added)

    def digest(self) -> ContentDigest:
        """Digest of the rows that were added and not taken out."""
        columns = tuple(
            ColumnDigest(column, self._column_sha256(column, lanes))
            for column, lanes in zip(self.columns, self._lanes, strict=True)
        )
        document = {
            "rows": self.rows,
            "key": list(self.key),
            "columns": [
                {"name": each.column.name, "type": each.column.type.value, "sha256": each.sha256}
                for each in columns
            ],
        }
        return ContentDigest(
            "sha256:" + hashlib.sha256(_ROOT + canonical_json(document)).hexdigest(), columns
        )

    def _column_sha256(self, column: Column, lanes: Sequence[int]) -> str:
        sha = hashlib.sha256(_COLUMN)
        sha.update(canonical_json({"name": column.name, "type": column.type.value}) + b"\n")
        for number in (self.rows, *lanes):
            sha.update(number.to_bytes(8, "little"))
        return sha.hexdigest()

    def _count(
        self,
        rows: pa.Table | pa.RecordBatch,
        sign: int,
        without: Collection[str] = (),
        known: Mapping[str, np.ndarray] = _NOTHING,
    ) -> None:
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        table = to_canonical(table)
        if not table.schema.equals(self._schema):
            raise DataError(
                f"are {', '.join(table.column_names)}, and not {', '.join(self._schema.names)} of the same types",
                field="columns",
            )
        check_present(table, self.key)
        start = 0
        for batch in table.to_batches(max_chunksize=_CHUNK_ROWS):
            pieces = {name: each[start : start + batch.num_rows] for name, each in known.items()}
            self._count_chunk(batch, sign, without, pieces)
            start += batch.num_rows

    def _count_chunk(
        self, batch: pa.RecordBatch, sign: int, without: Collection[str], known: Mapping[str, np.ndarray]
    ) -> None:
        hashes = row_hashes(pa.Table.from_batches([batch]), self.key, _ROW_SEED)
        states = [mix(hashes ^ constant) for constant in _LANES]
        mixed, scratch = np.empty_like(hashes), np.empty_like(hashes)
        for place, column in enumerate(self.columns):
            if column.name in without:
                continue
            values = known.get(column.name)
            if values is None:
                values = cells(column.type, batch.column(place))
            lanes = self._lanes[place]
            for number, state in enumerate(states):
                np.bitwise_xor(state, values, out=mixed)
                mix_in_place(mixed, scratch)
                lanes[number] = (lanes[number] + sign * int(np.add.reduce(mixed))) % _MODULUS
        self.rows += sign * batch.num_rows


def _sums(lanes: Sequence[int], others: Sequence[int]) -> list[int]:
    return [(one + two) % _MODULUS for one, two in zip(lanes, others, strict=True)]


def content_digest(table: pa.Table, key: Sequence[str]) -> ContentDigest:
    """Digest of a table whose rows are named by ``key``. Raises DataError where a row has no value in its key."""
    check_present(table, key)
    canonical = to_canonical(table)
    accumulator = ContentAccumulator(canonical_columns(canonical.schema), key)
    accumulator.add(canonical)
    return accumulator.digest()


def in_key_order(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """Rows in ascending order of the key, text by its UTF-8 bytes.

    Raises DataError if the key has a null, a NaN or names two rows: then there is no order.
    """
    check_present(table, key)
    if table.num_rows <= 1 or _ascends(table, key):
        return table
    ordered = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in key]))
    _check_unique(ordered, key)
    return ordered


def check_present(table: pa.Table, key: Sequence[str]) -> None:
    """Raises DataError if a key column is not there, or holds a null or a NaN."""
    remedy = "choose a primaryKey whose columns have a value in every row"
    for name in key:
        field = f"primaryKey {name}"
        if name not in table.column_names:
            raise DataError("is not a column of the data", field=field, remedy=remedy)
        column = table.column(name)
        missing = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
        if pc.any(missing).as_py():
            row = pc.index(missing, pa.scalar(value=True)).as_py() + 1
            raise DataError(f"row {row} has no value", field=field, remedy=remedy)


def _ascends(table: pa.Table, key: Sequence[str]) -> bool:
    """Whether each row's key is greater than that of the row before."""
    undecided = pa.array(np.ones(table.num_rows - 1, dtype=bool))
    greater = pa.array(np.zeros(table.num_rows - 1, dtype=bool))
    for name in key:
        before, after = _neighbours(table.column(name))
        greater = pc.or_(greater, pc.and_(undecided, pc.greater(after, before)))
        undecided = pc.and_(undecided, pc.equal(after, before))
    return bool(pc.all(greater).as_py())


def _check_unique(ordered: pa.Table, key: Sequence[str]) -> None:
    same = pa.array(np.ones(ordered.num_rows - 1, dtype=bool))
    for name in key:
        before, after = _neighbours(ordered.column(name))
        same = pc.and_(same, pc.equal(after, before))
    if pc.any(same).as_py():
        row = pc.index(same, pa.scalar(value=True)).as_py()
        values = ", ".join(str(ordered.column(name)[row].as_py()) for name in key)
        raise DataError(
            "names more than one row",
            field=f"primaryKey {', '.join(key)}",
            value=values,
            remedy="choose columns whose values together occur once, or a name that the source does not have",
        )


def _neighbours(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    whole_column = whole(column)
    return whole_column.slice(0, len(whole_column) - 1), whole_column.slice(1)
