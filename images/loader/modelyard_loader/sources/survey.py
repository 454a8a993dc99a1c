"""Finds out types from all values of a source: the same answer however they are cut into blocks and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.sources.values import Form, Target, is_marked, marked, parse
from modelyard_runtime.errors import DataError

_CODED = r"^\s*[-+]?0[0-9xX]"
"""A number that is written like a code: 007 would come back as 7."""
_BLANK = 0x20
"""Characters up to this one are blanks or invisible."""
_LOWER = 0x20
"""The bit that makes a letter of ASCII a small one."""
_LONG = 18
"""Digits that a whole number of 64 bits has in any case."""
_WIDER = {frozenset({ColumnType.INTEGER, ColumnType.NUMBER}): ColumnType.NUMBER}


@dataclass(frozen=True)
class Found:
    """What a column is."""

    name: str
    target: Target


def _all_parse(target: Target, texts: pa.StringArray) -> bool:
    return parse(texts, target).bad is None


def _is_number(target: Target, texts: pa.StringArray) -> bool:
    """Whether all are numbers of which none would lose digits that may be a name."""
    if not _all_parse(target, texts):
        return False
    longest, is_coded = _shape(texts)
    if is_coded or longest <= _LONG:
        return not is_coded
    digits = texts.filter(pc.match_substring_regex(texts, r"^\s*[-+]?[0-9]+\s*$"))
    return _all_parse(_INTEGER, digits)


def _shape(texts: pa.StringArray) -> tuple[int, bool]:
    """Bytes of the longest text, and whether one is written like a code; by bytes, which is ten times a pattern's speed."""
    _, offsets, data = texts.buffers()
    if data is None or len(texts) == 0:
        return 0, False
    borders = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    characters = np.frombuffer(data, np.uint8)
    starts, lengths = borders[:-1], np.diff(borders)
    longest = int(lengths.max())
    starts, lengths = starts[lengths > 1], lengths[lengths > 1]
    first = characters[starts]
    if (first <= _BLANK).any():
        return longest, bool(pc.any(pc.match_substring_regex(texts, _CODED)).as_py())
    is_signed = (first == ord("+")) | (first == ord("-"))
    starts = (starts + is_signed)[lengths - is_signed > 1]
    second = characters[starts + 1]
    is_digit = (second >= ord("0")) & (second <= ord("9"))
    is_hex = (second | _LOWER) == ord("x")
    return longest, bool(((characters[starts] == ord("0")) & (is_digit | is_hex)).any())


def _is_word(texts: pa.StringArray) -> bool:
    lower = pc.ascii_lower(pc.utf8_trim_whitespace(texts))
    return bool(pc.all(pc.is_in(lower, value_set=pa.array(["true", "false", ""]))).as_py())


_INTEGER = Target(ColumnType.INTEGER)
_NUMBER = Target(ColumnType.NUMBER)
_BOOLEAN = Target(ColumnType.BOOLEAN)
_TEXT = Target(ColumnType.TEXT)
_INSTANT = Target(ColumnType.TEXT, Form.INSTANT)
_LOCAL = Target(ColumnType.TEXT, Form.LOCAL)


def _is_time(texts: pa.StringArray) -> bool:
    """Whether each is a time, with a zone or without."""
    instant, local = parse(texts, _INSTANT).bad, parse(texts, _LOCAL).bad
    return instant is None or local is None or not pc.any(pc.and_(instant, local)).as_py()


_TESTS: Mapping[Target, Callable[[pa.StringArray], bool]] = {
    _INTEGER: partial(_is_number, _INTEGER),
    _NUMBER: partial(_is_number, _NUMBER),
    _BOOLEAN: _is_word,
    _INSTANT: partial(_all_parse, _INSTANT),
    _LOCAL: partial(_all_parse, _LOCAL),
}
"""What texts may turn out to be, the narrowest first."""


@dataclass
class _Texts:
    """What a column of texts may still be."""

    possible: list[Target]
    may_be_times: bool = True
    any_value: bool = False

    def add(self, texts: pa.StringArray) -> None:
        if self.any_value and not self.possible and not self.may_be_times:
            return
        if is_marked(texts):
            # Their rows are rejected, whatever the type.
            texts = texts.filter(pc.invert(marked(texts)))
        texts = texts.drop_null() if texts.null_count else texts
        if not self.any_value:
            texts = texts.filter(pc.not_equal(pc.utf8_trim_whitespace(texts), ""))
        if len(texts) == 0:
            return
        self.any_value = True
        left: list[Target] = []
        for each in self.possible:
            implied = each is _NUMBER and _INTEGER in left
            if implied or _TESTS[each](texts):
                left.append(each)
        self.possible = left
        self.may_be_times = self.may_be_times and _is_time(texts)

    def settle(self) -> None:
        """They are texts and nothing else."""
        self.any_value, self.possible, self.may_be_times = True, [], False

    def target(self, name: str) -> Target:
        if not self.any_value:
            return _TEXT
        if self.possible:
            return self.possible[0]
        if self.may_be_times:
            raise DataError(
                "some of its times have a zone and some have none, so they cannot be ordered",
                field=f"column {name}",
                remedy="give all of them a zone, or declare the column as Text in spec.columns",
            )
        return _TEXT


@dataclass
class _Column:
    texts: _Texts
    type: ColumnType | None = None
    """Widest of the types that were told, None for none."""


@dataclass
class Survey:
    """What is known of the columns. Texts narrow down what a column may be; types that are told can only widen."""

    _columns: dict[str, _Column] = field(default_factory=dict)
    _first: tuple[str, list[str]] | None = None

    def names(self, file: str, names: Sequence[str]) -> None:
        """Columns of a file. Raises DataError where they are others than those of the first."""
        if self._first is None:
            self._first = (file, list(names))
        elif set(names) != set(self._first[1]):
            lines = [f"{name} is only in {self._first[0]}" for name in self._first[1] if name not in names]
            lines += [f"{name} is only in {file}" for name in names if name not in self._first[1]]
            raise DataError(
                f"the files do not have the same columns: {'; '.join(lines[:12])}",
                field=file,
                remedy="make them alike, or say in spec.columns which columns are wanted of all",
            )
        for name in names:
            self._column(name)

    def text(self, name: str, texts: pa.StringArray, *, whole: bool) -> None:
        """Values of a column that are written as texts; ``whole``: they may be numbers and words too."""
        column = self._column(name)
        if not whole:
            column.texts.possible = [each for each in column.texts.possible if each.form is not Form.PLAIN]
        column.texts.add(texts)

    def told(self, name: str, type_: ColumnType | None) -> None:
        """A type that the format gives, None for a column of nulls."""
        column = self._column(name)
        if type_ is None or type_ is column.type:
            return
        wider = type_ if column.type is None else _WIDER.get(frozenset({type_, column.type}))
        if wider is None:
            column.texts.settle()
        column.type = ColumnType.TEXT if wider is None else wider

    def type(self, name: str) -> ColumnType | None:
        """Type that was told so far."""
        column = self._columns.get(name)
        return column.type if column else None

    def found(self) -> list[Found]:
        """Name and type of every column, in the order in which they were first met."""
        return [Found(name, self._target(name, column)) for name, column in self._columns.items()]

    def _column(self, name: str) -> _Column:
        if name not in self._columns:
            self._columns[name] = _Column(_Texts(list(_TESTS)))
        return self._columns[name]

    @staticmethod
    def _target(name: str, column: _Column) -> Target:
        if column.type is None:
            return column.texts.target(name)
        if column.type is not ColumnType.TEXT or not column.texts.any_value:
            return Target(column.type)
        return column.texts.target(name)
