"""The loaded rows as they never were before: files in reverse order, rows in another one, batches of an odd size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from modelyard_api.contract.manifest import Part
from modelyard_runtime.manifests import read_part
from modelyard_runtime.s3 import ObjectStore

BATCH_ROWS = 7_919
_SEED = 20_640


def shuffled(store: ObjectStore, parts: Sequence[Part], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """All rows of the files, in the same strange order each time; at most one file is in memory.

    Raises DataError where a file is missing or was changed.
    """
    for number, part in reversed(list(enumerate(parts))):
        rows = read_part(store, part, columns)
        places = np.random.default_rng(_SEED + number).permutation(rows.num_rows)
        # Batch by batch, so that there is no second copy of the file's rows.
        for start in range(0, rows.num_rows, BATCH_ROWS):
            taken = rows.take(pa.array(places[start : start + BATCH_ROWS])).select(columns)
            yield from taken.combine_chunks().to_batches()
