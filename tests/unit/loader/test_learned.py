"""What is learned from the training part is told beside the rows, by the query that makes them."""

import statistics
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Learned
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits
from modelyard_runtime.columns import to_canonical
from tests.support.transforms import chains, held_out, marked

_COUNT = 400
_ROWS = pa.table(
    {
        "id": range(_COUNT),
        "x": [None if row % 7 == 0 else (row * 37 % 101) / 8 for row in range(_COUNT)],
        "n": [None if row % 5 == 0 else row * 37 % 101 for row in range(_COUNT)],
        "city": [None if row % 11 == 0 else "abc"[row % 3] for row in range(_COUNT)],
        "flag": [None if row % 13 == 0 else row % 4 == 0 for row in range(_COUNT)],
    }
)
_TRAINING = to_canonical(_ROWS).filter(pa.array(~held_out(_ROWS, ["id"]))).to_pydict()


def _values(column: str) -> list[Any]:
    return [value for value in _TRAINING[column] if value is not None]


def _learned(documents: Sequence[object], rows: pa.Table = _ROWS, threads: int = 1) -> list[Learned]:
    """What the last of some variants has learned."""
    engine = Engine(marked(rows), Limits(threads=threads))
    try:
        chain = list(chains(engine, documents).values())[-1]
        assert chain.learned(engine) == [], "nothing is learned before the rows are read"
        chain.run(engine)
        return chain.learned(engine)
    finally:
        engine.close()


def _told(*transforms: object, rows: pa.Table = _ROWS) -> list[tuple[str, str, list[Any]]]:
    return [
        (each.step.removeprefix("spec.variants v."), each.column, each.values)
        for each in _learned([{"name": "v", "transforms": list(transforms)}], rows)
    ]


def test_fills_of_every_type_are_told_in_order_of_the_steps() -> None:
    told = _told(
        {"fillMissing": {"columns": ["x", "n"], "strategy": "Median"}},
        {"fillMissing": {"columns": ["city", "flag"], "strategy": "MostFrequent"}},
    )
    assert told == [
        ("transforms[0].fillMissing", "x", [statistics.median(_values("x"))]),
        ("transforms[0].fillMissing", "n", [round(statistics.median(_values("n")))]),
        ("transforms[1].fillMissing", "city", [min(statistics.multimode(_values("city")))]),
        ("transforms[1].fillMissing", "flag", [statistics.mode(_values("flag"))]),
    ]
    assert [type(values[0]) for _, _, values in told] == [float, int, str, bool]


def test_a_fill_is_told_where_no_row_needs_it_and_rounded_as_it_is_filled() -> None:
    rows = pa.table({"id": range(20), "n": [number % 2 for number in range(20)]})
    ((_, column, values),) = _told({"fillMissing": {"columns": ["n"], "strategy": "Mean"}}, rows=rows)
    assert column == "n"
    assert values in ([0], [1])


def test_borders_are_told_in_ascending_order_and_each_once() -> None:
    ((step, column, values),) = _told({"bin": {"column": "x", "into": "b", "quantiles": 4}})
    assert (step, column) == ("transforms[0].bin", "x")
    ranked = sorted(_values("x"))
    assert values == [ranked[-(-len(ranked) * number // 4) - 1] for number in (1, 2, 3)]
    few = pa.table({"id": range(40), "n": [1] * 30 + [2] * 10})
    assert _told({"bin": {"column": "n", "into": "b", "quantiles": 10}}, rows=few)[0][2] == [1, 2]


def test_what_no_row_of_the_training_part_says_is_not_told() -> None:
    rows = pa.table({"id": range(20), "x": [float("nan")] * 20})
    assert _told({"bin": {"column": "x", "into": "b", "quantiles": 3}}, rows=rows) == []
    assert _told({"fillMissing": {"columns": ["x"], "strategy": "Constant", "value": "1"}}, rows=rows) == []


def test_values_that_json_does_not_have_are_told_as_texts() -> None:
    rows = pa.table({"id": range(20), "x": [float("inf")] * 20})
    assert _told({"bin": {"column": "x", "into": "b", "quantiles": 2}}, rows=rows)[0][2] == ["inf"]
    long = pa.table({"id": range(20), "t": ["ä" * 5000] * 20})
    told = _told({"fillMissing": {"columns": ["t"], "strategy": "MostFrequent"}}, rows=long)
    assert told[0][2] == ["ä" * 1000]


@pytest.mark.parametrize("threads", [1, 4])
def test_what_parents_and_joined_variants_have_learned_is_told_once(threads: int) -> None:
    found = _learned(
        [
            {"name": "a", "transforms": [{"fillMissing": {"columns": ["x"], "strategy": "Mean"}}]},
            {
                "name": "b",
                "from": "a",
                "transforms": [
                    {"bin": {"column": "n", "into": "q", "quantiles": 3}},
                    {"rename": {"columns": [{"from": "x", "to": "y"}]}},
                    {"join": {"variant": "a", "on": ["id"], "columns": ["x"], "kind": "Left"}},
                ],
            },
        ],
        threads=threads,
    )
    assert [(each.step, each.column) for each in found] == [
        ("spec.variants a.transforms[0].fillMissing", "x"),
        ("spec.variants b.transforms[0].bin", "n"),
    ]
