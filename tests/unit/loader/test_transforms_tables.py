"""Transforms for which a row's fate depends on others: learned fills and bins, dedupe, sort, join, aggregate."""

import math
import statistics
from typing import Any

import pyarrow as pa
import pytest

from modelyard_runtime.errors import DataError, InvalidSpecError, StepError
from tests.support.transforms import built, built_last, held_out, marked

_COUNT = 400
_ROWS = pa.table(
    {
        "id": range(_COUNT),
        "x": [None if row % 7 == 0 else (row * 37 % 101) / 8 for row in range(_COUNT)],
        "n": [None if row % 5 == 0 else row * 37 % 101 for row in range(_COUNT)],
        "city": [None if row % 11 == 0 else "abc"[row % 3] for row in range(_COUNT)],
        "flag": [row % 4 == 0 for row in range(_COUNT)],
    }
)
_HELD_OUT = held_out(_ROWS, ["id"])
_LISTS = _ROWS.to_pydict()


def _training(column: str) -> list[Any]:
    pairs = zip(_LISTS[column], _HELD_OUT, strict=True)
    return [value for value, held in pairs if not held and value is not None]


@pytest.mark.parametrize(
    ("column", "strategy", "value"),
    [
        ("x", "Mean", statistics.fmean(_training("x"))),
        ("x", "Median", statistics.median(_training("x"))),
        ("n", "Mean", round(statistics.fmean(_training("n")))),
        ("n", "Median", round(statistics.median(_training("n")))),
        ("x", "MostFrequent", min(statistics.multimode(_training("x")))),
        ("n", "MostFrequent", min(statistics.multimode(_training("n")))),
        ("city", "MostFrequent", min(statistics.multimode(_training("city")))),
    ],
)
def test_a_fill_is_learned_from_the_training_part(column: str, strategy: str, value: object) -> None:
    rows, chain = built(marked(_ROWS), {"fillMissing": {"columns": [column], "strategy": strategy}})
    filled = [value if each is None else each for each in _LISTS[column]]
    assert rows.column(column).to_pylist() == filled
    assert chain.fitted
    assert not chain.row_wise


def test_several_columns_are_filled_in_one_query() -> None:
    rows, _ = built(marked(_ROWS), {"fillMissing": {"columns": ["x", "n"], "strategy": "Median"}})
    assert rows.column("x").null_count + rows.column("n").null_count == 0


def test_a_mean_is_exact_where_a_sum_of_floats_is_not() -> None:
    training = [row for row in range(40) if not _HELD_OUT[row]][:4]
    rows = pa.table({"id": training, "x": [1e16, 1.0, -1e16, None]})
    filled, _ = built(marked(rows), {"fillMissing": {"columns": ["x"], "strategy": "Mean"}})
    assert filled.column("x").to_pylist() == [1e16, 1.0, -1e16, 1 / 3]


@pytest.mark.parametrize("strategy", ["Mean", "Median", "MostFrequent"])
def test_nothing_to_learn_from_is_told(strategy: str) -> None:
    rows = pa.table({"id": [1, 2], "x": pa.array([None, None], pa.float64())})
    with pytest.raises(DataError, match="fillMissing: no row of the training part has a value in column x"):
        built(marked(rows), {"fillMissing": {"columns": ["x"], "strategy": strategy}})


def test_nothing_to_learn_from_is_no_matter_where_nothing_is_missing() -> None:
    rows = pa.table({"id": pa.array([], pa.int64()), "x": pa.array([], pa.float64())})
    assert built(marked(rows), {"fillMissing": {"columns": ["x"], "strategy": "Mean"}})[0].num_rows == 0


@pytest.mark.parametrize("strategy", ["Mean", "Median"])
def test_texts_have_no_mean(strategy: str) -> None:
    with pytest.raises(InvalidSpecError, match=r"fillMissing\.columns = 'city': is a column of type Text"):
        built(marked(_ROWS), {"fillMissing": {"columns": ["city"], "strategy": strategy}})


def test_a_fitted_chain_wants_to_know_which_rows_are_held_out() -> None:
    with pytest.raises(StepError, match="nothing says which rows are held out"):
        built(_ROWS, {"fillMissing": {"columns": ["x"], "strategy": "Mean"}})


def test_quantiles_are_values_of_the_training_part_that_split_it_equally() -> None:
    rows, _ = built(marked(_ROWS), {"bin": {"column": "x", "into": "b", "quantiles": 4}})
    values = sorted(_training("x"))
    borders = [values[math.ceil(len(values) * part / 4) - 1] for part in (1, 2, 3)]
    expected = [None if x is None else sum(x > border for border in borders) for x in _LISTS["x"]]
    assert rows.column("b").to_pylist() == expected


def test_borders_that_fall_together_count_once() -> None:
    table = pa.table({"id": range(100), "x": [0.0] * 60 + [float(row) for row in range(40)]})
    rows, _ = built(marked(table), {"bin": {"column": "x", "into": "b", "quantiles": 10}})
    numbers = rows.column("b").to_pylist()
    assert numbers[:60] == [0] * 60
    assert sorted(set(numbers)) == list(range(len(set(numbers))))


