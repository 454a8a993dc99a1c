"""Rows as the engine reads them: a stream that can be read again, so that no reader has to hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from modelyard_runtime.columns import canonical_columns

HELD_OUT = "held out"
"""Column that says which rows are held out; no name of a user's column can have a blank."""
BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Rows:
    """Rows of one schema, read in batches of any size and in any order."""

    schema: pa.Schema
    batches: Callable[[], Iterable[pa.RecordBatch]]
    """Begins a new reading."""
    held_out: Callable[[pa.RecordBatch], np.ndarray] | None = None
    """True for each row that is held out; asked only where something is learned from the others."""

    @classmethod
    def of(cls, table: pa.Table, held_out: Callable[[pa.RecordBatch], np.ndarray] | None = None) -> Rows:
        """Rows that are in memory."""
        return cls(table.schema, lambda: table.to_batches(max_chunksize=BATCH_ROWS), held_out)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in canonical_columns(self.schema))


class Stream:
    """Rows as DuckDB asks for them. What a reading raises is kept, since Arrow passes on its text alone."""

    def __init__(self, rows: Rows, *, marked: bool) -> None:
        self._rows = rows
        self._marked = marked
        self.failure: Exception | None = None

    @property
    def schema(self) -> pa.Schema:
        """Schema of the rows, with the mark if it is asked for."""
        schema = self._rows.schema.remove_metadata()
        return schema.append(pa.field(HELD_OUT, pa.bool_())) if self._marked else schema

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self.schema, self._read())
        return reader.__arrow_c_stream__(requested_schema)

    def _read(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._rows.batches():
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield self._shown(batch.slice(start, BATCH_ROWS))
        except Exception as error:
            self.failure = error
            raise

    def _shown(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [batch.column(field.name) for field in self._rows.schema]
        if self._marked and self._rows.held_out is not None:
            arrays.append(pa.array(self._rows.held_out(batch), pa.bool_()))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)
