"""Statistics, sample and digest: those of the rows, whatever portions they came in."""

import math
import statistics
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard_loader.record.profile import Profile, ProfileState
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.digest import content_digest


def _table(rows: int, seed: int) -> pa.Table:
    chance = np.random.default_rng(seed)
    return pa.table(
        {
            "id": chance.permutation(rows),
            "x": pa.array(chance.normal(5, 2, rows), mask=chance.random(rows) < 0.1),
            "n": chance.integers(-(2**40), 2**40, rows),
            "year": chance.integers(1990, 2026, rows),
            "kind": pa.array(chance.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])),
            "title": [f"title {number}" for number in chance.integers(0, 2_000_000, rows)],
            "ok": pa.array(chance.random(rows) < 0.25, mask=chance.random(rows) < 0.5),
        }
    )


def _profile(*portions: pa.Table) -> Profile:
    made = Profile(canonical_columns(portions[0].schema), ["id"])
    for portion in portions:
        made.add(portion)
    return made


def _of(table: pa.Table, name: str) -> dict[str, Any]:
    found = next(each for each in _profile(table).statistics() if each.name == name)
    return found.model_dump()


@pytest.mark.parametrize("seed", range(4))
def test_a_profile_is_the_same_to_the_bit_in_any_portions(seed: int) -> None:
    rows = 40_000
    table = _table(rows, seed)
    chance = np.random.default_rng(seed)
    shuffled = table.take(pa.array(chance.permutation(rows)))
    cuts = [0, *sorted(chance.integers(0, rows, 7).tolist()), rows]
    together = Profile(canonical_columns(table.schema), ["id"])
    for start, end in pairwise(cuts):
        portion = _profile(shuffled.slice(start, end - start))
        kept = ProfileState.model_validate_json(portion.state().model_dump_json(by_alias=True))
        together.merge(Profile.restored(kept))
    assert together.state() == _profile(table).state()
    assert together.statistics() == _profile(table).statistics()
    assert together.digest() == content_digest(table, ["id"])


def test_what_is_known_of_columns_that_stay_is_taken_over() -> None:
    table = _table(3_000, 4)
    other = table.set_column(1, "x", pa.array(np.arange(3_000.0))).append_column("new", table.column("n"))
    stayed = {"id", *table.column_names} - {"x"}
    taken = Profile(canonical_columns(other.schema), ["id"])
    for start in range(0, 3_000, 1_000):
        taken.add(other.slice(start, 1_000), without=stayed)
    assert taken.state() != _profile(other).state()
    taken.take_over(_profile(table), stayed)
    assert taken.state() == _profile(other).state()


def test_threads_do_not_count() -> None:
    table = _table(70_000, 5)
    threaded = Profile(canonical_columns(table.schema), ["id"])
    threaded.add(table, threads=2)
    assert threaded.state() == _profile(table).state()


