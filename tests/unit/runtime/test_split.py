"""The split: a function of seed and key alone, or of what an option names."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from modelyard_api.contract.manifest import SplitBorder
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_runtime.hashing import row_hashes
from modelyard_runtime.split import SplitLine, asked_column, check_split, draw_line, held_out
from tests.support.columns import Value, hash_of

_VECTORS = json.loads(Path("tests/data/digests/split.json").read_text())
_ROWS = 20_000


def _numbered(rows: int = _ROWS) -> pa.Table:
    return pa.table({"id": np.arange(1, rows + 1)})


def _hash(key: list[Value], seed: int) -> int:
    table = pa.table({f"k{number}": [value] for number, value in enumerate(key)})
    return int(row_hashes(table, table.column_names, seed)[0])


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: f"{vector['key']} {vector['seed']}")
def test_a_vector_has_the_hash_that_was_written_down(vector: dict[str, object]) -> None:
    key, seed = json.loads(json.dumps([vector["key"], vector["seed"]]))
    assert f"{_hash(key, seed):016x}" == vector["hash"]


def test_texts_of_every_length_hash_as_their_plain_definition_says() -> None:
    chance = random.Random(3)  # noqa: S311  not a secret
    texts = ["".join(chance.choices("abé日", k=length % 37)) for length in range(500)]
    hashes = row_hashes(pa.table({"t": texts}), ["t"], 7)
    assert hashes.tolist() == [hash_of([text], 7) for text in texts]


def test_texts_in_chunks_and_slices_hash_as_whole_ones() -> None:
    texts = pa.table({"t": [f"title {number}" for number in range(100)]})
    pieces = pa.concat_tables([texts.slice(0, 33), texts.slice(33, 1), texts.slice(34)])
    whole = row_hashes(texts, ["t"], 1)
    assert (row_hashes(pieces, ["t"], 1) == whole).all()
    assert (row_hashes(texts.slice(40, 20), ["t"], 1) == whole[40:60]).all()


def test_a_row_keeps_its_part_while_others_arrive() -> None:
    late, early = _numbered(), _numbered(5_000)
    assert (held_out(late, ["id"], Split())[:5_000] == held_out(early, ["id"], Split())).all()


@pytest.mark.parametrize("percent", ["0.5", "20", "33.333333", "80"])
def test_the_held_out_share_is_the_one_asked_for(percent: str) -> None:
    share = float(percent) / 100
    deviation = (share * (1 - share) / _ROWS) ** 0.5
    found = held_out(_numbered(), ["id"], Split(test_percent=percent)).mean()
    assert abs(found - share) < 4 * deviation


def test_a_hundred_percent_is_every_row() -> None:
    assert held_out(_numbered(), ["id"], Split(test_percent="100")).all()


def test_another_seed_holds_out_other_rows() -> None:
    one, two = (held_out(_numbered(), ["id"], Split(seed=seed)) for seed in (1, 2))
    both = (one & two).mean()
    assert abs(both - 0.04) < 0.01


def test_a_larger_share_keeps_what_a_smaller_one_held_out() -> None:
    small = held_out(_numbered(), ["id"], Split(test_percent="10"))
    large = held_out(_numbered(), ["id"], Split(test_percent="30"))
    assert not (small & ~large).any()


def _sales(rows: int = 6_000, seed: int = 1) -> pa.Table:
    chance = np.random.default_rng(seed)
    days = chance.integers(0, 300, rows)
    return pa.table(
        {
            "id": chance.permutation(rows),
            "shop": pa.array([f"shop {shop}" for shop in chance.integers(0, 400, rows)]),
            "kind": pa.array(
                chance.choice(["a", "b", "c"], rows, p=[0.7, 0.25, 0.05]), mask=chance.random(rows) < 0.02
            ),
            "day": pa.array([f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in days]),
            "time": pa.array(days.astype(float), mask=chance.random(rows) < 0.01),
            "paid": chance.random(rows) < 0.5,
        }
    )


_OPTIONS = [
    Split(),
    Split(group_by="shop"),
    Split(stratify_by="kind"),
    Split(time_column="day"),
    Split(time_column="time"),
    Split(stratify_by="paid"),
]


@pytest.mark.parametrize("split", _OPTIONS, ids=lambda split: str(asked_column(split)))
def test_the_order_and_portions_in_which_rows_are_seen_do_not_count(split: Split) -> None:
    table = _sales()
    order = np.random.default_rng(4).permutation(table.num_rows)
    shuffled = table.take(pa.array(order))
    whole = held_out(table, ["id"], split)
    assert (held_out(shuffled, ["id"], split) == whole[order]).all()
    line = draw_line(split, ("id",), table.num_rows, (batch for batch in shuffled.to_batches(700)))
    masks = [line.mask(batch) for batch in table.to_batches(1_100)]
    assert (np.concatenate(masks) == whole).all()
    assert abs(whole.mean() - 0.2) < 0.04


@pytest.mark.parametrize("split", _OPTIONS, ids=lambda split: str(asked_column(split)))
def test_a_line_is_kept_in_a_manifest_as_it_was_drawn(split: Split) -> None:
    table = _sales(900)
    line = draw_line(split, ("id",), table.num_rows, [table])
    border = line.border and SplitBorder.model_validate_json(line.border.model_dump_json(by_alias=True))
    assert (SplitLine(split, ("id",), border).mask(table) == line.mask(table)).all()


def test_a_group_is_on_one_side_and_keeps_it_while_rows_arrive() -> None:
    table, split = _sales(), Split(group_by="shop")
    late, early = held_out(table, ["id"], split), held_out(table.slice(0, 500), ["id"], split)
    assert (late[:500] == early).all()
    sides: dict[str, bool] = {}
    for shop, side in zip(table.column("shop").to_pylist(), late.tolist(), strict=True):
        assert sides.setdefault(shop, side) == side
    assert len(set(sides.values())) == 2


def test_rows_without_a_group_go_by_their_own_key() -> None:
    table = pa.table({"id": range(2_000), "g": pa.array([None] * 2_000, pa.string())})
    grouped = held_out(table, ["id"], Split(group_by="g"))
    assert (grouped == held_out(table, ["id"], Split())).all()


def test_each_class_has_its_share_to_the_row() -> None:
    table = _sales()
    mask = held_out(table, ["id"], Split(stratify_by="kind", test_percent="20"))
    kinds = np.array([str(kind) for kind in table.column("kind").to_pylist()])
    for kind in ("a", "b", "c", "None"):
        own = kinds == kind
        assert mask[own].sum() == int(own.sum() * 0.2 + 0.5)


def test_of_each_class_the_smallest_hashes_are_held_out() -> None:
    table, split = _sales(400), Split(stratify_by="kind")
    mask = held_out(table, ["id"], split)
    ids, kinds = table.column("id").to_pylist(), table.column("kind").to_pylist()
    for kind in {*kinds}:
        own = [row for row, each in enumerate(kinds) if each == kind]
        ranked = sorted(own, key=lambda row: hash_of([ids[row]], split.seed))
        assert [row for row in ranked if mask[row]] == ranked[: int(len(own) * 0.2 + 0.5)]


def test_more_classes_than_a_label_has_are_refused() -> None:
    table = pa.table({"id": range(1_001), "k": range(1_001)})
    with pytest.raises(DataError, match=r"spec.split.stratifyBy = 'k': has more than 1000 different values"):
        held_out(table, ["id"], Split(stratify_by="k"))


@pytest.mark.parametrize("name", ["day", "time"])
def test_the_last_rows_are_held_out_and_equal_times_go_by_hash(name: str) -> None:
    table, split = _sales(1_000), Split(time_column=name, test_percent="15")
    mask = held_out(table, ["id"], split)
    times, ids = table.column(name).to_pylist(), table.column("id").to_pylist()
    known = [row for row, time in enumerate(times) if time is not None]
    ranked = sorted(known, key=lambda row: (times[row], hash_of([ids[row]], split.seed)))
    assert set(np.flatnonzero(mask)) == set(ranked[-150:])


def test_rows_without_a_time_are_never_held_out() -> None:
    table = pa.table({"id": range(10), "t": [None, float("nan"), *range(8)]})
    mask = held_out(table, ["id"], Split(time_column="t", test_percent="100"))
    assert mask.tolist() == [False, False, *[True] * 8]


def test_times_are_sorted_out_before_they_are_too_many() -> None:
    rows = 1_200_000
    table = pa.table({"id": range(rows), "t": np.random.default_rng(2).permutation(rows)})
    line = draw_line(Split(time_column="t", test_percent="1"), ("id",), rows, table.to_batches(100_000))
    assert line.border is not None
    assert line.border.time == rows - rows // 100


def test_an_infinite_time_is_refused() -> None:
    table = pa.table({"id": [1, 2], "t": [1.0, float("inf")]})
    with pytest.raises(DataError, match=r"spec.split.timeColumn = 't': holds infinite times"):
        held_out(table, ["id"], Split(time_column="t"))


def test_a_version_that_does_not_say_where_its_line_is_cannot_be_split() -> None:
    with pytest.raises(DataError, match="border: the manifest does not say where the line is drawn"):
        SplitLine(Split(stratify_by="kind"), ("id",)).mask(_sales(10))


def test_copies_are_on_the_side_of_their_origin() -> None:
    table = _sales(500)
    line = draw_line(Split(stratify_by="kind"), ("id",), table.num_rows, [table])
    copies = pa.concat_tables([table, table.slice(0, 100), table.slice(0, 100)])
    assert (line.mask(copies)[500:] == np.tile(line.mask(table)[:100], 2)).all()


def test_two_options_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="only one of stratifyBy, groupBy and timeColumn"):
        Split(stratify_by="kind", group_by="shop")


def test_a_boolean_has_no_order_in_time() -> None:
    columns = canonical_columns(_sales(1).schema)
    with pytest.raises(InvalidSpecError, match=r"spec.split.timeColumn = 'paid': is Boolean"):
        check_split(Split(time_column="paid"), columns)
    check_split(Split(time_column="day"), columns)
