"""Values of any Arrow type as values of a canonical type, and which of them do not fit.

Everything is decided by the value alone, never by its neighbours, so that neither blocks nor threads show.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.sources.reading import VALUE_BYTES
from modelyard_runtime.columns import ARROW_TYPES

DAMAGE = "\ufdd1"
"""Stands in a text for bytes that its encoding does not have; no text of the world holds this code point."""
STRAY = "\ufdd3"
"""Stands in a text of a CSV file where a quote was closed and the value went on."""
EXACT_DIGITS = 15
"""Significant decimal digits that a float64 keeps in any case."""

_INTEGER = r"^[-+]?[0-9]+$"
_NUMBER = r"(?i)^[-+]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?|nan|inf|infinity)$"
_INFINITE = r"(?i)inf"
_ZONED = r"(Z|[-+][0-9]{2}(:?[0-9]{2})?)$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}"
_BOUND = 2**63
_WORDS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


class Form(StrEnum):
    """What the texts of a Text column are."""

    PLAIN = "plain"
    INSTANT = "instant"
    """Times with a zone, written in UTC."""
    LOCAL = "local"
    """Times without a zone."""


@dataclass(frozen=True)
class Target:
    """What values shall become."""

    type: ColumnType
    form: Form = Form.PLAIN
    rounded: bool = False
    """Whether decimals with more digits than a Number keeps may be rounded, since the spec says Number."""

    exact: bool = False
    """Whether texts stand for decimals, of which each digit counts."""

    def __str__(self) -> str:
        return _NAMES.get(self.form, self.type.value)


_NAMES = {
    Form.INSTANT: "a time with a zone (ISO 8601)",
    Form.LOCAL: "a time without a zone (ISO 8601)",
}


@dataclass(frozen=True)
class Converted:
    """``values`` in the canonical Arrow type, null where ``bad`` is true; ``bad`` is None where all fit."""

    values: pa.Array
    bad: pa.BooleanArray | None = None


def convert(array: pa.Array, target: Target) -> Converted:
    """The values as the target wants them. Raises ``pa.ArrowNotImplementedError`` for types that have no such values."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    held = array.type
    wanted = ARROW_TYPES[target.type]
    if pa.types.is_null(held):
        return Converted(pa.nulls(len(array), wanted))
    if is_text(held):
        return _from_text(array.cast(pa.string()), target)
    if pa.types.is_temporal(held):
        if target.type is not ColumnType.TEXT:
            raise pa.ArrowNotImplementedError(f"a time is no {target.type}")
        return _from_time(array)
    if pa.types.is_decimal(held) and target.type is ColumnType.NUMBER:
        return _from_decimal(array, target)
    if pa.types.is_boolean(held) and target.type is ColumnType.NUMBER:
        array = array.cast(pa.int64())
    if target.type is ColumnType.BOOLEAN and not pa.types.is_boolean(held):
        return _zero_or_one(array)
    return _cast(array, wanted)


def is_text(held: pa.DataType) -> bool:
    """Whether values of the type are texts."""
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held))


def parse(texts: pa.StringArray, target: Target) -> Converted:
    """Texts read as values of another type, as a CSV file holds them; blanks around them do not count."""
    if target.type is ColumnType.INTEGER:
        return _integers(texts)
    if target.type is ColumnType.NUMBER:
        return _numbers(texts, exact=target.exact and not target.rounded)
    if target.type is ColumnType.BOOLEAN:
        return _booleans(texts)
    return _times(texts, target.form)


def is_marked(texts: pa.StringArray) -> bool:
    """Whether something in these texts could not be read as it stands."""
    data = texts.buffers()[2]
    content = b"" if data is None else data.to_pybytes()
    return DAMAGE.encode() in content or STRAY.encode() in content


def marked(texts: pa.StringArray) -> pa.BooleanArray:
    """Which texts could not be read as they stand; null for null."""
    return pc.or_(pc.match_substring(texts, DAMAGE), pc.match_substring(texts, STRAY))