def test_statistics_are_those_of_the_values() -> None:
    table = _table(30_000, 9)
    present = table.column("x").drop_null().to_pylist()
    found = _of(table, "x")
    assert found["missing"] == table.column("x").null_count
    assert found["minimum"] == min(present)
    assert found["maximum"] == max(present)
    assert found["mean"] == pytest.approx(statistics.fmean(present), rel=1e-15)
    assert found["deviation"] == pytest.approx(np.std(present, ddof=1), rel=1e-12)
    assert found["distinct"] == pytest.approx(len(set(present)), rel=0.06)
    exact = np.quantile(present, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    assert found["quantiles"] == pytest.approx(exact, rel=0.01, abs=0.01)
    assert sum(found["counts"]) == len(present)
    assert len(found["edges"]) == len(found["counts"]) + 1
    exact_counts, _ = np.histogram(present, bins=found["edges"])
    assert np.abs(exact_counts - found["counts"]).max() < 0.02 * len(present)


def test_whole_numbers_keep_their_ends() -> None:
    table = pa.table({"id": [1, 2, 3], "n": [2**63 - 1, -(2**63), 2**53 + 1]})
    found = _of(table, "n")
    assert (found["minimum"], found["maximum"]) == (-(2**63), 2**63 - 1)
    assert found["mean"] == pytest.approx((2**53) / 3, rel=1e-3)


def test_every_class_is_counted_and_the_largest_comes_first() -> None:
    table = _table(5_000, 2)
    found = _of(table, "kind")
    counts = table.column("kind").value_counts().to_pylist()
    assert found["values"] == {each["values"]: each["counts"] for each in counts}
    assert list(found["values"]) == ["a", "b", "c"]
    assert found["distinct"] == 3
    assert [(each.name, each.rows) for each in _profile(table).classes("kind")] == list(
        found["values"].items()
    )


def test_booleans_are_counted_as_json_spells_them() -> None:
    found = _of(pa.table({"id": [1, 2, 3, 4], "ok": [True, False, None, True]}), "ok")
    assert (found["values"], found["missing"], found["minimum"]) == ({"true": 2, "false": 1}, 1, None)


def test_more_than_twenty_values_are_not_listed_and_up_to_a_thousand_counted() -> None:
    table = pa.table({"id": range(5_000), "k": [f"class {row % 600}" for row in range(5_000)]})
    found = _of(table, "k")
    assert (found["values"], found["distinct"]) == ({}, 600)
    assert len(_profile(table).classes("k")) == 12


def test_nans_are_missing_and_infinities_counted_apart() -> None:
    values = [1.0, float("nan"), float("inf"), -float("inf"), None, 3.0]
    found = _of(pa.table({"id": range(6), "x": values}), "x")
    assert (found["missing"], found["infinite"], found["mean"], found["maximum"]) == (2, 2, 2.0, 3.0)
    assert found["values"] == {"1.0": 1, "3.0": 1}


def test_a_column_without_a_value_has_no_numbers() -> None:
    found = _of(pa.table({"id": [1, 2], "x": pa.array([None, None], pa.float64())}), "x")
    assert (found["missing"], found["distinct"], found["mean"], found["quantiles"]) == (2, 0, None, [])


def test_no_rows_have_a_profile() -> None:
    empty = _table(10, 1).slice(0, 0)
    found = _profile(empty)
    assert (found.rows, found.sample()) == (0, [])
    assert found.digest() == content_digest(empty, ["id"])


def test_a_deviation_that_float64_cannot_tell_is_left_out() -> None:
    near = pa.table({"id": range(1000), "x": 1e12 + np.arange(1000) * 1e-3})
    assert _of(near, "x")["deviation"] is None
    same = pa.table({"id": range(1000), "x": np.full(1000, 1e12)})
    assert _of(same, "x")["deviation"] == 0.0
    huge = pa.table({"id": [1, 2], "x": [1e300, -1e300]})
    assert _of(huge, "x")["deviation"] is None


def test_a_deviation_of_times_in_seconds_is_told() -> None:
    values = 1.7e9 + np.arange(10_000.0) * 60
    found = _of(pa.table({"id": range(10_000), "x": values}), "x")
    assert found["deviation"] == pytest.approx(np.std(values, ddof=1), rel=1e-6)


def test_the_sample_holds_whole_rows_and_not_the_first_ones() -> None:
    table = _table(3_000, 3)
    sample = _profile(table).sample()
    by_id = {row["id"]: row for row in table.to_pylist()}
    assert len(sample) == 20
    assert all(by_id[row["id"]] == row for row in sample)
    assert {row["id"] for row in sample} != set(range(20))


def test_a_sample_has_no_number_that_json_lacks_and_no_long_text() -> None:
    table = pa.table({"id": [1, 2], "x": [float("inf"), float("nan")], "t": ["a" * 500, None]})
    rows = sorted(_profile(table).sample(), key=lambda row: str(row["id"]))
    assert [row["x"] for row in rows] == [None, None]
    assert rows[0]["t"] == "a" * 199 + "…"


def test_long_texts_are_cut_in_their_ends_and_not_counted_one_by_one() -> None:
    table = pa.table({"id": [1, 2], "t": ["b" * 5_000, "a" * 5_000]})
    found = _of(table, "t")
    assert (found["minimum"], found["maximum"]) == ("a" * 120, "b" * 120)
    assert (found["values"], found["distinct"]) == ({}, 2)


def test_a_mean_is_exact_where_sums_would_swallow_small_numbers() -> None:
    values = [1e16, 1.0, -1e16, 1.0]
    found = _of(pa.table({"id": range(4), "x": values}), "x")
    assert found["mean"] == 0.5
    assert math.isfinite(found["deviation"])