def test_dedupe_keeps_the_first_in_key_order() -> None:
    table = pa.table({"id": [4, 3, 2, 1], "a": ["x", None, "x", None], "b": [1, 2, 1, 2]})
    assert built(table, {"dedupe": {"columns": ["a"]}})[0].column("id").to_pylist() == [1, 2]
    assert built(table, {"dedupe": {"columns": ["a", "b"]}})[0].column("id").to_pylist() == [1, 2]


def test_dedupe_takes_missing_values_for_the_same() -> None:
    table = pa.table({"id": [1, 2, 3, 4], "x": [math.nan, None, 0.0, -0.0]})
    assert built(table, {"dedupe": {"columns": ["x"]}})[0].column("id").to_pylist() == [1, 3]


def test_sort_gives_each_row_its_place_and_missing_values_the_last_ones() -> None:
    table = pa.table({"id": [1, 2, 3, 4, 5], "x": [2.0, None, 5.0, 2.0, math.nan]})
    ascending, _ = built(table, {"sort": {"by": [{"column": "x"}], "into": "place"}})
    assert ascending.column("place").to_pylist() == [1, 4, 3, 2, 5]
    falling, _ = built(table, {"sort": {"by": [{"column": "x", "descending": True}], "into": "place"}})
    assert falling.column("place").to_pylist() == [2, 4, 1, 3, 5]


_CITIES = {
    "name": "cities",
    "transforms": [
        {"dropMissing": {"columns": ["city"]}},
        {
            "aggregate": {
                "groupBy": ["city"],
                "columns": [
                    {"into": "rows_here", "function": "Count"},
                    {"into": "mean_x", "function": "Mean", "column": "x"},
                ],
            }
        },
    ],
}


def test_a_join_adds_columns_of_another_variant() -> None:
    documents = [_CITIES, {"name": "v", "transforms": [{"join": {"variant": "cities", "on": ["city"]}}]}]
    rows, chain = built_last(_ROWS, documents)
    assert rows.column_names == [*_ROWS.column_names, "rows_here", "mean_x"]
    assert rows.num_rows == _COUNT
    counts = {city: _LISTS["city"].count(city) for city in "abc"}
    assert rows.column("rows_here").to_pylist() == [counts.get(city) for city in _LISTS["city"]]
    assert chain.key == ("id",)


def test_an_inner_join_drops_rows_without_a_match() -> None:
    join = {"variant": "cities", "on": ["city"], "columns": ["mean_x"], "kind": "Inner"}
    rows, _ = built_last(_ROWS, [_CITIES, {"name": "v", "transforms": [{"join": join}]}])
    assert rows.num_rows == _COUNT - _LISTS["city"].count(None)


def test_a_join_with_several_matches_is_refused_with_the_value() -> None:
    documents = [
        {"name": "other", "transforms": [{"derive": {"column": "y", "as": "x * 2"}}]},
        {"name": "v", "transforms": [{"join": {"variant": "other", "on": ["flag"], "columns": ["y"]}}]},
    ]
    with pytest.raises(DataError, match=r"join = '(true|false)': the other variant has more than one row"):
        built_last(_ROWS, documents)


@pytest.mark.parametrize(
    ("join", "said"),
    [
        ({"variant": "later", "on": ["id"]}, r"join\.variant = 'later': is not an earlier variant"),
        ({"variant": "v", "on": ["id"]}, r"join\.variant = 'v': is not an earlier variant"),
        ({"variant": "cities", "on": ["id"]}, r"join\.on = 'id': is not a column of variant cities"),
        ({"variant": "cities", "on": ["town"]}, r"join\.on = 'town': is not a column here"),
        (
            {"variant": "cities", "on": ["city"], "columns": ["x"]},
            r"columns = 'x': is not a column of variant",
        ),
        ({"variant": "copy", "on": ["id"]}, r"join\.columns = 'x': there is a column x already"),
        ({"variant": "copy", "on": ["x"]}, r"join\.on = 'x': is a column of floating-point numbers"),
    ],
)
def test_a_join_that_cannot_be_is_refused(join: dict[str, object], said: str) -> None:
    documents = [_CITIES, {"name": "copy"}, {"name": "v", "transforms": [{"join": join}]}, {"name": "later"}]
    with pytest.raises(InvalidSpecError, match=said):
        built_last(_ROWS, documents)


def test_variants_of_one_parent_can_be_joined() -> None:
    documents = [
        {"name": "base", "transforms": [{"filter": {"where": "id < 10"}}]},
        {"name": "a", "from": "base", "transforms": [{"derive": {"column": "a", "as": "id * 2"}}]},
        {"name": "b", "from": "base", "transforms": [{"derive": {"column": "b", "as": "id * 3"}}]},
        {
            "name": "v",
            "from": "b",
            "transforms": [{"join": {"variant": "a", "on": ["id"], "columns": ["a"]}}],
        },
    ]
    rows, _ = built_last(_ROWS, documents)
    assert rows.column("a").to_pylist() == [row * 2 for row in range(10)]