def _from_text(texts: pa.StringArray, target: Target) -> Converted:
    if target.type is ColumnType.TEXT and target.form is Form.PLAIN:
        return _checked(texts)
    return parse(texts, target)


def _checked(texts: pa.StringArray) -> Converted:
    """Texts that Postgres can hold. Buffers are looked at as a whole first, since nearly all of them are sound."""
    data = texts.buffers()[2]
    content = b"" if data is None else data.to_pybytes()
    if not (is_marked(texts) or b"\0" in content or len(content) > VALUE_BYTES):
        return Converted(texts)
    bad = pc.or_(
        pc.or_(pc.match_substring(texts, "\0"), marked(texts)),
        pc.greater(pc.binary_length(texts), VALUE_BYTES),
    )
    return _without(texts, bad)


def _integers(texts: pa.StringArray) -> Converted:
    # Arrow also reads 0x10 as sixteen.
    if not _holds(texts, b"x", b"X"):
        try:
            return Converted(pc.cast(texts, pa.int64()))
        except pa.ArrowInvalid:
            pass
    bare = _bare(texts)
    fits = pc.match_substring_regex(bare, _INTEGER)
    long = pc.and_(fits, pc.greater(pc.binary_length(bare), 18))
    if pc.any(long).as_py():
        small = [
            text is not None and -_BOUND <= int(text) < _BOUND
            for text in pc.if_else(long, bare, "0").to_pylist()
        ]
        fits = pc.and_(fits, pa.array(small))
    values = pc.cast(pc.if_else(fits, bare, pa.scalar(None, pa.string())), pa.int64())
    return Converted(values, _misfits(bare, fits))


def _numbers(texts: pa.StringArray, *, exact: bool) -> Converted:
    exact = exact and (pc.max(pc.binary_length(texts)).as_py() or 0) > EXACT_DIGITS
    try:
        values = pc.cast(texts, pa.float64())
        if not exact and not pc.any(pc.is_inf(values)).as_py():
            return Converted(values)
    except pa.ArrowInvalid:
        pass
    bare = _bare(texts)
    fits = pc.match_substring_regex(bare, _NUMBER)
    values = pc.cast(pc.if_else(fits, bare, pa.scalar(None, pa.string())), pa.float64())
    overflown = pc.and_(pc.is_inf(values), pc.invert(pc.match_substring_regex(bare, _INFINITE)))
    fits = pc.and_(fits, pc.invert(pc.fill_null(overflown, fill_value=False)))
    if exact:
        fits = pc.and_(fits, pc.less_equal(_significant(bare), EXACT_DIGITS))
    return Converted(pc.if_else(fits, values, None), _misfits(bare, fits))


def _booleans(texts: pa.StringArray) -> Converted:
    bare = pc.ascii_lower(_bare(texts))
    place = pc.index_in(bare, value_set=pa.array(list(_WORDS)))
    values = pc.take(pa.array(list(_WORDS.values())), place)
    return Converted(values, _misfits(bare, pc.is_valid(place)))


def _times(texts: pa.StringArray, form: Form) -> Converted:
    bare = _bare(texts)
    zoned = pc.match_substring_regex(pc.utf8_slice_codeunits(bare, 16), _ZONED)
    fits = pc.and_(pc.match_substring_regex(bare, _TIME), zoned if form is Form.INSTANT else pc.invert(zoned))
    held = pa.timestamp("us", "UTC" if form is Form.INSTANT else None)
    kept = pc.if_else(fits, bare, pa.scalar(None, pa.string()))
    try:
        return Converted(_written(pc.cast(kept, held)), _misfits(bare, fits))
    except pa.ArrowInvalid:
        values = [_moment(text, held) for text in kept.to_pylist()]
        times = pa.array(values, held)
        return Converted(_written(times), _misfits(bare, pc.is_valid(times)))


