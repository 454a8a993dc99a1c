"""JSON lines and Parquet: types that the format tells, and the same table as from CSV."""

import io
import json
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec
from modelyard_loader.sources import EmptySourceError
from modelyard_runtime.errors import DataError
from tests.support.sources import Given, Reading

_BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def _jsonl(reading: Reading, *lines: str, **columns: ColumnType) -> Given:
    content = "\n".join(lines).encode()
    declared = [ColumnSpec(name=name, type=type_) for name, type_ in columns.items()]
    return reading.files({"a.jsonl": content}, context=reading.context(declared=declared))


def _parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def _from_parquet(reading: Reading, table: pa.Table, **columns: ColumnType) -> Given:
    declared = [ColumnSpec(name=name, type=type_) for name, type_ in columns.items()]
    return reading.files({"a.parquet": _parquet(table)}, context=reading.context(declared=declared))


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        (["1", "2", "null"], "Integer", [1, 2, None]),
        (["1", "2.5"], "Number", [1.0, 2.5]),
        (["1", "1e3", "NaN"], "Number", None),
        (["true", "null"], "Boolean", [True, None]),
        (['"a"', "null"], "Text", ["a", None]),
        (['"1"', '"2"'], "Text", ["1", "2"]),
        (["1", '"x"'], "Text", ["1", "x"]),
        (["1.50", '"x"'], "Text", ["1.50", "x"]),
        (["1", "true"], "Text", ["1", "true"]),
        (["9223372036854775807"], "Integer", [2**63 - 1]),
        (["9223372036854775808", "1"], "Text", ["9223372036854775808", "1"]),
        (["null"], "Text", [None]),
        (['"2024-05-01T10:00:00+02:00"'], "Text", ["2024-05-01T08:00:00.000000Z"]),
        (['"2024-05-01T10:00:00Z"', '"soon"'], "Text", ["2024-05-01T10:00:00Z", "soon"]),
        (['"2024-05-01T10:00:00Z"', "1"], "Text", ["2024-05-01T10:00:00Z", "1"]),
        (['"2024-05-01"'], "Text", ["2024-05-01"]),
        (['"\\u00e4"'], "Text", ["ä"]),
    ],
)
def test_json_values_have_the_type_that_they_are_written_in(
    reading: Reading, values: list[str], type_: str, expected: list[object] | None
) -> None:
    given = _jsonl(reading, *(f'{{"x": {value}}}' for value in values))
    assert given.types == {"x": type_}
    if expected is not None:
        assert given.table.column("x").to_pylist() == expected


@pytest.mark.parametrize("late", ["2.5", '"x"', "true"])
def test_a_json_value_behind_many_others_decides_the_type_as_the_first_would(
    reading: Reading, late: str
) -> None:
    many = [f'{{"x": {number}, "y": "{"v" * 100}"}}' for number in range(20_000)]
    odd = f'{{"x": {late}, "y": "v"}}'
    first, last = _jsonl(reading, odd, *many), _jsonl(reading, *many, odd)
    assert first.types == last.types
    assert first.table.num_rows == last.table.num_rows == 20_001


def test_a_name_that_only_some_json_rows_have_is_null_in_the_others(reading: Reading) -> None:
    given = _jsonl(reading, '{"a": 1}', "", '{"b": "x"}')
    assert given.rows == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    assert given.numbers == [1, 2]


