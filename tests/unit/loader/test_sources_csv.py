"""CSV files as they come: which rows and types they give, and what each of their faults is called."""

import csv
import gzip
import hashlib
import io
import random
from pathlib import Path

import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec
from modelyard_api.v1alpha1.sources import CsvOptions, FileFormat, Files
from modelyard_loader.sources import EmptySourceError
from modelyard_runtime.errors import DataError, InvalidSpecError
from tests.support.sources import Given, Reading


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def _csv(reading: Reading, *contents: bytes, **options: object) -> Given:
    files = Files(format=FileFormat.CSV, csv=CsvOptions.model_validate(options) if options else None)
    return reading.files({f"{place}.csv": content for place, content in enumerate(contents)}, files)


def _column(*values: str) -> bytes:
    return ("x,y\n" + "".join(f"{value},-\n" for value in values)).encode()


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        (["1", "2", ""], "Integer", [1, 2, None]),
        ([" 1", "2 ", "+3"], "Integer", [1, 2, 3]),
        (["-9223372036854775808", "9223372036854775807"], "Integer", [-(2**63), 2**63 - 1]),
        (["1", "2.5"], "Number", [1.0, 2.5]),
        (["1e3", ".5", "-0"], "Number", [1000.0, 0.5, -0.0]),
        (["1", "inf", "-Infinity"], "Number", [1.0, float("inf"), float("-inf")]),
        (["1", "9223372036854775808"], "Text", ["1", "9223372036854775808"]),
        (["1.5", "99999999999999999999"], "Text", ["1.5", "99999999999999999999"]),
        (["007", "12"], "Text", ["007", "12"]),
        (["0x10", "12"], "Text", ["0x10", "12"]),
        (["0.5", "0", "10"], "Number", [0.5, 0.0, 10.0]),
        (["true", "FALSE", ""], "Boolean", [True, False, None]),
        (["true", "1"], "Text", ["true", "1"]),
        (["1", "x"], "Text", ["1", "x"]),
        (["", ""], "Text", [None, None]),
        (["1e400", "1"], "Text", ["1e400", "1"]),
        (["2024-05-01", "2024-05-02"], "Text", ["2024-05-01", "2024-05-02"]),
        (
            ["2024-05-01T10:00:00+02:00", "2024-05-01 08:00Z"],
            "Text",
            ["2024-05-01T08:00:00.000000Z", "2024-05-01T08:00:00.000000Z"],
        ),
        (
            ["2024-05-01 10:00:00.5", "2024-05-01T10:00"],
            "Text",
            ["2024-05-01T10:00:00.500000", "2024-05-01T10:00:00.000000"],
        ),
        (["2024-05-01T10:00:00Z", "later"], "Text", ["2024-05-01T10:00:00Z", "later"]),
    ],
)
def test_a_type_is_the_narrowest_that_all_values_have_and_loses_nothing(
    reading: Reading, values: list[str], type_: str, expected: list[object]
) -> None:
    given = _csv(reading, _column(*values))
    assert given.types["x"] == type_
    assert given.table.column("x").to_pylist() == expected


@pytest.mark.parametrize("late", ["2.5", "x"])
def test_a_value_behind_a_million_others_decides_the_type_as_the_first_would(
    reading: Reading, late: str
) -> None:
    many = [str(number) for number in range(300_000)]
    first, last = _csv(reading, _column(late, *many)), _csv(reading, _column(*many, late))
    assert first.types == last.types
    assert first.types["x"] == {"2.5": "Number", "x": "Text"}[late]
    assert first.table.num_rows == last.table.num_rows == 300_001


def test_types_are_those_of_all_files_together(reading: Reading) -> None:
    given = _csv(reading, b"x,y\n1,a\n", b"y,x\nb,2.5\n")
    assert given.types == {"x": "Number", "y": "Text"}
    assert given.rows == [{"x": 1.0, "y": "a"}, {"x": 2.5, "y": "b"}]
    assert given.numbers == [1, 2]


def test_times_with_and_without_a_zone_in_one_column_are_refused(reading: Reading) -> None:
    with pytest.raises(DataError, match="column x: some of its times have a zone and some have none"):
        _csv(reading, _column("2024-05-01T10:00:00Z", "2024-05-01T10:00:00"))


def test_a_quoted_empty_text_is_a_text_and_an_unquoted_one_is_missing(reading: Reading) -> None:
    given = _csv(reading, b'x,y\n"",a\n,b\nt,c\n')
    assert given.table.column("x").to_pylist() == ["", None, "t"]
    assert _csv(reading, b'x,y\n"1",a\n"",b\n').table.column("x").to_pylist() == [1, None]


