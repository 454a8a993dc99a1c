"""JSON lines: parsed by Arrow in blocks of whole lines, and line by line where a block holds a line that does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.sources import Files
from modelyard_loader.sources.conversion import RawBatch, RejectSink, kept_text
from modelyard_loader.sources.drift import Difference, Wanted, refuse
from modelyard_loader.sources.formats.format import FileText, Format
from modelyard_loader.sources.formats.stream import UnpackedFile, Utf8Stream
from modelyard_loader.sources.reading import REJECTS_LIMIT, Reject
from modelyard_loader.sources.survey import Survey
from modelyard_loader.sources.values import DAMAGE
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.errors import DataError

_BLOCK_BYTES = 1024 * 1024
_LINE_BYTES = 16 * 1024 * 1024
_EXACT = 2.0**53
_BOUND = 2**63
_SHOWN = 60
_OBJECT = re.compile(rb"\s*\{.*\}\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class _Literal:
    """A number as it is written."""

    text: str
    is_whole: bool

    @property
    def type(self) -> ColumnType:
        """Integer where 64 bits hold it; a larger whole number is more likely a name, so a Text."""
        if not self.is_whole:
            return ColumnType.NUMBER
        return ColumnType.INTEGER if -_BOUND <= int(self.text) < _BOUND else ColumnType.TEXT


@dataclass(frozen=True)
class _Block:
    """Whole lines; ``first`` is the number of the first row, blank lines not counted."""

    lines: list[bytes]
    first: int


class JsonLinesFormat(Format):
    """One JSON object a line."""

    settles_times = False

    def __init__(self, files: Files, source_field: str) -> None:
        del files, source_field

    def names(self, file: FileText) -> None:
        """The names stand in the rows."""
        del file

    def survey(self, file: FileText, survey: Survey) -> None:
        """Widens types by all values; texts are looked at for times."""
        for block in _blocks(file):
            table = _typed(block)
            if table is None:
                _survey_lines(block, survey)
            else:
                _survey_table(table, block, survey)

    def rows(self, file: FileText, wanted: Sequence[Wanted], reject: RejectSink) -> Iterator[RawBatch]:
        """Rows with a value or null for each wanted column. Lines that are no object of such values are rejected."""
        schema = pa.schema([(each.name, ARROW_TYPES[each.target.type]) for each in wanted])
        lines = _Lines(wanted, file.name)
        for block in _blocks(file):
            table = _typed(block, schema, "infer" if self.only_wanted else "ignore")
            if table is not None and not _any_infinite(table):
                self._check(table.column_names, schema.names, file)
                numbers = np.arange(block.first, block.first + table.num_rows, dtype=np.int64)
                yield RawBatch(_one_batch(table.select(schema.names)), numbers)
                continue
            yield lines.read(block, schema, reject)
            self._check(lines.names, schema.names, file)
            if lines.rejected > REJECTS_LIMIT:
                raise DataError(
                    f"more than {REJECTS_LIMIT:,} lines do not fit",
                    field=file.name,
                    remedy="put one JSON object on each line",
                )

    def _check(self, names: Iterable[str], wanted: Sequence[str], file: FileText) -> None:
        additional = [Difference(name, "is new") for name in names if name not in wanted]
        if self.only_wanted and additional:
            refuse(additional, file.name)


def _blocks(file: FileText) -> Iterator[_Block]:
    first, rest = 1, b""
    with closing(UnpackedFile(file.path, file.name)) as packed:
        stream = Utf8Stream(packed, "utf-8", file.name)
        while True:
            chunk = stream.read(_BLOCK_BYTES)
            content = rest + chunk
            cut = content.rfind(b"\n") + 1 if chunk else len(content)
            rest = content[cut:]
            lines = [line for line in content[:cut].split(b"\n") if line.strip()]
            if lines:
                yield _Block(lines, first)
                first += len(lines)
            if not chunk:
                return
            if len(rest) > _LINE_BYTES:
                raise DataError(
                    f"line {first} is longer than {_LINE_BYTES // 2**20} MiB",
                    field=file.name,
                    remedy="put one object on each line",
                )


def _any_infinite(table: pa.Table) -> bool:
    """Whether a number is infinite, as one is that is too large for 64 bits."""
    numbers = [column for column in table.columns if pa.types.is_float64(column.type)]
    return any(pc.any(pc.is_inf(column)).as_py() for column in numbers)


def _typed(block: _Block, schema: pa.Schema | None = None, others: str = "infer") -> pa.Table | None:
    """The block in one go, or None where it must be looked at line by line.

    Arrow is only given lines that look like objects: a lone ``null`` ends the process.
    """
    if not all(_OBJECT.match(line) for line in block.lines):
        return None
    content = b"\n".join(block.lines) + b"\n"
    options = arrow_json.ParseOptions(
        explicit_schema=schema,
        newlines_in_values=False,
        unexpected_field_behavior=others,
    )
    reading = arrow_json.ReadOptions(use_threads=False, block_size=len(content) + 1)
    try:
        table = arrow_json.read_json(pa.BufferReader(content), read_options=reading, parse_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None
    return table if table.num_rows == len(block.lines) else None


def _survey_table(table: pa.Table, block: _Block, survey: Survey) -> None:
    for field, column in zip(table.schema, table.columns, strict=True):
        held = field.type
        simple = pa.types.is_null(held) or pa.types.is_boolean(held) or pa.types.is_int64(held)
        exact = pa.types.is_float64(held) and not pc.any(pc.greater_equal(pc.abs(column), _EXACT)).as_py()
        if not (simple or exact or pa.types.is_string(held)):
            _survey_lines(block, survey)
            return
    for field, column in zip(table.schema, table.columns, strict=True):
        survey.told(field.name, _TOLD.get(field.type))
        if pa.types.is_string(field.type):
            survey.text(field.name, column.combine_chunks(), whole=False)


_TOLD = {held: type_ for type_, held in ARROW_TYPES.items()}


def _survey_lines(block: _Block, survey: Survey) -> None:
    texts: dict[str, list[str]] = {}
    for line in block.lines:
        row = _parsed(line)
        if not isinstance(row, dict):
            continue
        for name, value in row.items():
            survey.told(name, _type_of(value))
            if isinstance(value, str):
                texts.setdefault(name, []).append(value)
    for name, values in texts.items():
        survey.text(name, pa.array(values, pa.string()), whole=False)


def _type_of(value: object) -> ColumnType | None:
    if value is None:
        return None
    if isinstance(value, _Literal):
        return value.type
    return ColumnType.BOOLEAN if isinstance(value, bool) else ColumnType.TEXT


def _parsed(line: bytes) -> object:
    """The value on a line; lists and objects inside of it stay what they are. A ValueError for what is no JSON."""
    try:
        return json.loads(
            line,
            parse_int=lambda text: _Literal(text, is_whole=True),
            parse_float=lambda text: _Literal(text, is_whole=False),
            parse_constant=lambda text: _Literal(text, is_whole=False),
            object_pairs_hook=_once_each,
        )
    except (ValueError, RecursionError) as error:
        return ValueError(str(error))


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in the object")
    return found


class _Lines:
    """Reads a block line by line."""

    def __init__(self, wanted: Sequence[Wanted], file: str) -> None:
        self._wanted = wanted
        self._file = file
        self.rejected = 0
        self.names: set[str] = set()
        """Names that were met."""

    def read(self, block: _Block, schema: pa.Schema, reject: RejectSink) -> RawBatch:
        values: list[list[object]] = [[] for _ in self._wanted]
        numbers = []
        for number, line in enumerate(block.lines, block.first):
            reason, row = self._row(line)
            if reason:
                self.rejected += 1
                reject(Reject(number, reason, kept_text(line.decode(errors="replace"))))
                continue
            numbers.append(number)
            for column, value in zip(values, row, strict=True):
                column.append(value)
        arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
        return RawBatch(pa.RecordBatch.from_arrays(arrays, schema=schema), np.array(numbers, np.int64))

    def _row(self, line: bytes) -> tuple[str, list[object]]:
        parsed = _parsed(line)
        if isinstance(parsed, ValueError):
            return f"is no JSON ({parsed})", []
        if DAMAGE.encode() in line:
            return "holds bytes that its encoding does not have", []
        if not isinstance(parsed, dict):
            return "is no JSON object", []
        self.names.update(parsed)
        row = []
        for each in self._wanted:
            value = parsed.get(each.name)
            fits, held = _as(value, each.target.type)
            if not fits:
                return f"column {each.name}: {_shown(value)} is not {each.target}", []
            row.append(held)
        return "", row


def _as(value: object, type_: ColumnType) -> tuple[bool, object]:
    """Whether a JSON value fits a canonical type, and as what."""
    if value is None:
        return True, None
    if isinstance(value, _Literal):
        return _number_as(value, type_)
    if isinstance(value, bool):
        return type_ in {ColumnType.BOOLEAN, ColumnType.TEXT}, (
            json.dumps(value) if type_ is ColumnType.TEXT else value
        )
    if isinstance(value, str):
        sound = value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
        return type_ is ColumnType.TEXT and sound, value
    return False, None


def _number_as(literal: _Literal, type_: ColumnType) -> tuple[bool, object]:
    if type_ is ColumnType.TEXT:
        return True, literal.text
    if type_ is ColumnType.BOOLEAN:
        return False, None
    number = float(literal.text)
    if type_ is ColumnType.NUMBER:
        overflown = number in (float("inf"), float("-inf")) and "inf" not in literal.text.lower()
        return not overflown, number
    if literal.is_whole:
        return literal.type is ColumnType.INTEGER, int(
            literal.text
        ) if literal.type is ColumnType.INTEGER else None
    fits = number.is_integer() and abs(number) < _EXACT
    return fits, int(number) if fits else None


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = value.text if isinstance(value, _Literal) else json.dumps(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]
