"""Files, values and keys that do not fit: each has a name, nothing is published, nothing is lost."""

import gzip
import io
import uuid
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.exit_codes import FailureClass
from tests.support.bad_inputs import HOUSES, Bad, Scene, file, files, refused

DATA, SPEC = FailureClass.DATA, FailureClass.INVALID_SPEC
_MEGABYTE = 1024 * 1024


def parquet(columns: dict[str, Sequence[object] | pa.Array]) -> bytes:
    """A Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def bomb() -> bytes:
    """Few bytes that become very many."""
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=9) as packed:
        packed.write(b"id,price\n")
        for _ in range(64):
            packed.write(b"0" * (16 * _MEGABYTE))
    return sink.getvalue()


def declared(*columns: tuple[str, str]) -> list[dict[str, object]]:
    """``spec.columns``; a type that ends with an exclamation mark allows no nulls."""
    return [
        {"name": name, "type": kind.rstrip("!"), "nullable": not kind.endswith("!")} for name, kind in columns
    ]


_IDS = declared(("id", "Integer"), ("price", "Number"))

FILES = [
    Bad(
        "a row with too many values",
        file(b"id,a\n1,2\n2,3,4\n"),
        DATA,
        ("row 2", "has 3 values instead of 2"),
        "Correct the rows in the source",
    ),
    Bad(
        "a row with too few values",
        file(b"id,a\n1,2\n2\n"),
        DATA,
        ("row 2", "has 1 values instead of 2"),
        "Correct the rows in the source",
    ),
    Bad(
        "a quote that is never closed",
        file(b'id,a\n1,"two\n2,3\n'),
        DATA,
        ("row 1", "a quote is opened and never closed"),
        "Close it",
    ),
    Bad(
        "text behind a closing quote",
        file(b'id,a\n1,"two" three\n'),
        DATA,
        ("row 1", "column a", "goes on behind its closing quote"),
        "Correct the rows in the source",
    ),
    Bad(
        "two columns of one name",
        file(b"id,a,a\n1,2,3\n"),
        DATA,
        ("names a more than once",),
        "Give every column a name",
    ),
    Bad(
        "two columns that differ by case only",
        file(b"id,Price,price\n1,2,3\n"),
        DATA,
        ("Price and price differ by case only",),
        "Rename one",
    ),
    Bad(
        "a reserved name of a column",
        file(b"id,load_sequence\n1,2\n"),
        DATA,
        ("column = 'load_sequence'", "is reserved"),
        "Rename it",
    ),
    Bad("a column without a name", file(b"id,,b\n1,2,3\n"), DATA, ("column 2 has no name",), "Give it one"),
    Bad(
        "a name of a column with a blank",
        file(b"id,my price\n1,2\n"),
        DATA,
        ("my price", "is not a name for a column"),
        "Rename it",
    ),
    Bad(
        "two encodings in one file",
        file("id,town\n1,Köln\n".encode() + "2,Köln\n".encode("latin-1")),
        DATA,
        ("row 2", "column town", "bytes that its encoding does not have"),
        "Correct the rows in the source",
    ),
    Bad(
        "an encoding that does not exist",
        file(HOUSES, options={"csv": {"encoding": "klingon"}}),
        SPEC,
        ("spec.source.s3.csv.encoding = 'klingon'",),
        "Use an IANA name",
    ),
    Bad(
        "a NUL in a text",
        file(b"id,a\n1,b\0c\n"),
        DATA,
        ("row 1", "column a: holds a NUL"),
        "Correct the rows in the source",
    ),
    Bad(
        "a value of 10 MB",
        file(b"id,a\n1," + b"x" * 10 * _MEGABYTE + b"\n"),
        DATA,
        ("row 1", "column a: has 10,485,760 bytes"),
        "Correct the rows in the source",
    ),
    Bad("an empty file", file(b""), DATA, ("rows.csv", "is empty"), "Put"),
    Bad("a header and nothing else", file(b"id,a\n"), DATA, ("no rows",), "Put rows"),
    Bad(
        "a packed file that ends too early",
        file(gzip.compress(HOUSES)[:-12], "rows.csv.gz"),
        DATA,
        ("rows.csv.gz: cannot be unpacked",),
        "Put a whole file",
    ),
    Bad(
        "a zip bomb",
        file(bomb(), "rows.csv.gz"),
        DATA,
        ("rows.csv.gz", "row 1 or a later one is longer than 16 MiB"),
        "Close the quote",
    ),
    Bad(
        "an ending that tells no format",
        file(HOUSES, "rows.xlsx"),
        SPEC,
        ("spec.source.s3.format", "rows.xlsx does not tell"),
        "Set it to CSV",
    ),
    Bad(
        "a line that is no JSON",
        file(b'{"id": 1}\n{"id": 2\n', "rows.jsonl"),
        DATA,
        ("row 2", "is no JSON"),
        "Correct the rows in the source",
    ),
    Bad(
        "a line that is no object",
        file(b'{"id": 1}\n[2]\n', "rows.jsonl"),
        DATA,
        ("row 2", "is no JSON object"),
        "Correct the rows in the source",
    ),
    Bad(
        "an object within an object",
        file(b'{"id": 1, "a": {"b": 2}}\n', "rows.jsonl"),
        DATA,
        ("row 1", "column a", "an object is not Text"),
        "Correct the rows in the source",
    ),
    Bad(
        "bytes that are no Parquet",
        file(HOUSES, "rows.parquet"),
        DATA,
        ("rows.parquet: cannot be read as Parquet",),
        "Put a whole Parquet file",
    ),
    Bad(
        "a Parquet file that ends too early",
        file(parquet({"id": [1, 2]})[:-20], "rows.parquet"),
        DATA,
        ("rows.parquet: cannot be read",),
        "Put a whole Parquet file",
    ),
    Bad(
        "lists in a Parquet file",
        file(parquet({"id": [1], "a": [[1, 2]]}), "rows.parquet"),
        DATA,
        ("column a: values of type list",),
        "Leave it out",
    ),
    Bad(
        "Parquet files of different types",
        files(
            {"1.parquet": parquet({"id": [1], "a": [2]}), "2.parquet": parquet({"id": [2], "a": [True]})},
            "*.parquet",
        ),
        DATA,
        ("2.parquet: column a is Boolean here and Integer in an earlier file",),
        "Make the files alike",
    ),
    Bad(
        "files of different columns",
        files({"1.csv": b"id,a\n1,2\n", "2.csv": b"id,b\n2,3\n"}, "*.csv"),
        DATA,
        ("a is only in", "b is only in"),
        "Make them alike",
    ),
]

VALUES = [
    Bad(
        "a word where a number is declared",
        file(b"id,price\n1,cheap\n", columns=_IDS),
        DATA,
        ("row 1", "column price: 'cheap' is not Number"),
        "Correct the rows in the source",
    ),
    Bad(
        "a whole number of more than 64 bits",
        file(b"id,price\n9223372036854775808,1\n", columns=_IDS),
        DATA,
        ("column id: '9223372036854775808' is not Integer",),
        "Correct the rows in the source",
    ),
    Bad(
        "a number that is too large",
        file(b"id,price\n1,1e999\n", columns=_IDS),
        DATA,
        ("column price: '1e999' is not Number",),
        "Correct the rows in the source",
    ),
    Bad(
        "a decimal with more digits than a number keeps",
        file(
            parquet({"id": [1], "price": pa.array([Decimal("12345678901234567.123")], pa.decimal128(20, 3))}),
            "rows.parquet",
        ),
        DATA,
        ("column price: 12345678901234567.123 is not Number", "at most 15 digits"),
        "Correct the rows in the source",
    ),
    Bad(
        "a fraction where whole numbers are declared",
        file(b"id,price\n1.5,1\n", columns=_IDS),
        DATA,
        ("column id: '1.5' is not Integer",),
        "Correct the rows in the source",
    ),
    Bad(
        "nothing where something must be",
        file(b"id,price\n1,2\n2,\n", columns=declared(("id", "Integer"), ("price", "Number!"))),
        DATA,
        ("row 2", "price"),
        "Correct the rows in the source",
    ),
    Bad(
        "times with and without a zone",
        file(b"id,at\n1,2024-05-01T10:00:00+02:00\n2,2024-05-01T10:00:00\n"),
        DATA,
        ("column at: some of its times have a zone and some have none",),
        "Give all of them a zone",
    ),
    Bad(
        "a declared column that is not there",
        file(b"id,cost\n1,2\n", columns=_IDS),
        DATA,
        ("column price: is declared in spec.columns",),
        "There are id, cost",
    ),
]

KEYS = [
    Bad(
        "a key that names two rows",
        file(b"id,a\n1,2\n7,3\n7,4\n"),
        DATA,
        ("id", "7", "more than one row"),
        "Choose columns",
    ),
    Bad(
        "a row without a key",
        file(b"id,a\n1,2\n,3\n"),
        DATA,
        ("row 2", "id"),
        "Correct the rows in the source",
    ),
    Bad(
        "a key that is not a number",
        file(b"id,a\n1.5,2\nNaN,3\n"),
        DATA,
        ("row 2", "id"),
        "Correct the rows in the source",
    ),
    Bad(
        "a key of a column that is not there",
        file(b"id,a\n1,2\n", primaryKey=["id", "houze"]),
        SPEC,
        ("spec.primaryKey = 'houze'", "is not a column of the source"),
        "There are id, a",
    ),
    Bad(
        "a key that the declared columns leave out",
        file(b"id,a\n1,2\n", columns=declared(("a", "Integer"))),
        SPEC,
        ("spec.columns: leaves out id",),
        "Add id",
    ),
]

ALL = [*FILES, *VALUES, *KEYS]


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.what)
def test_it_has_a_name_and_changes_nothing(houses: Scene, bad: Bad) -> None:
    refused(houses, bad)


LOOKS_BAD = [
    ("a mark of byte order", b"\xef\xbb\xbf" + HOUSES, "rows.csv"),
    ("UTF-16 that says so itself", HOUSES.decode().encode("utf-16"), "rows.csv"),
    ("lines that end as on Windows", HOUSES.replace(b"\n", b"\r\n"), "rows.csv"),
    ("an ending of packed files on one that is not", HOUSES, "rows.csv.gz"),
    ("a packed file without the ending", gzip.compress(HOUSES), "rows.csv"),
]


@pytest.mark.parametrize(
    ("content", "name"), [case[1:] for case in LOOKS_BAD], ids=[case[0] for case in LOOKS_BAD]
)
def test_what_only_looks_bad_has_the_same_content(houses: Scene, content: bytes, name: str) -> None:
    step = file(content, name)(houses)
    owner = step.owner.model_copy(update={"name": "odd", "uid": str(uuid.uuid4())})
    outcome = houses.carry_out(step.model_copy(update={"owner": owner}))
    assert outcome.load is not None, outcome
    assert [each.digest for each in outcome.load.variants] == houses.digests
