"""Files of the record without the rows that were replaced: a manifest lists each row once, so these are written anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_loader.record.files import write_batch
from modelyard_loader.record.loads import PlacedPart
from modelyard_loader.staging.parts import Totals
from modelyard_runtime.hashing import row_hashes
from modelyard_runtime.manifests import read_part
from modelyard_runtime.s3 import ObjectStore

_SEED = 0


@dataclass(frozen=True)
class Rewritten:
    """The files that are left."""

    parts: tuple[PlacedPart, ...]
    rows: int
    """Rows that are in none of them any more."""


class Names:
    """A set of keys that columns can be looked up in."""

    def __init__(self, rows: pa.Table, key: tuple[str, ...]) -> None:
        self._key = key
        hashes = row_hashes(rows, key, _SEED)
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._rows = rows.select(list(key)).take(order)

    def found_in(self, rows: pa.Table) -> np.ndarray:
        """True for each row whose key is one of them."""
        hashes = row_hashes(rows, self._key, _SEED)
        places = np.searchsorted(self._hashes, hashes)
        places[places == len(self._hashes)] = 0
        candidates = np.flatnonzero(self._hashes[places] == hashes) if len(self._hashes) else np.zeros(0, int)
        same = np.ones(len(candidates), dtype=bool)
        for name in self._key:
            mine = self._rows.column(name).take(places[candidates])
            theirs = rows.column(name).take(candidates)
            same &= pc.equal(mine, theirs).to_numpy()
        found = np.zeros(rows.num_rows, dtype=bool)
        found[candidates[same]] = True
        return found


@dataclass(frozen=True)
class Replaced:
    """Rows that have other values now."""

    names: Names
    loads: Collection[int]
    """Loads that they came with; files of others hold none of them."""


def without(
    store: ObjectStore,
    dataset: str,
    parts: Iterable[PlacedPart],
    replaced: Replaced,
    totals: Totals | None,
) -> Rewritten:
    """The parts without the rows that were replaced, which are taken out of ``totals`` too."""
    left: list[PlacedPart] = []
    count = 0
    for placed in parts:
        if placed.sequence not in replaced.loads:
            left.append(placed)
            continue
        rows = read_part(store, placed.part)
        found = replaced.names.found_in(rows)
        if not found.any():
            left.append(placed)
            continue
        old = rows.filter(pa.array(found))
        count += old.num_rows
        if totals is not None:
            totals.subtract(old)
        rest = rows.filter(pa.array(~found))
        if rest.num_rows:
            left.append(PlacedPart(sequence=placed.sequence, part=write_batch(store, dataset, rest)))
    return Rewritten(tuple(left), count)