def test_json_lines_that_do_not_fit_are_set_aside_with_the_reason(reading: Reading) -> None:
    lines = [
        '{"x": 1, "y": "a"}',
        '{"x": 1, ',
        "[1, 2]",
        '{"x": {"z": 1}}',
        '{"x": "seven"}',
        '{"x": 1.5}',
        '{"x": 9223372036854775808}',
        '{"x": 1, "x": 2}',
        '{"x": 2, "y": 5}',
        '{"y": "a\\u0000b"}',
        '{"x": 3, "z": []}',
    ]
    given = _jsonl(reading, *lines, x=ColumnType.INTEGER, y=ColumnType.TEXT)
    assert given.rows == [{"x": 1, "y": "a"}, {"x": 2, "y": "5"}, {"x": 3, "y": None}]
    assert given.numbers == [1, 9, 11]
    reasons = given.reasons
    assert list(reasons) == [2, 3, 4, 5, 6, 7, 8, 10]
    assert reasons[2].startswith("is no JSON")
    assert reasons[3] == "is no JSON object"
    assert reasons[4] == "column x: an object is not Integer"
    assert reasons[5] == 'column x: "seven" is not Integer'
    assert reasons[8] == "is no JSON (a name stands twice in the object)"
    assert reasons[10] == "column y: holds a NUL character"


def test_a_line_with_bytes_that_are_not_utf8_is_set_aside(reading: Reading) -> None:
    given = reading.files({"a.jsonl": b'{"x": "a"}\n{"x": "\xff"}\n'})
    assert given.rows == [{"x": "a"}]
    assert given.reasons == {2: "column x: holds bytes that its encoding does not have"}


def test_a_json_line_that_is_null_is_set_aside(reading: Reading) -> None:
    given = _jsonl(reading, '{"x": 1}', "null")
    assert (given.rows, given.reasons) == ([{"x": 1}], {2: "is no JSON object"})
    with pytest.raises(EmptySourceError):
        _jsonl(reading, "null")


def test_a_json_number_beyond_float64_is_set_aside(reading: Reading) -> None:
    assert _jsonl(reading, '{"x": 1e400}', '{"x": 1}', x=ColumnType.NUMBER).rows == [{"x": 1.0}]


def test_a_new_name_in_json_is_refused_as_drift(reading: Reading) -> None:
    context = reading.context([Column(name="x", type=ColumnType.INTEGER)], consumed={"forms": "known"})
    with pytest.raises(DataError, match="the columns are not those of the first load: z is new"):
        reading.files({"a.jsonl": b'{"x": 1}\n{"x": 1, "z": 2}\n'}, context=context)


def test_a_json_line_of_more_than_sixteen_mebibytes_is_refused(reading: Reading) -> None:
    with pytest.raises(DataError, match=r"a.jsonl: line 2 is longer than 16 MiB"):
        _jsonl(reading, '{"x": 1}', '{"x": "' + "v" * 20_000_000 + '"}')


def test_an_empty_json_file_says_that_there_is_nothing_yet(reading: Reading) -> None:
    with pytest.raises(EmptySourceError):
        reading.files({"a.jsonl": b"\n"})