def test_texts_that_stand_for_a_missing_value_are_those_of_the_spec(reading: Reading) -> None:
    given = _csv(reading, b"x;y\n1;NA\n-;'a;b'\n", delimiter=";", quote="'", nullValues=["NA", "-"])
    assert given.rows == [{"x": 1, "y": None}, {"x": None, "y": "a;b"}]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("UTF-8", "x,y\nä,€\n".encode()),
        ("UTF-8", "x,y\nä,€\n".encode("utf-8-sig")),
        ("UTF-8", "x,y\nä,€\n".encode("utf-16")),
        ("UTF-8", b"\xfe\xff" + "x,y\nä,€\n".encode("utf-16-be")),
        ("UTF-16", "x,y\nä,€\n".encode("utf-16")),
        ("UTF-16LE", "x,y\nä,€\n".encode("utf-16-le")),
        ("windows-1252", "x,y\nä,€\n".encode("cp1252")),
        ("ISO-8859-15", "x,y\nä,€\n".encode("iso-8859-15")),
        ("UTF-8", gzip.compress("x,y\nä,€\n".encode(), mtime=0)),
        ("UTF-8", pa.Codec("zstd").compress("x,y\r\nä,€".encode(), asbytes=True)),
    ],
)
def test_text_is_the_same_however_it_is_encoded_and_packed(
    reading: Reading, encoding: str, content: bytes
) -> None:
    assert _csv(reading, content, encoding=encoding).rows == [{"x": "ä", "y": "€"}]


@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1252"])
def test_bytes_that_the_encoding_does_not_have_spoil_their_row_and_no_other(
    reading: Reading, encoding: str
) -> None:
    given = _csv(reading, b"x,y\na,1\nb\x81,2\nc,3\nd\x81\n", encoding=encoding)
    assert given.table.column("x").to_pylist() == ["a", "c"]
    assert given.numbers == [1, 3]
    assert given.reasons == {
        2: "column x: holds bytes that its encoding does not have",
        4: "has 1 values instead of 2",
    }


def test_half_a_character_at_the_end_spoils_the_last_row(reading: Reading) -> None:
    assert _csv(reading, "x,y\na,1\nb,2\n".encode("utf-16") + b"\x63").reasons == {
        3: "has 1 values instead of 2"
    }


def test_rows_with_too_few_or_too_many_values_are_set_aside_with_number_and_text(reading: Reading) -> None:
    given = _csv(reading, b"x,y\n1,a\n2\n\n3,b,c\n4,d\n")
    assert given.rows == [{"x": 1, "y": "a"}, {"x": 4, "y": "d"}]
    assert given.numbers == [1, 4]
    assert [(each.row_number, each.reason, each.row) for each in given.rejects] == [
        (2, "has 1 values instead of 2", "2"),
        (3, "has 3 values instead of 2", "3,b,c"),
    ]


def test_rows_keep_their_numbers_over_blocks_and_files(reading: Reading) -> None:
    rows = [f"{number},{'v' * 100}\n" if number % 1000 else f"{number}\n" for number in range(1, 30_001)]
    content = ("x,y\n" + "".join(rows)).encode()
    given = _csv(reading, content, content)
    assert given.numbers == [n for n in range(1, 60_001) if n % 1000]
    assert [each.row_number for each in given.rejects] == list(range(1000, 60_001, 1000))
    numbers = [number - 30_000 if number > 30_000 else number for number in given.numbers]
    assert given.table.column("x").to_pylist() == numbers


def test_values_may_hold_delimiters_quotes_and_line_breaks(reading: Reading) -> None:
    given = _csv(reading, b'x,y\n"a,b","he said ""no"""\n"two\nlines",z\n')
    assert given.rows == [{"x": "a,b", "y": 'he said "no"'}, {"x": "two\nlines", "y": "z"}]


@pytest.mark.parametrize("padding", [1, 40_000])
def test_text_behind_a_closing_quote_is_not_joined_to_the_value(reading: Reading, padding: int) -> None:
    before = b'"a ""b""","c\nd"\n' * padding
    given = _csv(reading, b"x,y\n" + before + b'1,"two" three\n2,"two"\n"3"4,z\n5,six" inches\n6,"a\n" b\n')
    assert given.table.slice(padding).to_pylist() == [{"x": "2", "y": "two"}, {"x": "5", "y": 'six" inches'}]
    assert given.reasons == {
        padding + 1: "column y: 'two\" three' goes on behind its closing quote",
        padding + 3: "column x: '3\"4' goes on behind its closing quote",
        padding + 5: "column y: 'a\\n\" b' goes on behind its closing quote",
    }


def test_a_row_that_is_rejected_does_not_change_the_type_of_its_column(reading: Reading) -> None:
    given = _csv(reading, b'x,y\n1,a\n"2" ,b\n3\xff,c\n4,d\n')
    assert given.types["x"] == "Integer"
    assert given.numbers == [1, 4]