def _moment(text: str | None, held: pa.TimestampType) -> object:
    """One time, or None where a text only looks like one."""
    try:
        return pc.cast(pa.array([text], pa.string()), held)[0]
    except pa.ArrowInvalid:
        return None


def _written(times: pa.Array) -> pa.StringArray:
    """Times as ISO 8601 with six digits, so that they sort as texts; from year 0 to 9999."""
    return pc.utf8_replace_slice(pc.cast(times, pa.string()), 10, 11, "T")


def _from_time(array: pa.Array) -> Converted:
    held = array.type
    if pa.types.is_date(held):
        return Converted(pc.cast(array.cast(pa.date32()), pa.string()))
    if pa.types.is_time(held):
        exact = _cast(array, pa.time64("us"))
        return Converted(pc.cast(exact.values, pa.string()), exact.bad)
    if not pa.types.is_timestamp(held):
        raise pa.ArrowNotImplementedError(f"{held} has no canonical type")
    zone = None if held.tz is None else "UTC"
    exact = _cast(array, pa.timestamp("us", zone))
    texts = pc.cast(exact.values, pa.string())
    length = 26 + (zone is not None)
    far = pc.and_(pc.is_valid(texts), pc.not_equal(pc.binary_length(texts), length))
    far = pc.fill_null(far, fill_value=False)
    bad = far if exact.bad is None else pc.or_(far, exact.bad)
    return _without(_written(exact.values), bad)


def _significant(bare: pa.StringArray) -> pa.Array:
    """Significant digits of numbers."""
    digits = pc.replace_substring_regex(bare, r"(?i)e.*$|[-.]", "")
    return pc.binary_length(pc.ascii_trim(digits, characters="0"))


def _from_decimal(array: pa.Array, target: Target) -> Converted:
    if target.rounded or array.type.precision <= EXACT_DIGITS:
        return Converted(pc.cast(array, pa.float64()))
    return _numbers(pc.cast(array, pa.string()), exact=True)


def _zero_or_one(array: pa.Array) -> Converted:
    numbers = pc.cast(array, pa.float64(), safe=False)
    return _without(pc.equal(numbers, 1.0), pc.invert(pc.or_(pc.equal(numbers, 0.0), pc.equal(numbers, 1.0))))


def _cast(array: pa.Array, wanted: pa.DataType) -> Converted:
    """A cast that changes no value; the values that it would change are bad."""
    if array.type == wanted:
        return Converted(array)
    try:
        return Converted(pc.cast(array, wanted))
    except pa.ArrowInvalid:
        good = pa.array([_castable(value, wanted) for value in array], pa.bool_())
        kept = pc.if_else(good, array, pa.scalar(None, array.type))
        return Converted(pc.cast(kept, wanted), pc.invert(good))


def _castable(value: pa.Scalar, wanted: pa.DataType) -> bool:
    try:
        value.cast(wanted)
    except pa.ArrowInvalid:
        return False
    return True


def _bare(texts: pa.StringArray) -> pa.StringArray:
    """Texts without blanks around them and without a plus sign; nothing left is null."""
    bare = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"^\+", "")
    return pc.if_else(pc.equal(bare, ""), pa.scalar(None, pa.string()), bare)


def _holds(texts: pa.StringArray, *parts: bytes) -> bool:
    data = texts.buffers()[2]
    content = b"" if data is None else data.to_pybytes()
    return any(part in content for part in parts)


def _misfits(bare: pa.StringArray, fits: pa.BooleanArray) -> pa.BooleanArray | None:
    bad = pc.and_(pc.is_valid(bare), pc.invert(pc.fill_null(fits, fill_value=False)))
    return bad if pc.any(bad).as_py() else None


def _without(values: pa.Array, bad: pa.BooleanArray) -> Converted:
    bad = pc.fill_null(bad, fill_value=False)
    if not pc.any(bad).as_py():
        return Converted(values)
    return Converted(pc.if_else(bad, pa.scalar(None, values.type), values), bad)