def test_aggregates_are_what_they_are_called() -> None:
    functions = [
        ("Count", None), ("CountMissing", "n"), ("CountDistinct", "n"), ("Sum", "n"), ("Sum", "x"),
        ("Mean", "x"), ("StandardDeviation", "x"), ("Min", "x"), ("Max", "n"), ("Median", "x"),
        ("First", "n"), ("Last", "city"),
    ]  # fmt: skip
    columns = [
        {"into": f"c{number}", "function": function, **({"column": column} if column else {})}
        for number, (function, column) in enumerate(functions)
    ]
    rows, chain = built(_ROWS, {"aggregate": {"groupBy": ["flag"], "columns": columns}})
    found = {row["flag"]: [row[f"c{number}"] for number in range(12)] for row in rows.to_pylist()}
    for flag in (True, False):
        group = [row for row in _ROWS.to_pylist() if row["flag"] is flag]
        n = [row["n"] for row in group if row["n"] is not None]
        x = [row["x"] for row in group if row["x"] is not None]
        city = [row["city"] for row in group if row["city"] is not None]
        expected = [
            len(group), len(group) - len(n), len(set(n)), sum(n), math.fsum(x), math.fsum(x) / len(x),
            statistics.stdev(x), min(x), max(n), statistics.median(x), n[0], city[-1],
        ]  # fmt: skip
        assert found[flag][:6] == expected[:6]
        assert found[flag][6] == pytest.approx(expected[6], rel=1e-14)
        assert found[flag][7:] == expected[7:]
    assert chain.key == chain.origin == ("flag",)


def test_infinite_and_missing_values_do_not_count() -> None:
    table = pa.table({"id": range(5), "g": ["a"] * 5, "x": [1.0, math.inf, math.nan, None, 3.0]})
    columns = [
        {"into": name, "function": name, "column": "x"}
        for name in ("Mean", "Max", "Sum", "CountMissing", "Last")
    ]
    rows, _ = built(table, {"aggregate": {"groupBy": ["g"], "columns": columns}})
    assert rows.to_pylist() == [
        {"g": "a", "Mean": 2.0, "Max": 3.0, "Sum": 4.0, "CountMissing": 3, "Last": 3.0}
    ]


def test_a_group_without_values_has_none() -> None:
    table = pa.table({"id": [1, 2], "g": ["a", "b"], "x": [None, 1.0]})
    columns = [
        {"into": name, "function": name, "column": "x"}
        for name in ("Mean", "StandardDeviation", "Sum", "First")
    ]
    rows, _ = built(table, {"aggregate": {"groupBy": ["g"], "columns": columns}})
    assert rows.to_pylist() == [
        {"g": "a", "Mean": None, "StandardDeviation": None, "Sum": None, "First": None},
        {"g": "b", "Mean": 1.0, "StandardDeviation": None, "Sum": 1.0, "First": 1.0},
    ]


def test_a_group_must_have_a_name() -> None:
    count = {"groupBy": ["city"], "columns": [{"into": "c", "function": "Count"}]}
    with pytest.raises(
        DataError, match="aggregate: a row has no value in column city, which names its group"
    ):
        built(_ROWS, {"aggregate": count})


def test_an_aggregate_of_the_training_part_does_not_see_the_rest() -> None:
    count = {"groupBy": ["flag"], "columns": [{"into": "c", "function": "Count"}], "part": "Training"}
    rows, _ = built(marked(_ROWS), {"aggregate": count})
    assert sum(rows.column("c").to_pylist()) == _COUNT - _HELD_OUT.sum()


@pytest.mark.parametrize(
    ("aggregate", "said"),
    [
        ({"groupBy": ["nothing"], "columns": [{"into": "c", "function": "Count"}]}, "groupBy = 'nothing'"),
        ({"groupBy": ["flag"], "columns": [{"into": "Flag", "function": "Count"}]}, "there is a column flag"),
        (
            {"groupBy": ["flag"], "columns": [{"into": "c", "function": "Mean", "column": "city"}]},
            "columns = 'city': is a column of type Text",
        ),
    ],
)
def test_an_aggregate_that_cannot_be_is_refused(aggregate: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSpecError, match=said):
        built(_ROWS, {"aggregate": aggregate})


def test_nothing_is_learned_of_rows_that_belong_to_neither_part() -> None:
    count = {"groupBy": ["flag"], "columns": [{"into": "c", "function": "Count"}]}
    with pytest.raises(InvalidSpecError, match=r"transforms\[1\].bin: quantiles looks at the training part"):
        built(marked(_ROWS), {"aggregate": count}, {"bin": {"column": "c", "into": "b", "quantiles": 3}})
