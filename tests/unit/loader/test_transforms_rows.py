"""Transforms that look at each row alone: fillMissing with a constant, rename, cast, sample, text."""

import hashlib

import pyarrow as pa
import pytest

from modelyard_runtime.errors import DataError, InvalidSpecError
from tests.support.transforms import built, marked

_NAN = float("nan")
_ROWS = pa.table(
    {
        "id": [1, 2, 3, 4],
        "x": [1.0, _NAN, None, -4.5],
        "n": [7, 8, None, 10],
        "title": [" One, two!", "2", None, ""],
        "flag": [True, False, None, True],
    }
)


def _column(name: str, *transforms: object) -> list[object]:
    found: list[object] = built(_ROWS, *transforms)[0].column(name).to_pylist()
    return found


def test_drop_missing_takes_not_a_number_for_missing() -> None:
    assert _column("id", {"dropMissing": {"columns": ["x"]}}) == [1, 4]


@pytest.mark.parametrize(
    ("column", "value", "filled"),
    [
        ("x", "0.5", [1.0, 0.5, 0.5, -4.5]),
        ("n", "-1", [7, 8, -1, 10]),
        ("title", "", [" One, two!", "2", "", ""]),
        ("flag", "false", [True, False, False, True]),
    ],
)
def test_a_constant_fills_what_is_missing(column: str, value: str, filled: list[object]) -> None:
    fill = {"fillMissing": {"columns": [column], "strategy": "Constant", "value": value}}
    assert _column(column, fill) == filled


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", "1.5"),
        ("n", "9223372036854775808"),
        ("x", "much"),
        ("x", "nan"),
        ("x", "1e999"),
        ("flag", "yes"),
    ],
)
def test_a_constant_of_another_type_is_refused(column: str, value: str) -> None:
    with pytest.raises(
        InvalidSpecError, match=rf"fillMissing\.value = '{value}': does not fit column {column}"
    ):
        built(_ROWS, {"fillMissing": {"columns": [column], "strategy": "Constant", "value": value}})


def test_the_key_is_never_filled_renamed_cast_or_normalised() -> None:
    for transform in (
        {"fillMissing": {"columns": ["id"], "strategy": "Constant", "value": "1"}},
        {"rename": {"columns": [{"from": "id", "to": "number"}]}},
        {"cast": {"columns": ["id"], "to": "Text"}},
    ):
        with pytest.raises(InvalidSpecError, match="= 'id': is part of the key"):
            built(_ROWS, transform)


def test_columns_can_change_their_names_with_each_other() -> None:
    rows, _ = built(_ROWS, {"rename": {"columns": [{"from": "x", "to": "n"}, {"from": "n", "to": "x"}]}})
    assert rows.column_names == ["id", "n", "x", "title", "flag"]
    assert rows.column("x").to_pylist() == [7, 8, None, 10]


@pytest.mark.parametrize(
    "pairs", [[("x", "N")], [("x", "a"), ("n", "A")], [("x", "ID")], [("x", "a"), ("x", "b")]]
)
def test_a_name_that_is_taken_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidSpecError, match=r"there is a column|is listed more than once"):
        built(_ROWS, {"rename": {"columns": [{"from": old, "to": new} for old, new in pairs]}})


_CASTS = {
    ("Text", "Integer"): (["12", " -3 ", "4.0", None], [12, -3, 4, None]),
    ("Text", "Number"): (["1.5", "1e3", " 2 ", None], [1.5, 1000.0, 2.0, None]),
    ("Text", "Boolean"): (["true", "F", "1", None], [True, False, True, None]),
    ("Number", "Integer"): ([1.0, -2.0, 1e15, None], [1, -2, 10**15, None]),
    ("Number", "Text"): ([1.0, 0.1, -2.5, None], ["1.0", "0.1", "-2.5", None]),
    ("Number", "Boolean"): ([1.0, 0.0, 1.0, None], [True, False, True, None]),
    ("Integer", "Number"): ([1, -2, 3, None], [1.0, -2.0, 3.0, None]),
    ("Integer", "Text"): ([1, -2, 3, None], ["1", "-2", "3", None]),
    ("Integer", "Boolean"): ([1, 0, 1, None], [True, False, True, None]),
    ("Boolean", "Integer"): ([True, False, True, None], [1, 0, 1, None]),
    ("Boolean", "Number"): ([True, False, True, None], [1.0, 0.0, 1.0, None]),
    ("Boolean", "Text"): ([True, False, True, None], ["true", "false", "true", None]),
}


@pytest.mark.parametrize(("types", "values"), _CASTS.items())
def test_every_type_can_be_cast_into_every_other(
    types: tuple[str, str], values: tuple[list[object], list[object]]
) -> None:
    before, after = values
    rows = pa.table({"id": range(4), "c": before})
    assert built(rows, {"cast": {"columns": ["c"], "to": types[1]}})[0].column("c").to_pylist() == after


