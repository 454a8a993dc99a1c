"""The rows of a source that may be loaded, as a stream; those that may not are refused on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from modelyard_loader.keys import Naming
from modelyard_loader.sources.reading import OpenSource, SourceBatch
from modelyard_loader.staging.rejects import Rejects


@dataclass(frozen=True)
class NumberedRows:
    """Named rows and the number of each in the source."""

    rows: pa.RecordBatch
    numbers: np.ndarray

    def where(self, wanted: np.ndarray) -> NumberedRows:
        """Those of the rows for which ``wanted`` is true."""
        return NumberedRows(self.rows.filter(pa.array(wanted)), self.numbers[wanted])


def accepted(source: OpenSource, naming: Naming, rejects: Rejects) -> Iterator[NumberedRows]:
    """Rows that fit when they are looked at one by one, in the source's order.

    Once there are too many that do not, the others are only counted, so that all of them can be told; the end of
    the stream then raises DataError.
    """
    for batch in source.batches():
        rejects.add(source.rejects)
        source.rejects.clear()
        fit = _fitting(NumberedRows(naming.named(batch.rows, batch.numbers), batch.numbers), naming, rejects)
        if fit.rows.num_rows and not rejects.too_many:
            yield fit
    rejects.add(source.rejects)
    source.rejects.clear()
    rejects.check()


def sound(batches: Iterable[SourceBatch], naming: Naming) -> Iterator[pa.RecordBatch]:
    """Named rows without those that have a flaw, for which nobody is told."""
    for batch in batches:
        rows = naming.named(batch.rows, batch.numbers)
        good = np.ones(rows.num_rows, dtype=bool)
        for flaw in naming.flaws(rows):
            good &= ~flaw.rows
        yield rows.filter(pa.array(good))


def _fitting(batch: NumberedRows, naming: Naming, rejects: Rejects) -> NumberedRows:
    """The rows without a flaw; the others are refused for the first that each has."""
    good: np.ndarray | None = None
    for flaw in naming.flaws(batch.rows):
        bad = flaw.rows if good is None else flaw.rows & good
        refused = batch.where(bad)
        rejects.add_rows(refused.rows, refused.numbers, flaw.reason)
        good = ~bad if good is None else good & ~bad
    return batch if good is None else batch.where(good)
