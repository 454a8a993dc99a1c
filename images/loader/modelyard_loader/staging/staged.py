"""A snapshot of a source on S3, in load order and in chunks, so that a later step reads its own rows and nothing else.

The document of a snapshot is written last and created only, so two loaders that stage at once agree on one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from modelyard_api.base import StatusModel
from modelyard_api.contract.manifest import Column, Part
from modelyard_api.contract.steps import LoadStep
from modelyard_api.digests import canonical_digest, canonical_json
from modelyard_api.v1alpha1.loading import Order
from modelyard_runtime.errors import DataError, ObjectMissingError
from modelyard_runtime.manifests import read_part, write_part
from modelyard_runtime.s3 import ObjectStore

CHUNK_ROWS = 32_768
_CHUNK_BYTES = 8 * 1024 * 1024
_NAME_LENGTH = 16


class Staged(StatusModel):
    """A snapshot: what the source was when it was read."""

    order: Order
    rows: int
    """Rows that fit, all of which are in the chunks."""
    offered: int
    """Rows of the source, those that do not fit included."""
    digest: str
    consumed: dict[str, str]
    columns: list[Column]
    numbered: bool
    """Whether the key is the row's number."""
    rejects: Part | None = None
    chunks: list[Part]
    """In load order."""


@dataclass(frozen=True)
class StagingArea:
    """Where the snapshots of one Dataset are."""

    store: ObjectStore
    dataset: str
    uid: str

    @property
    def _root(self) -> str:
        return f"{self.store.endpoint.prefix}/datasets/{self.dataset}/staging/{self.uid}"

    def name(self, cycle: int, step: LoadStep) -> str:
        """Name of a snapshot: its number, and what decides which rows it holds and in which order."""
        asked = {
            "source": step.source.to_wire(),
            "key": step.primary_key,
            "columns": [column.to_wire() for column in step.columns],
            "order": step.order.to_wire(),
            "onReject": step.on_reject.to_wire(),
        }
        digest = canonical_digest(asked).removeprefix("sha256:")
        return f"{cycle:06d}/{digest[:_NAME_LENGTH]}"

    def find(self, name: str) -> Staged | None:
        """A snapshot that is complete."""
        key = self._document(name)
        try:
            content = self.store.read(key)
        except ObjectMissingError:
            return None
        try:
            return Staged.model_validate_json(content)
        except ValidationError as error:
            raise DataError(
                "is not a snapshot that this release can read", field=self.store.uri(key)
            ) from error

    def write_chunks(self, name: str, rows: Iterable[pa.RecordBatch]) -> Iterator[Part]:
        """Writes rows, which come in load order, as chunks; gives each when it is written."""
        for table in chunks_of(rows):
            yield write_part(self.store, f"{self._root}/{name}", _parquet(table), table.num_rows)

    def complete(self, name: str, staged: Staged) -> Staged:
        """Writes the document; gives that of another loader where one was faster."""
        if self.store.create(self._document(name), canonical_json(staged.to_wire())):
            return staged
        found = self.find(name)
        return staged if found is None else found

    def read(self, staged: Staged, start: int, stop: int) -> Iterator[pa.Table]:
        """Rows ``start`` to ``stop`` of the load order; only the chunks that hold them are read."""
        first = 0
        for chunk in staged.chunks:
            end = first + chunk.rows
            if end > start and first < stop:
                low, high = max(start, first) - first, min(stop, end) - first
                yield read_part(self.store, chunk).slice(low, high - low)
            first = end

    def drop(self, staged: Staged, start: int, stop: int) -> None:
        """Removes the chunks that end within these rows of the load order; all before them are loaded."""
        end = 0
        for chunk in staged.chunks:
            end += chunk.rows
            if start < end <= stop:
                self.store.delete(self.store.key(chunk.uri))

    def holds_anything(self) -> bool:
        """Whether a snapshot is there, complete or in the making."""
        return next(self.store.keys(self._root), None) is not None

    def clear(self) -> None:
        """Removes every snapshot of the Dataset."""
        for key in self.store.keys(self._root):
            self.store.delete(key)

    def _document(self, name: str) -> str:
        return f"{self._root}/{name}.json"


def chunks_of(
    batches: Iterable[pa.RecordBatch], most_rows: int = CHUNK_ROWS, most_bytes: int = _CHUNK_BYTES
) -> Iterator[pa.Table]:
    """The same rows in tables of bounded size, each as full as it may be."""
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        done = 0
        while done < batch.num_rows:
            width = max(1, batch.nbytes // batch.num_rows)
            room = max(1, min(most_rows - count, (most_bytes - size) // width))
            piece = batch.slice(done, room)
            done += piece.num_rows
            held.append(piece)
            count, size = count + piece.num_rows, size + piece.num_rows * width
            if count >= most_rows or size + width > most_bytes:
                yield pa.Table.from_batches(held)
                held, count, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


def _parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    pq.write_table(
        rows, sink, compression="zstd", compression_level=1, use_dictionary=texts, store_schema=False
    )
    return bytes(sink.getvalue())
