"""balance, and what holds of every chain whatever the seed, the number of threads and the order of arrival."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.errors import InvalidSpecError
from tests.support.transforms import built, built_last, held_out, marked

_SEEDS = range(3)


def _rows(seed: int, count: int = 300) -> pa.Table:
    draw = np.random.default_rng(seed)
    classes = draw.choice(["a", "b", "c", "d"], count, p=[0.6, 0.25, 0.1, 0.05])
    return pa.table(
        {
            "id": draw.permutation(count) * 3,
            "part": draw.choice(["p", "q"], count),
            "y": pa.array(classes.tolist(), mask=draw.random(count) < 0.05),
            "x": pa.array(draw.standard_normal(count), mask=draw.random(count) < 0.2),
            "t": pa.array([f" T{row % 17}, " for row in range(count)], mask=draw.random(count) < 0.1),
        }
    )


def _balance(method: str, seed: int) -> dict[str, object]:
    return {"balance": {"column": "y", "method": method, "seed": seed}}


_KEY = ["id", "part"]
_CHAINS: dict[str, list[object]] = {
    "alone": [],
    "before a filter": [{"filter": {"where": "x > -1"}}],
    "before a fill": [{"fillMissing": {"columns": ["x"], "strategy": "Mean"}}],
    "before a second balance": [{"balance": {"column": "y", "method": "Under", "seed": 9}}],
    "before a selection": [{"select": {"columns": ["y"]}}],
    "before a renaming": [{"rename": {"columns": [{"from": "y", "to": "label"}]}}],
    "before a sample": [{"sample": {"percent": "50", "seed": 4}}],
}


@pytest.mark.parametrize("chain", _CHAINS)
@pytest.mark.parametrize("method", ["Over", "Under"])
@pytest.mark.parametrize("seed", _SEEDS)
def test_no_copy_of_a_held_out_row_is_trained_on(chain: str, method: str, seed: int) -> None:
    table = _rows(seed)
    split = Split(seed=seed)
    tested = {
        (row["id"], row["part"])
        for row, held in zip(table.to_pylist(), held_out(table, _KEY, split), strict=True)
        if held
    }
    rows, made = built(marked(table, _KEY, split), _balance(method, seed), *_CHAINS[chain], key=_KEY)
    assert made.origin == tuple(_KEY)
    sides = held_out(rows, made.origin, split)
    for row, held in zip(rows.to_pylist(), sides, strict=True):
        assert ((row["id"], row["part"]) in tested) == held
        assert not held or row.get("copy_number", 0) == 0
    assert len({tuple(row[name] for name in made.key) for row in rows.to_pylist()}) == rows.num_rows


@pytest.mark.parametrize(("method", "goal"), [("Over", max), ("Under", min)])
@pytest.mark.parametrize("seed", _SEEDS)
def test_classes_of_the_training_part_are_equally_large_and_the_rest_is_as_it_was(
    method: str, goal: object, seed: int
) -> None:
    table = _rows(seed)
    rows, made = built(marked(table, _KEY), _balance(method, seed), key=_KEY)
    before, after = held_out(table, _KEY), held_out(rows, made.origin)
    assert callable(goal)
    sizes = Counter(y for y, held in zip(table.column("y").to_pylist(), before, strict=True) if not held)
    balanced = Counter(y for y, held in zip(rows.column("y").to_pylist(), after, strict=True) if not held)
    without_class = sizes.pop(None)
    assert balanced.pop(None) == without_class
    assert balanced == dict.fromkeys(sizes, goal(sizes.values()))
    same = table.filter(pa.array(before)).sort_by([("id", "ascending"), ("part", "ascending")])
    assert rows.filter(pa.array(after)).select(table.column_names).to_pylist() == same.to_pylist()


def test_rows_of_a_class_are_copied_equally_often() -> None:
    table = _rows(1)
    rows, made = built(marked(table, _KEY), _balance("Over", 1), key=_KEY)
    training = rows.filter(pa.array(~held_out(rows, made.origin))).to_pylist()
    times = Counter((row["y"], row["id"], row["part"]) for row in training)
    for label in "abcd":
        counts = {count for (y, _, _), count in times.items() if y == label}
        assert max(counts) - min(counts) <= 1


def test_another_seed_draws_other_rows() -> None:
    table = _rows(1)
    one, other = (built(marked(table, _KEY), _balance("Under", seed), key=_KEY)[0] for seed in (1, 2))
    assert one.num_rows == other.num_rows
    assert not one.equals(other)


def test_copies_are_part_of_the_key_and_classes_become_the_label() -> None:
    rows, made = built(marked(_rows(1), _KEY), _balance("Over", 1), key=_KEY)
    assert made.key == ("id", "part", "copy_number")
    assert rows.column_names[:3] == ["id", "part", "copy_number"]
    assert made.label == "y"


def test_copies_are_made_once() -> None:
    with pytest.raises(InvalidSpecError, match=r"balance\.method = 'copy_number': there is a column"):
        built(marked(_rows(1), _KEY), _balance("Over", 1), _balance("Over", 1), key=_KEY)


_EVERYTHING: list[object] = [
    {
        "name": "means",
        "transforms": [
            {"dropMissing": {"columns": ["y"]}},
            {
                "aggregate": {
                    "groupBy": ["y"],
                    "columns": [
                        {"into": "mean_x", "function": "Mean", "column": "x"},
                        {"into": "spread_x", "function": "StandardDeviation", "column": "x"},
                        {"into": "sum_x", "function": "Sum", "column": "x"},
                        {"into": "first_t", "function": "First", "column": "t"},
                    ],
                }
            },
        ],
    },
    {
        "name": "clean",
        "transforms": [
            {"text": {"columns": ["t"], "operations": ["NFKC", "Lower", "RemovePunctuation", "Strip"]}},
            {"fillMissing": {"columns": ["x"], "strategy": "Mean"}},
            {"fillMissing": {"columns": ["t"], "strategy": "MostFrequent"}},
            {"bin": {"column": "x", "into": "quarter", "quantiles": 4}},
            {"join": {"variant": "means", "on": ["y"]}},
            {"sort": {"by": [{"column": "t"}, {"column": "x", "descending": True}], "into": "place"}},
        ],
    },
    {"name": "over", "from": "clean", "transforms": [_balance("Over", 3)]},
    {"name": "single", "from": "clean", "transforms": [{"dedupe": {"columns": ["y", "quarter"]}}]},
    {
        "name": "asked",
        "from": "clean",
        "transforms": [
            {
                "sql": {
                    "query": "SELECT min(id) AS id, min(part) AS part, t, avg(x) AS x, sum(x) AS s, "
                    "stddev(x) AS d FROM rows GROUP BY t"
                }
            }
        ],
    },
]


def _shuffled(table: pa.Table, seed: int) -> pa.Table:
    return table.take(np.random.default_rng(seed).permutation(table.num_rows))


def _last_variants() -> Iterator[list[object]]:
    for count in range(1, len(_EVERYTHING) + 1):
        yield _EVERYTHING[:count]


@pytest.mark.parametrize(
    "documents", list(_last_variants()), ids=["means", "clean", "over", "single", "asked"]
)
def test_threads_batches_and_the_order_of_arrival_change_no_value(documents: list[object]) -> None:
    table = _rows(11, count=2000)
    table = table.append_column("big", pa.array(np.random.default_rng(1).standard_normal(2000) * 1e12))
    once, _ = built_last(marked(table, _KEY, batch_rows=2000), documents, key=_KEY)
    assert once.num_rows > 0
    for seed, threads, batch_rows in ((1, 1, 100), (2, 4, 700), (3, 4, 64)):
        source = marked(_shuffled(table, seed), _KEY, batch_rows=batch_rows)
        again, _ = built_last(source, documents, key=_KEY, threads=threads)
        assert again.equals(once)


@pytest.mark.parametrize(("method", "goal"), [("Over", max), ("Under", min)])
def test_the_last_row_that_is_drawn_is_found_among_many(method: str, goal: object) -> None:
    count = 30_000
    table = pa.table(
        {"id": range(count), "y": ["rare" if row % 3 == 0 else "common" for row in range(count)]}
    )
    held = held_out(table, ["id"])
    sizes = Counter(y for y, out in zip(table.column("y").to_pylist(), held, strict=True) if not out)
    rows, made = built(marked(table), _balance(method, 1))
    after = held_out(rows, made.origin)
    balanced = Counter(y for y, out in zip(rows.column("y").to_pylist(), after, strict=True) if not out)
    assert callable(goal)
    assert balanced == dict.fromkeys(sizes, goal(sizes.values()))