_NOON = datetime(2024, 5, 1, 12, 30, 0, 500_000)  # noqa: DTZ001  a time without a zone is what is tested


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        (pa.array([1, None], pa.int8()), "Integer", [1, None]),
        (pa.array([1], pa.uint32()), "Integer", [1]),
        (pa.array([0.5], pa.float32()), "Number", [0.5]),
        (pa.array([True]), "Boolean", [True]),
        (pa.array(["a"], pa.large_string()), "Text", ["a"]),
        (pa.array(["a", "b"]).dictionary_encode(), "Text", ["a", "b"]),
        (pa.array([None], pa.null()), "Text", [None]),
        (pa.array([date(2024, 5, 1)]), "Text", ["2024-05-01"]),
        (pa.array([_NOON]), "Text", ["2024-05-01T12:30:00.500000"]),
        (pa.array([_NOON.replace(tzinfo=UTC)]), "Text", ["2024-05-01T12:30:00.500000Z"]),
        (pa.array([_NOON.replace(tzinfo=_BERLIN)]), "Text", ["2024-05-01T10:30:00.500000Z"]),
        (pa.array([_NOON], pa.timestamp("ns")), "Text", ["2024-05-01T12:30:00.500000"]),
        (pa.array([time(1, 2, 3)]), "Text", ["01:02:03.000000"]),
        (pa.array([Decimal("1.50")]), "Number", [1.5]),
        (pa.array([Decimal("1.50")], pa.decimal128(38, 2)), "Number", [1.5]),
        (pa.array([Decimal(123456789012345)], pa.decimal256(60, 0)), "Number", [123456789012345.0]),
    ],
)
def test_parquet_types_become_canonical_ones(
    reading: Reading, values: pa.Array, type_: str, expected: list[object]
) -> None:
    given = _from_parquet(reading, pa.table({"x": values}))
    assert given.types == {"x": type_}
    assert given.table.column("x").to_pylist() == expected
    assert given.rejects == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (pa.scalar(2**53 + 1, pa.uint64()), "9007199254740993 is not Number"),
        (pa.scalar(Decimal("1234567890.123456"), pa.decimal128(38, 6)), "is not Number .*at most 15 digits"),
        (pa.scalar(1, pa.timestamp("ns")), "is finer than a microsecond"),
        (pa.scalar(10**12, pa.timestamp("s")), "not in the years 0 to 9999"),
    ],
)
def test_a_parquet_value_that_would_be_changed_is_set_aside(
    reading: Reading, value: pa.Scalar, said: str
) -> None:
    column = pa.array([None, None], value.type)
    given = _from_parquet(reading, pa.table({"x": pa.concat_arrays([pa.repeat(value, 1), column])}))
    assert given.numbers == [2, 3]
    assert re.search(said, given.reasons[1])


def test_declared_types_stand_above_those_of_the_file(reading: Reading) -> None:
    table = pa.table(
        {
            "a": pa.array([Decimal("1234567890.123456")], pa.decimal128(38, 6)),
            "b": pa.array([Decimal("1234567890.123456")], pa.decimal128(38, 6)),
            "c": [1],
            "d": [2.0],
            "e": ["3"],
            "f": [1],
            "left_out": [b"raw"],
        }
    )
    types = dict(zip("abcdef", ["Text", "Number", "Text", "Integer", "Integer", "Boolean"], strict=True))
    given = _from_parquet(reading, table, **{name: ColumnType(type_) for name, type_ in types.items()})
    assert given.rows == [
        {"a": "1234567890.123456", "b": 1234567890.123456, "c": "1", "d": 2, "e": 3, "f": True}
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([b"raw"]), "column x: values of type binary have no canonical type"),
        (pa.array([[1]]), "have no canonical type"),
        (pa.array([{"a": 1}]), "have no canonical type"),
        (pa.array([timedelta(1)]), "have no canonical type"),
    ],
)
def test_a_parquet_type_without_a_canonical_one_is_refused(
    reading: Reading, values: pa.Array, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        _from_parquet(reading, pa.table({"x": values}))


_HELD = [
    pa.array([1, None, -5], pa.int8()),
    pa.array([1, None, 2**64 - 1], pa.uint64()),
    pa.array([0.5, None, float("nan")], pa.float32()),
    pa.array([1e300, None, float("inf")]),
    pa.array([True, None, False]),
    pa.array(["x", None, "1"]),
    pa.array(["x", None, "1"], pa.large_string()),
    pa.array(["x", None, "x"]).dictionary_encode(),
    pa.nulls(3),
    pa.array([Decimal("1.5"), None, Decimal(-2)], pa.decimal128(30, 4)),
    pa.array([date(2024, 5, 1), None, date(1, 1, 1)]),
    pa.array([_NOON, None, _NOON], pa.timestamp("ns", "UTC")),
    pa.array([10**15, None, -(10**15)], pa.timestamp("s")),
    pa.array([10**6, None, 1], pa.date32()),
    pa.array([1, None, 2], pa.time64("ns")),
]


@pytest.mark.parametrize("wanted", ColumnType)
@pytest.mark.parametrize("values", _HELD, ids=lambda held: str(held.type))
def test_every_type_either_becomes_the_declared_one_or_is_refused_in_words(
    reading: Reading, values: pa.Array, wanted: ColumnType
) -> None:
    try:
        given = _from_parquet(reading, pa.table({"x": values}), x=wanted)
    except DataError as error:
        assert re.search("cannot become|are not those of the first load", error.message)  # noqa: PT017
        return
    assert given.types == {"x": wanted.value}
    assert sorted([*given.numbers, *given.reasons]) == [1, 2, 3]  # type: ignore[type-var]
    assert 2 in given.numbers


def test_a_parquet_file_of_another_type_is_refused_as_drift(reading: Reading) -> None:
    frozen = [Column(name="x", type=ColumnType.INTEGER), Column(name="y", type=ColumnType.NUMBER)]
    later = _parquet(pa.table({"x": ["a"], "y": [1]}))
    with pytest.raises(DataError) as caught:
        reading.files({"b.parquet": later}, context=reading.context(frozen))
    assert caught.value.message == (
        "b.parquet: the columns are not those of the first load: x is Text, was Integer"
    )


def test_parquet_files_may_widen_whole_numbers_and_nothing_else(reading: Reading) -> None:
    whole, broken = _parquet(pa.table({"x": [1]})), _parquet(pa.table({"x": [1.5]}))
    assert reading.files({"a.parquet": whole, "b.parquet": broken}).table.column("x").to_pylist() == [
        1.0,
        1.5,
    ]
    with pytest.raises(DataError, match="column x is Text here and Integer in an earlier file"):
        reading.files({"a.parquet": whole, "b.parquet": _parquet(pa.table({"x": ["a"]}))})


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PAR1" + b"\0" * 50 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_refused(reading: Reading, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a.parquet: cannot be read as Parquet"):
        reading.files({"a.parquet": content})


