"""Rows of a source in the order in which they are loaded, each name once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from modelyard_api.v1alpha1.loading import Order
from modelyard_loader.keys import Naming
from modelyard_loader.staging.accepted import NumberedRows
from modelyard_loader.staging.rejects import Rejects
from modelyard_loader.staging.spool import Spool, repeated

_NUMBER = "0 number"


def arranged(
    rows: Iterable[NumberedRows], naming: Naming, order: Order, rejects: Rejects, scratch: Path
) -> Iterator[NumberedRows]:
    """The rows in load order; of those with one name the first in the source stays, the others are refused.

    What does not fit into memory waits in ``scratch``. Raises DataError at the end for too many refused rows.
    """
    if order.hash is not None:
        yield from _by_hash(rows, naming, order.hash.seed, rejects, scratch)
    elif naming.numbered:
        yield from rows
    else:
        yield from _as_they_came(rows, naming, rejects, scratch)
    rejects.check()


def _by_hash(
    rows: Iterable[NumberedRows], naming: Naming, seed: int, rejects: Rejects, scratch: Path
) -> Iterator[NumberedRows]:
    spool = Spool(scratch, naming.key, seed)
    for each in rows:
        spool.add(each)
    for batch in spool.batches():
        again = repeated(batch.rows, naming.key)
        if again.any():
            _refuse(batch.where(again), naming, rejects)
            yield batch.where(~again)
        else:
            yield batch


def _as_they_came(
    rows: Iterable[NumberedRows], naming: Naming, rejects: Rejects, scratch: Path
) -> Iterator[NumberedRows]:
    keys = Spool(scratch, naming.key, seed=0)
    waiting = RowFile(scratch / "rows.arrow", naming)
    with waiting:
        for each in rows:
            keys.add(NumberedRows(each.rows.select(list(naming.key)), each.numbers))
            waiting.add(each)
    found = [batch.numbers[repeated(batch.rows, naming.key)] for batch in keys.batches()]
    refused = np.concatenate([np.zeros(0, dtype=np.int64), *found])
    for batch in waiting.batches():
        again = np.isin(batch.numbers, refused)
        _refuse(batch.where(again), naming, rejects)
        yield batch.where(~again)


def _refuse(batch: NumberedRows, naming: Naming, rejects: Rejects) -> None:
    """Refuses rows whose names earlier ones have; each is told with its own name as far as they are told at all."""
    order = np.argsort(batch.numbers)
    told = order[: rejects.room + 1]
    for place in told:
        row = batch.rows.slice(place, 1)
        rejects.add_rows(row, batch.numbers[place : place + 1], naming.twice(row.to_pylist()[0]))
    rejects.count += len(order) - len(told)


class RowFile:
    """Rows on the local disk, in the order in which they were added."""

    def __init__(self, path: Path, naming: Naming) -> None:
        self._path = path
        self._schema = naming.schema.append(pa.field(_NUMBER, pa.int64()))

    def __enter__(self) -> Self:
        self._file = pa.OSFile(str(self._path), "wb")
        self._writer = pa.ipc.new_stream(self._file, self._schema)
        return self

    def __exit__(self, *_error: object) -> None:
        self._writer.close()
        self._file.close()

    def add(self, batch: NumberedRows) -> None:
        """Appends rows; only within a ``with`` block."""
        arrays = [*batch.rows.columns, pa.array(batch.numbers)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def batches(self) -> Iterator[NumberedRows]:
        """All rows; may be called again."""
        with pa.OSFile(str(self._path)) as file:
            for batch in pa.ipc.open_stream(file):
                yield NumberedRows(batch.drop_columns([_NUMBER]), batch.column(_NUMBER).to_numpy())