_MISFITS = [
    ("Integer", "1.5"), ("Integer", "12a"), ("Integer", "99999999999999999999"), ("Integer", 1.5),
    ("Integer", 1e30), ("Number", "nan"), ("Number", "inf"), ("Number", "1e999"), ("Number", ""),
    ("Boolean", "on"), ("Boolean", 2), ("Boolean", 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("to", "value"), _MISFITS)
def test_a_value_that_the_new_type_cannot_hold_ends_the_build_or_is_missing(to: str, value: object) -> None:
    rows = pa.table({"id": [1], "c": [value]})
    with pytest.raises(DataError) as caught:
        built(rows, {"cast": {"columns": ["c"], "to": to}})
    assert caught.value.field == "spec.variants v.transforms[0].cast"
    assert caught.value.problem == f"a value of column c does not fit type {to}"
    nulls, _ = built(rows, {"cast": {"columns": ["c"], "to": to, "onMisfit": "Null"}})
    assert nulls.column("c").to_pylist() == [None]


def test_the_value_that_does_not_fit_is_shown() -> None:
    with pytest.raises(
        DataError, match=r"cast = ' One, two!': a value of column title does not fit type Number"
    ):
        built(_ROWS, {"cast": {"columns": ["title"], "to": "Number"}})


def test_a_cast_into_the_type_that_a_column_has_changes_nothing() -> None:
    rows, _ = built(_ROWS, {"cast": {"columns": ["n"], "to": "Integer"}})
    assert rows.drop("x").equals(built(_ROWS)[0].drop("x"))


_MANY = pa.table({"id": range(2000), "x": [float(each) for each in range(2000)]})


def test_a_sample_has_about_its_share_and_is_part_of_a_larger_one() -> None:
    drawn = {
        percent: set(built(_MANY, {"sample": {"percent": percent, "seed": 3}})[0].column("id").to_pylist())
        for percent in ("10", "50", "100")
    }
    assert 150 < len(drawn["10"]) < 250
    assert drawn["10"] < drawn["50"] < drawn["100"]
    assert len(drawn["100"]) == 2000


def test_another_seed_draws_another_sample() -> None:
    one, other = (
        built(_MANY, {"sample": {"percent": "50", "seed": seed}})[0].column("id").to_pylist()
        for seed in (1, 2)
    )
    assert one != other


def test_a_row_is_drawn_by_the_md5_of_seed_and_key() -> None:
    def number(row: int) -> int:
        digest = hashlib.md5(f"5\x1f{row}\x1ft{row % 3}".encode(), usedforsecurity=False).digest()
        return int.from_bytes(digest, "little")

    table = pa.table({"id": range(200), "part": [f"t{row % 3}" for row in range(200)]})
    rows, _ = built(table, {"sample": {"percent": "25", "seed": 5}}, key=["id", "part"])
    assert rows.column("id").to_pylist() == [row for row in range(200) if number(row) < 2**126]


def test_a_sample_is_independent_of_the_split() -> None:
    rows, _ = built(_MANY, {"sample": {"percent": "50", "seed": 7}})
    source = marked(_MANY)
    assert source.held_out is not None
    share = sum(source.held_out(batch).sum() for batch in rows.to_batches()) / rows.num_rows
    assert 0.15 < share < 0.25


@pytest.mark.parametrize(
    ("operations", "text", "normal"),
    [
        (["NFC"], "e\u0301", "é"),
        (["NFC"], "ﬁ", "ﬁ"),
        (["NFKC"], "ﬁ \uff21 ①", "fi A 1"),
        (["Lower"], "ÄBC", "äbc"),
        (["RemovePunctuation"], "a.b, “c” — $5 <x> don't", "ab c  5 x dont"),
        (["CollapseWhitespace"], " a \t\n b\u00a0\u2003c ", " a b c "),
        (["Strip"], "\u00a0 a  b \n", "a  b"),
        (["RemovePunctuation", "CollapseWhitespace", "Strip", "Lower"], " Red -- Shoes! ", "red shoes"),
        (["Strip"], "  ", ""),
    ],
)
def test_texts_are_normalised(operations: list[str], text: str, normal: str) -> None:
    rows = pa.table({"id": [1, 2], "t": [text, None]})
    transform = {"text": {"columns": ["t"], "operations": operations}}
    assert built(rows, transform)[0].column("t").to_pylist() == [normal, None]


def test_a_column_of_numbers_is_no_text() -> None:
    with pytest.raises(InvalidSpecError, match=r"text\.columns = 'x': is a column of type Number"):
        built(_ROWS, {"text": {"columns": ["x"], "operations": ["Lower"]}})