def test_a_parquet_file_that_comes_to_far_more_than_its_size_is_refused_unread(reading: Reading) -> None:
    bomb = _parquet(pa.table({"x": ["v" * 1_000_000] * 100}), use_dictionary=False, compression="zstd")
    with pytest.raises(DataError, match=r"a.parquet: comes to more than 200 times its packed size"):
        reading.files({"a.parquet": bomb})


def test_a_parquet_file_that_breaks_off_within_a_page_is_refused(reading: Reading) -> None:
    content = bytearray(_parquet(pa.table({"x": list(range(100_000))}), compression="zstd"))
    content[4:100] = bytes(96)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        reading.files({"a.parquet": bytes(content)})


def test_the_same_rows_give_the_same_table_from_each_format(reading: Reading) -> None:
    rows = [
        {
            "id": number,
            "price": None if number % 7 == 0 else number / 8,
            "sold": number % 2 == 0,
            "name": f"n {number}",
            "at": f"2024-05-01T10:{number % 60:02}:00+02:00",
        }
        for number in range(1, 35_001)
    ]
    header = "id,price,sold,name,at\n"
    csv = header + "".join(
        f"{r['id']},{'' if r['price'] is None else r['price']},{str(r['sold']).lower()},{r['name']},{r['at']}\n"
        for r in rows
    )
    jsonl = "\n".join(json.dumps(row) for row in rows)
    table = pa.Table.from_pylist([{**r, "at": datetime.fromisoformat(str(r["at"]))} for r in rows])
    parquet = _parquet(table, row_group_size=9999)
    given = [
        reading.files({"a.csv": csv.encode()}),
        reading.files({"a.jsonl": jsonl.encode()}),
        reading.files({"a.parquet": parquet}),
    ]
    assert given[0].types == {
        "id": "Integer",
        "price": "Number",
        "sold": "Boolean",
        "name": "Text",
        "at": "Text",
    }
    for other in given[1:]:
        assert other.columns == given[0].columns
        assert other.table.equals(given[0].table)
        assert other.numbers == given[0].numbers
