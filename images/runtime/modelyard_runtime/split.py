"""Which rows are held out for the final test: a function of loaded rows, the same in every variant that has a row.

The origin of a row is the key of the loaded row that it comes from. ``modelyard_runtime.hashing`` defines hashes; a share p
is ``testPercent / 100``.

- No option: a row is held out if the upper 53 bits of its origin's hash under ``seed`` are less than ``p * 2^53``, rounded
  down. It keeps its side whatever else arrives.
- ``groupBy``: the same with the hash of the group's value in place of the origin's, so that equal values stay on one
  side. Rows without a value go by their origin. They keep their side, too.
- ``stratifyBy``: of the n rows of a class, those with the ``n * p`` smallest hashes of the origin, rounded half up. Rows
  without a value are a class of their own. Each class has its share to the row; in return a row at the border may
  change sides when others of its class arrive.
- ``timeColumn``: of all n rows the last ``n * p``, rounded half up, by time and, among equal times, by the origin's hash.
  Numbers order as numbers, texts by their UTF-8 bytes, as ISO 8601 does. Rows without a time count as earliest and are
  never held out. Rows that were held out are learned from when enough later ones have arrived.

The last two need all loaded rows to draw a line. It is drawn once a load and kept in the manifest, so that a variant with
fewer rows, or with copies of some, has every row on the same side.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.contract.manifest import Column, Manifest, SplitBorder
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.columns import to_canonical
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_runtime.hashing import row_hashes, whole

MOST_CLASSES = 1000
_TIME, _HASH, _CLASS = "time", "hash", "class"
_SPARE_ROWS = 262_144
_ZEROS: dict[pa.DataType, object] = {pa.int64(): 0, pa.float64(): 0.0, pa.bool_(): False, pa.string(): ""}


@dataclass(frozen=True)
class SplitLine:
    """The rule by which a row, seen alone, is on one side or the other."""

    split: Split
    origin: tuple[str, ...]
    """Columns that name the loaded row."""
    border: SplitBorder | None = None
    """Where stratifyBy or timeColumn draw the line; they have none before all rows were seen."""

    @classmethod
    def of(cls, manifest: Manifest) -> SplitLine:
        """The line of a version."""
        return cls(manifest.split, tuple(manifest.origin or manifest.key), manifest.border)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the rule looks at."""
        asked = asked_column(self.split)
        return self.origin if asked is None or asked in self.origin else (*self.origin, asked)

    def mask(self, rows: pa.Table | pa.RecordBatch) -> np.ndarray:
        """True for each row that is held out."""
        table = to_canonical(_table(rows).select(list(self.columns)))
        hashes = row_hashes(table, self.origin, self.split.seed)
        if self.split.group_by is not None:
            return self._below_share(_grouped(table.column(self.split.group_by), hashes, self.split.seed))
        if asked_column(self.split) is None:
            return self._below_share(hashes)
        if self.border is None:
            raise DataError("the manifest does not say where the line is drawn", field="border")
        if self.split.stratify_by is not None:
            return _first_of_class(self.border, table.column(self.split.stratify_by), hashes)
        return _after(self.border, table.column(str(self.split.time_column)), hashes)

    def _below_share(self, hashes: np.ndarray) -> np.ndarray:
        threshold = int(Decimal(self.split.test_percent) / 100 * 2**53)
        return (hashes >> np.uint64(11)) < np.uint64(threshold)


def asked_column(split: Split) -> str | None:
    """The column that an option of the split names."""
    return split.stratify_by or split.group_by or split.time_column


def needs_border(split: Split) -> bool:
    """Whether all rows must be seen before one is judged."""
    return split.stratify_by is not None or split.time_column is not None


def check_split(split: Split, loaded: Sequence[Column]) -> None:
    """Raises InvalidSpecError if the split names a column that the loaded rows do not have, or not of a type that fits."""
    asked = asked_column(split)
    if asked is None:
        return
    option = "stratifyBy" if split.stratify_by else "groupBy" if split.group_by else "timeColumn"
    field = f"spec.split.{option}"
    found = next((column for column in loaded if column.name == asked), None)
    if found is None:
        names = ", ".join(column.name for column in loaded)
        raise InvalidSpecError(
            "is not a column of the loaded rows", field=field, value=asked, remedy=f"use one of {names}"
        )
    if split.time_column is not None and found.type is ColumnType.BOOLEAN:
        raise InvalidSpecError(
            "is Boolean and has no order in time",
            field=field,
            value=asked,
            remedy="use a column of numbers or of ISO 8601 texts",
        )


def held_out(table: pa.Table, key: Sequence[str], split: Split) -> np.ndarray:
    """True for each row of a whole set of loaded rows that is held out. The key's columns hold no nulls."""
    return draw_line(split, tuple(key), table.num_rows, [table]).mask(table)