@pytest.mark.parametrize("seed", range(8))
def test_rows_as_a_writer_of_csv_writes_them_come_back(reading: Reading, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311  rows, not secrets
    rows = [["".join(draw.choices("ab\",\n 'ä", k=draw.randrange(9))) for _ in "xy"] for _ in range(500)]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([["x", "y"], *rows])
    declared = [ColumnSpec(name=name, type=ColumnType.TEXT) for name in ("x", "y")]
    given = reading.files({"a.csv": text.getvalue().encode()}, context=reading.context(declared=declared))
    assert given.rejects == []
    assert [[row["x"] or "", row["y"] or ""] for row in given.rows] == rows


def test_a_text_with_a_nul_character_is_set_aside(reading: Reading) -> None:
    given = _csv(reading, b"x,y\na\0b,1\nc,2\n")
    assert given.reasons == {1: "column x: holds a NUL character"}
    assert "\0" not in given.rejects[0].row


def test_a_value_of_ten_megabytes_is_set_aside_and_kept_short(reading: Reading) -> None:
    given = _csv(reading, b"x,y\n1,a\n2," + b"v" * 10_000_000 + b"\n3,c\n")
    assert given.table.column("x").to_pylist() == [1, 3]
    assert given.reasons == {2: "column y: has 10,000,000 bytes, at most 1,048,576 are taken"}
    assert len(given.rejects[0].row.encode()) <= 4096


def test_a_large_row_late_in_a_file_repeats_no_row_and_loses_none(reading: Reading) -> None:
    rows = "".join(f"{number},{'v' * 90}\n" if number % 500 else f"{number}\n" for number in range(1, 30_001))
    content = f"x,y\n{rows}30001,{'w' * 3_000_000}\n30002,b\n".encode()
    given = _csv(reading, content)
    assert given.numbers == [n for n in range(1, 30_003) if n % 500 and n != 30_001]
    assert [each.row_number for each in given.rejects] == [*range(500, 30_001, 500), 30_001]


@pytest.mark.parametrize(
    "content",
    [
        b'x,y\n1,a\n2,"b\n3,c\n4,d\n',
        b'x,y\n1,a\n2,"b',
        b'x,y\n1,a\n"2,b\n3,c\n',
        b'x,y\n1,"' + b"3,c\n" * 5_000_000,
    ],
)
def test_a_quote_that_is_never_closed_is_refused_since_it_swallows_rows(
    reading: Reading, content: bytes
) -> None:
    with pytest.raises(DataError, match=r"a quote .*is opened and never closed"):
        _csv(reading, content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0.csv: is empty, it has not even a header"),
        (b"\n\n", "is empty, it has not even a header"),
        (b"x,y,x\n1,2,3\n", "the header names x more than once"),
        (b"x,,y\n1,2,3\n", "column 2 has no name in the header"),
        (b'x,"y\n1,2\n', "a name in the header goes over the end of its line"),
        (b"PAR1 and more", "is a Parquet file"),
        (b"pr\xeds,y\n1,2\n", "the header holds characters that are none in the encoding"),
        ("x,y\n1,2\n".encode("utf-16-le"), "the header holds characters that are none in the encoding"),
        (gzip.compress(b"x,y\n1,2\n" * 1000, mtime=0)[:40], "cannot be unpacked"),
        (
            pa.Codec("zstd").compress(b"x,y\n" + b"1,2\n" * 20_000_000, asbytes=True),
            "comes to more than 200 times its packed size",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(
    reading: Reading, content: bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        _csv(reading, content)


def test_a_header_alone_is_a_table_without_rows_and_without_types(reading: Reading) -> None:
    given = _csv(reading, b"x,y\n")
    assert (given.types, given.table.num_rows, given.digest[:7]) == ({"x": "Text", "y": "Text"}, 0, "sha256:")


def test_an_empty_file_says_that_there_is_nothing_yet(reading: Reading) -> None:
    with pytest.raises(EmptySourceError):
        _csv(reading, b"")


def test_files_with_different_columns_are_refused_with_each_difference(reading: Reading) -> None:
    with pytest.raises(DataError, match=r"y is only in 0.csv; z is only in 1.csv"):
        _csv(reading, b"x,y\n1,2\n", b"x,z\n1,2\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"encoding": "utf-9"}, "spec.source.s3.csv.encoding = 'utf-9': is not an encoding"),
        ({"encoding": "base64"}, "is not an encoding"),
        ({"delimiter": "é"}, "csv.delimiter = 'é': must be one character of ASCII"),
        ({"quote": "\n"}, "csv.quote = '\\\\n': must be one character"),
        ({"delimiter": '"'}, "csv.quote: must differ"),
    ],
)
def test_options_that_cannot_be_met_are_the_specs_mistake(
    reading: Reading, options: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidSpecError, match=said):
        _csv(reading, b"x\n1\n", **options)


def test_a_name_that_does_not_tell_the_format_asks_for_it(reading: Reading) -> None:
    with pytest.raises(InvalidSpecError, match=r"spec.source.s3.format: the name rows.dat does not tell"):
        reading.files({"rows.dat": b""})


def _frozen(**types: ColumnType) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=type_) for name, type_ in types.items())


_FROZEN = _frozen(x=ColumnType.INTEGER, y=ColumnType.TEXT)


def _later(reading: Reading, content: bytes, **known: str) -> Given:
    context = reading.context(_FROZEN, consumed={"forms": "known", **known})
    return reading.files({"new.csv": content}, context=context)


def test_types_of_the_first_load_stay_and_what_does_not_fit_is_set_aside(reading: Reading) -> None:
    rows = b"".join(b"%d,a\n" % number for number in range(20))
    given = _later(reading, b"x,y\n" + rows + b"2.5,b\nlots,c\n")
    assert given.types == {"x": "Integer", "y": "Text"}
    assert given.reasons == {
        21: "column x: '2.5' is not Integer (a whole number of 64 bits)",
        22: "column x: 'lots' is not Integer (a whole number of 64 bits)",
    }
    assert given.rejects[0].row == '{"x": "2.5", "y": "b"}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x\n1\n", "y is missing"),
        (b"x,y,z\n1,2,3\n", "z is new"),
        (b"a,y\n1,2\n", "x is missing; a is new"),
        (b"x,y\n" + b"lots,1\n" * 5, "x is not Integer: 'lots'"),
    ],
)
def test_other_columns_than_those_of_the_first_load_are_refused_one_by_one(
    reading: Reading, content: bytes, said: str
) -> None:
    with pytest.raises(DataError, match=f"the columns are not those of the first load: {said}"):
        _later(reading, content)


