"""Raw rows into canonical ones; the rows with a value that does not fit are set aside with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.sources.drift import Difference, Wanted, refuse
from modelyard_loader.sources.reading import BATCH_BYTES, BATCH_ROWS, VALUE_BYTES, Reject, SourceBatch
from modelyard_loader.sources.values import DAMAGE, STRAY, Form, convert
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.errors import DataError

TEXT_BYTES = 4096
"""Bytes of a rejected row that are kept."""
_SHOWN = 60
_SURELY = 5
"""Values of a column that must all fail before the column is told to be of another type."""

RejectSink = Callable[[Reject], None]


@dataclass(frozen=True)
class RawBatch:
    """Rows as the source holds them."""

    rows: pa.RecordBatch
    numbers: np.ndarray
    """Number of each row, int64."""


@dataclass
class Conversion:
    """Turns the rows of one file, or answer, into those of the wanted columns."""

    wanted: Sequence[Wanted]
    where: str
    """Name of what is read, for messages."""
    reject: RejectSink
    inferred: bool = False
    """Whether the types were found out from these values, which then fit."""
    _any: bool = field(default=False, init=False)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the batches."""
        return pa.schema([(each.name, ARROW_TYPES[each.target.type]) for each in self.wanted])

    def apply(self, raw: RawBatch) -> SourceBatch:
        """The rows that fit. Raises DataError for a column none of whose values does."""
        columns, bad_columns = [], []
        for each, array in zip(self.wanted, raw.rows.columns, strict=True):
            try:
                converted = convert(array, each.target)
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise DataError(
                    f"values of type {array.type} cannot become {each.target.type}",
                    field=f"{self.where} column {each.name}",
                    remedy="declare another type in spec.columns",
                ) from error
            columns.append(converted.values)
            if converted.bad is not None:
                bad_columns.append((each, array, converted.bad))
        rows = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        numbers = raw.numbers
        if bad_columns:
            self._refuse_other_type(bad_columns)
            bad = np.logical_or.reduce([mask.to_numpy(zero_copy_only=False) for _, _, mask in bad_columns])
            self._set_aside(raw, bad, bad_columns)
            rows, numbers = rows.filter(pa.array(~bad)), numbers[~bad]
        self._any = self._any or bool(raw.rows.num_rows)
        return SourceBatch(rows, numbers)

    def _refuse_other_type(self, bad_columns: Sequence[tuple[Wanted, pa.Array, pa.BooleanArray]]) -> None:
        """At the beginning of a file, a column without one value that fits is no matter of single rows."""
        if self._any or self.inferred:
            return
        others = [
            Difference(each.name, f"is not {each.target}: {_shown(_python(array.drop_null()[0]))}")
            for each, array, bad in bad_columns
            if each.target.type is not ColumnType.TEXT or each.target.form is not Form.PLAIN
            if len(array) - array.null_count >= _SURELY
            if pc.sum(bad).as_py() == len(array) - array.null_count
        ]
        if others:
            refuse(others, self.where)

    def _set_aside(
        self, raw: RawBatch, bad: np.ndarray, bad_columns: Sequence[tuple[Wanted, pa.Array, pa.BooleanArray]]
    ) -> None:
        for place in np.flatnonzero(bad):
            each, array = next((each, array) for each, array, mask in bad_columns if mask[place].as_py())
            reason = f"column {each.name}: {_why(array[place], each)}"
            row = {
                name: _python(column[place])
                for name, column in zip(raw.rows.schema.names, raw.rows.columns, strict=True)
            }
            self.reject(Reject(int(raw.numbers[place]), reason, kept_text(_as_json(row))))


def _python(value: pa.Scalar) -> object:
    """A value for a message; times as texts, since Python does not have all of them."""
    return str(value.cast(pa.string())) if pa.types.is_temporal(value.type) else value.as_py()


def _why(found: pa.Scalar, each: Wanted) -> str:
    value = _python(found)
    if pa.types.is_temporal(found.type):
        return f"{value} is finer than a microsecond, or not in the years 0 to 9999"
    if isinstance(value, str) and DAMAGE in value:
        return "holds bytes that its encoding does not have"
    if isinstance(value, str) and STRAY in value:
        return f"{_shown(value)} goes on behind its closing quote"
    if each.target.type is ColumnType.TEXT and each.target.form is Form.PLAIN and isinstance(value, str):
        if "\0" in value:
            return "holds a NUL character"
        return f"has {len(value.encode()):,} bytes, at most {VALUE_BYTES:,} are taken"
    return f"{_shown(value)} is not {each.target}{_HINTS.get(each.target.type, '')}"


_HINTS = {
    ColumnType.INTEGER: " (a whole number of 64 bits)",
    ColumnType.NUMBER: " (64 bits; at most 15 digits unless spec.columns says Number)",
}


def _shown(value: object) -> str:
    text = repr(kept_text(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _as_json(row: dict[str, object]) -> str:
    cut = {name: value[:TEXT_BYTES] if isinstance(value, str) else value for name, value in row.items()}
    return json.dumps(cut, ensure_ascii=False, default=str)


def kept_text(text: str) -> str:
    """A rejected row as it is kept: within the limit, and without what Postgres cannot hold."""
    sound = (
        text.replace("\0", "\ufffd").replace(DAMAGE, "\ufffd").replace(STRAY, '"').encode("utf-8", "replace")
    )
    return sound[:TEXT_BYTES].decode("utf-8", "ignore")


def gathered(batches: Iterable[SourceBatch]) -> Iterator[SourceBatch]:
    """The batches, small ones put together."""
    held: list[SourceBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows += batch.rows.num_rows
        size += batch.rows.nbytes
        if rows >= BATCH_ROWS or size >= BATCH_BYTES:
            yield _joined(held)
            held, rows, size = [], 0, 0
    if held:
        yield _joined(held)


def _joined(batches: Sequence[SourceBatch]) -> SourceBatch:
    if len(batches) == 1:
        return batches[0]
    rows = pa.concat_batches([batch.rows for batch in batches])
    return SourceBatch(rows, np.concatenate([batch.numbers for batch in batches]))