def draw_line(
    split: Split, origin: tuple[str, ...], total: int, rows: Iterable[pa.Table | pa.RecordBatch]
) -> SplitLine:
    """The line between both sides of ``total`` loaded rows; ``rows`` are read only where the split needs to see them."""
    line = SplitLine(split, origin)
    if not needs_border(split):
        return line
    seen = (to_canonical(_table(each).select(list(line.columns))) for each in rows)
    border = _by_class(line, seen) if split.stratify_by is not None else _by_time(line, total, seen)
    return SplitLine(split, origin, border)


def _table(rows: pa.Table | pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows


def _share(split: Split, rows: int) -> int:
    return int((Decimal(split.test_percent) * rows / 100).to_integral_value(ROUND_HALF_UP))


def _without_nans(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _grouped(groups: pa.ChunkedArray, own: np.ndarray, seed: int) -> np.ndarray:
    """Hash of each group's value, or the row's own where it has none."""
    groups = _without_nans(groups)
    filled = pc.fill_null(groups, pa.scalar(_ZEROS[groups.type], groups.type))
    hashes = row_hashes(pa.table({_CLASS: filled}), [_CLASS], seed)
    return np.where(groups.is_valid().to_numpy(), hashes, own)


def _classes(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Names of the classes as JSON, and for each row the place of its own among them."""
    encoded = whole(_without_nans(column)).dictionary_encode(null_encoding="encode")
    names = [json.dumps(value, ensure_ascii=False) for value in encoded.dictionary.to_pylist()]
    return names, encoded.indices.to_numpy(zero_copy_only=False)


def _by_class(line: SplitLine, rows: Iterable[pa.Table]) -> SplitBorder:
    found: dict[str, list[np.ndarray]] = {}
    for table in rows:
        hashes = row_hashes(table, line.origin, line.split.seed)
        names, codes = _classes(table.column(str(line.split.stratify_by)))
        for place, name in enumerate(names):
            found.setdefault(name, []).append(hashes[codes == place])
        if len(found) > MOST_CLASSES:
            raise DataError(
                f"has more than {MOST_CLASSES} different values",
                field="spec.split.stratifyBy",
                value=line.split.stratify_by,
                remedy="use a column of classes, or no option",
            )
    last: dict[str, str] = {}
    for name in sorted(found):
        hashes = np.concatenate(found.pop(name))
        count = _share(line.split, len(hashes))
        if count:
            last[name] = f"{int(np.partition(hashes, count - 1)[count - 1]):016x}"
    return SplitBorder(classes=last)


def _first_of_class(border: SplitBorder, column: pa.ChunkedArray, hashes: np.ndarray) -> np.ndarray:
    names, codes = _classes(column)
    known = np.array([name in border.classes for name in names], dtype=bool)
    last = np.array([int(border.classes.get(name, "0"), 16) for name in names], dtype=np.uint64)
    if not names:
        return np.zeros(0, dtype=bool)
    return np.asarray(known[codes] & (hashes <= last[codes]))


def _by_time(line: SplitLine, total: int, rows: Iterable[pa.Table]) -> SplitBorder:
    """Keeps the latest rows seen so far, and no more of the others than it takes to sort seldom."""
    count = _share(line.split, total)
    name = str(line.split.time_column)
    latest: pa.Table | None = None
    for table in rows:
        times = _without_nans(table.column(name))
        if pa.types.is_floating(times.type) and pc.any(pc.is_inf(times)).as_py():
            raise DataError("holds infinite times", field="spec.split.timeColumn", value=name)
        hashes = row_hashes(table, line.origin, line.split.seed)
        seen = pa.table({_TIME: times, _HASH: hashes}).filter(times.is_valid())
        latest = seen if latest is None else pa.concat_tables([latest, seen])
        if latest.num_rows > 2 * count + _SPARE_ROWS:
            latest = _last(latest, count)
    if latest is None or count == 0 or latest.num_rows == 0:
        return SplitBorder()
    first = _last(latest, count).slice(min(count, latest.num_rows) - 1, 1).to_pylist()[0]
    return SplitBorder(time=first[_TIME], hash=f"{first[_HASH]:016x}")


def _last(rows: pa.Table, count: int) -> pa.Table:
    order = pc.sort_indices(rows, sort_keys=[(_TIME, "descending"), (_HASH, "descending")])
    return rows.take(order.slice(0, count))


def _after(border: SplitBorder, times: pa.ChunkedArray, hashes: np.ndarray) -> np.ndarray:
    if border.time is None:
        return np.zeros(len(hashes), dtype=bool)
    first = pa.scalar(border.time, times.type)
    times = _without_nans(times)
    later = pc.fill_null(pc.greater(times, first), fill_value=False).to_numpy()
    same = pc.fill_null(pc.equal(times, first), fill_value=False).to_numpy()
    return np.asarray(later | (same & (hashes >= np.uint64(int(border.hash or "0", 16)))))
