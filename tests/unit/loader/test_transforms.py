"""What each transform does to rows, and what it says of what it cannot do."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.expressions import FUNCTION_NAMES
from modelyard_runtime.columns import canonical_type, to_canonical
from modelyard_runtime.errors import DataError, InvalidSpecError
from tests.support.transforms import chains

_ROWS = pa.table(
    {
        "id": [1, 2, 3, 4],
        "x": [1.0, 0.0, None, -4.0],
        "n": [7, 8, None, 10],
        "title": ["one", "2", None, ""],
        "flag": [True, False, None, True],
    }
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(_ROWS)
    yield made
    made.close()


def _rows(engine: Engine, *transforms: object) -> pa.Table:
    return _chain(engine, [{"name": "v", "transforms": list(transforms)}])


def _chain(engine: Engine, documents: Sequence[object]) -> pa.Table:
    chain = list(chains(engine, documents).values())[-1]
    rows = chain.run(engine)
    assert rows.schema.equals(to_canonical(rows).schema)
    assert rows.column_names == [column.name for column in chain.columns]
    assert [canonical_type(field) for field in rows.schema] == [each.type for each in chain.columns]
    return rows


def _derived(engine: Engine, expression: str) -> list[object]:
    found: list[object] = (
        _rows(engine, {"derive": {"column": "new", "as": expression}}).column("new").to_pylist()
    )
    return found


def test_filter_keeps_the_rows_for_which_the_condition_is_true(engine: Engine) -> None:
    assert _rows(engine, {"filter": {"where": "x < 1.0"}}).column("id").to_pylist() == [2, 4]


def test_filter_takes_a_boolean_column_as_it_is(engine: Engine) -> None:
    assert _rows(engine, {"filter": {"where": "flag"}}).column("id").to_pylist() == [1, 4]


def test_filter_refuses_what_is_not_a_condition(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"filter.where = 'x \+ 1': gives DOUBLE, not true or false"):
        _rows(engine, {"filter": {"where": "x + 1"}})


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("x + n", [8.0, 8.0, None, 6.0]),
        ("n * 2", [14, 16, None, 20]),
        ("n // 3", [2, 2, None, 3]),
        ("n / 2", [3.5, 4.0, None, 5.0]),
        ("x > 0", [True, False, None, False]),
        ("upper(title)", ["ONE", "2", None, ""]),
        ("coalesce(n, 0)", [7, 8, 0, 10]),
        ("n + 0.5", [7.5, 8.5, None, 10.5]),
        ("case when n > 7 then 'large' else 'small' end", ["small", "large", "small", "large"]),
        ("try_cast(title as bigint)", [None, 2, None, None]),
        ("length(title)", [3, 1, None, 0]),
        ("log10(n * 0 + 1000)", [3.0, 3.0, None, 3.0]),
    ],
)
def test_derive_computes_a_column_from_its_row(engine: Engine, expression: str, values: list[object]) -> None:
    assert _derived(engine, expression) == values


_CALLS = {
    "abs": "abs(x)", "cbrt": "cbrt(x)", "ceil": "ceil(x)", "coalesce": "coalesce(x, 0)",
    "concat": "concat(title, 'a')", "contains": "contains(title, 'n')", "cos": "cos(x)", "exp": "exp(x)",
    "floor": "floor(x)", "greatest": "greatest(x, n)", "if": "if(flag, x, n)", "ifnull": "ifnull(x, 0)",
    "isfinite": "isfinite(x)", "isinf": "isinf(x)", "isnan": "isnan(x)", "least": "least(x, n)",
    "left": "left(title, 1)", "length": "length(title)", "ln": "ln(n)", "log": "log(n)", "log10": "log10(n)",
    "log2": "log2(n)", "lower": "lower(title)", "nullif": "nullif(x, 0)", "pow": "pow(x, 2)",
    "regexp_matches": "regexp_matches(title, '^o')", "regexp_replace": "regexp_replace(title, 'o', 'a')",
    "replace": "replace(title, 'o', 'a')", "right": "right(title, 1)", "round": "round(x, 1)",
    "sign": "sign(x)", "sin": "sin(x)", "sqrt": "sqrt(n)", "starts_with": "starts_with(title, 'o')",
    "strpos": "strpos(title, 'n')", "substring": "substring(title, 1, 2)", "tan": "tan(x)",
    "tanh": "tanh(x)", "trim": "trim(title)", "trunc": "trunc(x)", "try_cast": "try_cast(n as double)",
    "upper": "upper(title)",
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTION_NAMES)
def test_every_allowed_function_can_be_called(engine: Engine, name: str) -> None:
    assert _derived(engine, _CALLS[name])[0] is not None


def test_the_documentation_lists_the_allowed_functions() -> None:
    listed = Path("docs/dataset.md").read_text().split("- `abs ")[1].split("`;")[0]
    # Operators of the language by their look, named with the others in messages only.
    assert {"abs", *listed.split()} == set(FUNCTION_NAMES) - {"if", "try_cast"}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("n / x", [7.0, None, None, -2.5]),
        ("x / x", [1.0, None, None, 1.0]),
        ("exp(x * 1000)", [None, 1.0, None, 0.0]),
        ("sqrt(x)", [1.0, 0.0, None, None]),
    ],
)
def test_derive_gives_null_where_there_is_no_finite_number(
    engine: Engine, expression: str, values: list[object]
) -> None:
    assert _derived(engine, expression) == values


def test_derive_refuses_a_name_that_is_taken_in_any_case(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"derive\.column = 'X': there is a column x already"):
        _rows(engine, {"derive": {"column": "X", "as": "n"}})


def test_derive_refuses_a_result_without_a_type(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"derive\.as = 'null': gives .*, which no column can hold"):
        _rows(engine, {"derive": {"column": "new", "as": "null"}})


def test_types_that_do_not_match_are_refused_with_the_transform(engine: Engine) -> None:
    with pytest.raises(
        InvalidSpecError, match=r"spec.variants v.transforms\[0\].derive: the engine refuses it"
    ):
        _rows(engine, {"derive": {"column": "new", "as": "title + flag"}})


def test_a_value_that_cannot_be_cast_is_refused_with_its_transform(engine: Engine) -> None:
    with pytest.raises(DataError, match=r"spec.variants v.transforms\[1\].derive: .*'one'"):
        _rows(
            engine,
            {"derive": {"column": "a", "as": "n + 1"}},
            {"derive": {"column": "b", "as": "cast(title as bigint)"}},
        )


def test_a_filter_protects_the_transforms_after_it(engine: Engine) -> None:
    rows = _rows(
        engine,
        {"filter": {"where": "regexp_matches(title, '^[0-9]+$')"}},
        {"filter": {"where": "cast(title as bigint) > 1"}},
        {"derive": {"column": "number", "as": "cast(title as bigint)"}},
    )
    assert rows.column("number").to_pylist() == [2]


def test_bin_numbers_intervals_that_are_closed_on_the_right(engine: Engine) -> None:
    rows = _rows(engine, {"bin": {"column": "n", "into": "b", "edges": ["6", "7", "8"]}})
    assert rows.column("b").to_pylist() == [0, 1, None, None]


def test_bin_may_be_open_at_the_end(engine: Engine) -> None:
    rows = _rows(engine, {"bin": {"column": "n", "into": "b", "edges": ["7", "8.5"], "openEnded": True}})
    assert rows.column("b").to_pylist() == [None, 0, None, 1]


def test_bin_refuses_edges_that_do_not_ascend(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"bin\.edges = '1, 10, 9': 9 is not greater than 10"):
        _rows(engine, {"bin": {"column": "n", "into": "b", "edges": ["1", "10", "9"]}})


def test_bin_refuses_a_column_of_texts(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"bin\.column = 'title': is a column of type Text"):
        _rows(engine, {"bin": {"column": "title", "into": "b", "edges": ["1", "2"]}})


def test_drop_missing_looks_at_every_column_unless_told_which(engine: Engine) -> None:
    assert _rows(engine, {"dropMissing": {}}).column("id").to_pylist() == [1, 2, 4]
    assert _rows(engine, {"dropMissing": {"columns": ["x"]}}).num_rows == 3


def test_drop_missing_takes_an_empty_text_for_a_value(engine: Engine) -> None:
    assert "" in _rows(engine, {"dropMissing": {"columns": ["title"]}}).column("title").to_pylist()


def test_select_keeps_columns_in_order_and_the_key_first(engine: Engine) -> None:
    assert _rows(engine, {"select": {"columns": ["title", "x"]}}).column_names == ["id", "title", "x"]


def test_a_column_that_was_not_selected_is_unknown_afterwards(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"transforms\[1\].filter.where = 'n > 1': unknown column n"):
        _rows(engine, {"select": {"columns": ["x"]}}, {"filter": {"where": "n > 1"}})


def test_select_refuses_an_unknown_column_and_a_repeated_one(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"select\.columns = 'titel': is not a column here"):
        _rows(engine, {"select": {"columns": ["titel"]}})
    with pytest.raises(InvalidSpecError, match=r"select\.columns = 'x': is listed more than once"):
        _rows(engine, {"select": {"columns": ["x", "x"]}})


def test_a_variant_goes_on_where_its_parent_ended(engine: Engine) -> None:
    rows = _chain(
        engine,
        [
            {"name": "v1", "transforms": [{"derive": {"column": "double", "as": "n * 2"}}]},
            {"name": "v2", "from": "v1", "transforms": [{"filter": {"where": "double > 14"}}]},
        ],
    )
    assert rows.column("double").to_pylist() == [16, 20]


def test_rows_come_in_key_order_whatever_order_they_went_in() -> None:
    backwards = Engine(_ROWS.take([3, 2, 1, 0]))
    assert _rows(backwards, {"derive": {"column": "a", "as": "n"}}).column("id").to_pylist() == [1, 2, 3, 4]
    backwards.close()


def test_an_error_in_a_later_variant_comes_before_anything_is_run(engine: Engine) -> None:
    with pytest.raises(InvalidSpecError, match=r"spec.variants v2.transforms\[0\].filter.where"):
        chains(
            engine,
            [
                {"name": "v1", "transforms": [{"derive": {"column": "b", "as": "cast(title as bigint)"}}]},
                {"name": "v2", "from": "v1", "transforms": [{"filter": {"where": "nothing > 1"}}]},
            ],
        )


def test_the_engine_sees_no_file_and_keeps_its_settings(engine: Engine) -> None:
    for statement in ("SELECT * FROM '/etc/passwd'", "SET threads = 2", "INSTALL httpfs"):
        with pytest.raises(Exception, match=r"disabled|locked|does not exist"):
            engine._connection.execute(statement)
