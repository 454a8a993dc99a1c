"""CSV: parsed by Arrow in blocks, every value first as the text that it is.

Quotes that are left open are found by a row of our own behind the last: if it does not come back as it was, the end of
the file stands inside of a value.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from modelyard_api.v1alpha1.sources import CsvOptions, Files
from modelyard_loader.sources.conversion import RawBatch, RejectSink, kept_text
from modelyard_loader.sources.drift import Wanted
from modelyard_loader.sources.formats.format import FileText, Format
from modelyard_loader.sources.formats.quotes import QuoteWatch
from modelyard_loader.sources.formats.stream import Stream, UnpackedFile, Utf8Stream, check_encoding
from modelyard_loader.sources.reading import REJECTS_LIMIT, EmptySourceError, Reject
from modelyard_loader.sources.survey import Survey
from modelyard_loader.sources.values import DAMAGE
from modelyard_runtime.errors import DataError, InvalidSpecError

_BLOCKS = (1024 * 1024, 16 * 1024 * 1024)
"""Bytes that are parsed at once. The first is fast and frugal; the second is for files with rows that it cannot hold."""
_END = "\ufdd2"
"""What every value of our own last row is."""
_PARQUET = b"PAR1"


class CsvFormat(Format):
    """Rows of text with a header."""

    settles_times = False

    def __init__(self, files: Files, source_field: str) -> None:
        self._options = files.csv or CsvOptions()
        where = f"{source_field}.csv"
        check_encoding(self._options.encoding, f"{where}.encoding")
        for name in ("delimiter", "quote"):
            value = getattr(self._options, name)
            if not value.isascii() or value in "\r\n\0":
                raise InvalidSpecError(
                    "must be one character of ASCII and no line break", field=f"{where}.{name}", value=value
                )
        if self._options.delimiter == self._options.quote:
            raise InvalidSpecError("must differ from csv.delimiter", field=f"{where}.quote")

    def names(self, file: FileText) -> list[str]:
        """Names of the header. Raises DataError for one that no table can have."""
        with closing(UnpackedFile(file.path, file.name)) as packed:
            text = self._decoded(packed, file).read(_BLOCKS[0]).decode()
        if text.startswith(_PARQUET.decode()):
            raise DataError("is a Parquet file", field=file.name, remedy="set format to Parquet")
        options = self._options
        lines = csv.reader(
            io.StringIO(text, newline=""), delimiter=options.delimiter, quotechar=options.quote
        )
        try:
            header = next((line for line in lines if line), [])
        except csv.Error as error:
            raise DataError(
                f"the header cannot be read ({error})",
                field=file.name,
                remedy="check csv.delimiter and csv.quote",
            ) from error
        if not header:
            raise EmptySourceError(
                "is empty, it has not even a header",
                field=file.name,
                remedy="put a header and rows there, or take the file away",
            )
        _check_header(header, file.name)
        return header

    def survey(self, file: FileText, survey: Survey) -> None:
        """Narrows the types of all columns down by all values."""
        names = self.names(file)
        survey.names(file.name, names)
        for batch in self._read(file, names, names, _ignore):
            for name, column in zip(names, batch.rows.columns, strict=True):
                survey.text(name, column, whole=True)

    def rows(self, file: FileText, wanted: Sequence[Wanted], reject: RejectSink) -> Iterator[RawBatch]:
        """Rows as texts. Those with too few or too many values are rejected."""
        yield from self._read(file, self.names(file), [each.name for each in wanted], reject)

    def _decoded(self, packed: UnpackedFile, file: FileText) -> Utf8Stream:
        return Utf8Stream(packed, self._options.encoding, file.name)

    def _read(
        self, file: FileText, names: list[str], wanted: Sequence[str], reject: RejectSink
    ) -> Iterator[RawBatch]:
        """The rows, with larger blocks where one does not hold a row; what was given already is not given again."""
        given, told = 0, _Told(reject)
        for block in _BLOCKS:
            reading = _Reading(self._options, file.name, names, given, told)
            try:
                with closing(UnpackedFile(file.path, file.name)) as packed:
                    text = self._decoded(packed, file)
                    stream = QuoteWatch(text, self._options.delimiter, self._options.quote)
                    for batch in reading.batches(stream, wanted, block):
                        given = reading.reached
                        yield batch
            except _RowTooLongError:
                continue
            return
        raise DataError(
            f"row {given + 1} or a later one is longer than {_BLOCKS[-1] // 2**20} MiB, "
            "or a quote in it is opened and never closed",
            field=file.name,
            remedy="close the quote, or leave the long values out",
        )


@dataclass
class _Told:
    """Hands ragged rows on, each once: parsing runs ahead of the rows that are given."""

    sink: RejectSink
    last: int = 0

    def reject(self, reject: Reject) -> None:
        number = reject.row_number or 0
        if number > self.last:
            self.last = number
            self.sink(reject)


class _RowTooLongError(Exception):
    """A row does not fit into a block."""


@dataclass
class _Reading:
    """One pass over a file."""

    options: CsvOptions
    name: str
    names: list[str]
    known: int
    """Rows that an earlier pass has given."""
    told: _Told
    reached: int = 0
    """Rows seen, rejected ones included."""
    _bad: deque[int] = field(default_factory=deque)
    _rejected: int = 0
    _open: bool = False

    def batches(self, stream: Stream, wanted: Sequence[str], block: int) -> Iterator[RawBatch]:
        places = {name: f"c{place}" for place, name in enumerate(self.names)}
        chosen = [places[name] for name in wanted] or ["c0"]
        end = self.options.delimiter.join(_END for _ in self.names)
        source = pa.PythonFile(_WithEnd(stream, end.encode()), mode="r")
        try:
            reader = self._reader(source, list(places.values()), chosen, block)
            schema = pa.schema([(name, pa.string()) for name in wanted])
            last = False
            for batch in reader:
                last = bool(batch.num_rows) and batch.column(0)[-1].as_py() == _END
                rows = batch.slice(0, batch.num_rows - 1) if last else batch
                if rows.num_rows:
                    yield from self._fresh(
                        pa.RecordBatch.from_arrays(rows.columns[: len(wanted)], schema=schema)
                    )
        except pa.ArrowInvalid as error:
            if self._rejected > REJECTS_LIMIT:
                raise self._too_many() from error
            if "straddling" in str(error):
                raise _RowTooLongError from error
            raise DataError(
                f"cannot be read as CSV ({error})",
                field=self.name,
                remedy="check csv.delimiter and csv.quote, or set format to what it is",
            ) from error
        if self._open or not last:
            raise DataError(
                "a quote is opened and never closed, so that its value holds the rest of the file",
                field=f"{self.name} row {self.reached}",
                remedy="close it, or double it where it is part of the value",
            )

    def _reader(
        self, source: pa.PythonFile, columns: list[str], chosen: list[str], block: int
    ) -> arrow_csv.CSVStreamingReader:
        return arrow_csv.open_csv(
            source,
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=block, column_names=columns, skip_rows_after_names=1
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.options.delimiter,
                quote_char=self.options.quote,
                newlines_in_values=True,
                invalid_row_handler=self._ragged,
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=chosen,
                null_values=self.options.null_values,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _ragged(self, row: arrow_csv.InvalidRow) -> str:
        """Sets a row with another number of values aside."""
        if _END in row.text:
            self._open = True
            return "skip"
        number = row.number - 1
        self._bad.append(number)
        self._rejected += 1
        if self._rejected > REJECTS_LIMIT:
            return "error"
        reason = f"has {row.actual_columns} values instead of {row.expected_columns}"
        self.told.reject(Reject(number, reason, kept_text(row.text)))
        return "skip"

    def _fresh(self, rows: pa.RecordBatch) -> Iterator[RawBatch]:
        """The rows with their numbers, less those that an earlier pass has given."""
        count = rows.num_rows
        numbers = np.arange(self.reached + 1, self.reached + 1 + count + len(self._bad), dtype=np.int64)
        numbers = numbers[~np.isin(numbers, np.fromiter(self._bad, np.int64, len(self._bad)))][:count]
        self.reached = int(numbers[-1])
        while self._bad and self._bad[0] < self.reached:
            self._bad.popleft()
        skipped = int(np.searchsorted(numbers, self.known, side="right"))
        if skipped < count:
            yield RawBatch(rows.slice(skipped), numbers[skipped:])

    def _too_many(self) -> DataError:
        return DataError(
            f"more than {REJECTS_LIMIT:,} rows do not have {len(self.names)} values",
            field=self.name,
            remedy="check csv.delimiter and csv.quote",
        )


class _WithEnd:
    """A stream and one row more."""

    def __init__(self, stream: Stream, end: bytes) -> None:
        self._stream = stream
        self._end: bytes | None = end
        self._last = b"\n"
        self.closed = False

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, and a few more at the end."""
        chunk = self._stream.read(size)
        if chunk:
            self._last = chunk[-1:]
            return chunk
        if self._end is None:
            return b""
        given = (b"" if self._last == b"\n" else b"\n") + self._end + b"\n"
        self._end = None
        return given

    def close(self) -> None:
        """Whoever opened the file closes it."""


def _ignore(_: Reject) -> None:
    """The survey leaves rejected rows to the reading."""


def _check_header(header: Sequence[str], file: str) -> None:
    twins = sorted({name for name in header if header.count(name) > 1})
    if twins:
        raise DataError(
            f"the header names {', '.join(twins[:5])} more than once",
            field=file,
            remedy="give every column a name of its own",
        )
    if any(DAMAGE in name or "\0" in name for name in header):
        raise DataError(
            "the header holds characters that are none in the encoding that the file is read in",
            field=file,
            remedy="say the file's encoding in csv.encoding",
        )
    if any("\n" in name for name in header):
        raise DataError(
            "a name in the header goes over the end of its line",
            field=file,
            remedy="close the quote that is open there",
        )
    unnamed = [place for place, name in enumerate(header, 1) if not name.strip()]
    if unnamed:
        raise DataError(
            f"column {unnamed[0]} has no name in the header",
            field=file,
            remedy="give it one, or leave it out",
        )