def test_a_column_of_times_stays_one(reading: Reading) -> None:
    first = reading.files({"a.csv": b"x,y\n1,2024-05-01T10:00:00+02:00\n"})
    context = reading.context(first.columns, consumed=first.consumed)
    later = reading.files({"b.csv": b"x,y\n2,2024-05-01T10:00:00+04:00\n3,tomorrow\n"}, context=context)
    assert later.rows == [{"x": 2, "y": "2024-05-01T06:00:00.000000Z"}]
    assert later.reasons == {2: "column y: 'tomorrow' is not a time with a zone (ISO 8601)"}
    assert later.consumed["file:a.csv"] == "a.csv"


def test_declared_columns_are_taken_and_all_others_left_out(reading: Reading) -> None:
    declared = [
        ColumnSpec(name="y", type=ColumnType.TEXT),
        ColumnSpec(name="id", type=ColumnType.TEXT),
        ColumnSpec(name="flag", type=ColumnType.BOOLEAN),
    ]
    content = b"id,x,y,flag\n007,1,2024-05-01T10:00:00+02:00,1\n008,2,,f\n009,3,c,perhaps\n"
    given = reading.files({"a.csv": content}, context=reading.context(declared=declared))
    assert given.rows == [
        {"y": "2024-05-01T10:00:00+02:00", "id": "007", "flag": True},
        {"y": None, "id": "008", "flag": False},
    ]
    assert given.reasons == {3: "column flag: 'perhaps' is not Boolean"}


def test_a_declared_column_that_is_not_there_is_named_with_those_that_are(reading: Reading) -> None:
    declared = [ColumnSpec(name="colour", type=ColumnType.TEXT)]
    with pytest.raises(DataError) as caught:
        reading.files({"a.csv": b"color,size\nred,1\n"}, context=reading.context(declared=declared))
    assert caught.value.message == "column colour: is declared in spec.columns, and a.csv does not have it"
    assert caught.value.remedy == "Did you mean color?"


def test_declared_columns_must_hold_the_key(reading: Reading) -> None:
    declared = [ColumnSpec(name="x", type=ColumnType.TEXT)]
    with pytest.raises(InvalidSpecError, match=r"spec.columns: leaves out id, which spec.primaryKey names"):
        reading.files({"a.csv": b"id,x\n1,a\n"}, context=reading.context(declared=declared))


def test_the_digest_of_one_file_is_that_of_its_bytes_and_of_many_that_of_all(reading: Reading) -> None:
    assert _csv(reading, b"x\n1\n").digest == "sha256:" + hashlib.sha256(b"x\n1\n").hexdigest()
    assert _csv(reading, b"x\n1\n", b"x\n2\n").digest != _csv(reading, b"x\n1\n", b"x\n3\n").digest
