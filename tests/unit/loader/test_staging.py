"""The order in which rows are loaded, and the rows that are not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import Fail, HashOrder, OnReject, Order, Quarantine, SourceOrder
from modelyard_loader.keys import Naming
from modelyard_loader.sources.reading import OpenSource, Reject, SourceBatch
from modelyard_loader.staging.accepted import NumberedRows, accepted
from modelyard_loader.staging.ahead import ahead
from modelyard_loader.staging.arranged import arranged
from modelyard_loader.staging.parts import by_key
from modelyard_loader.staging.rejects import Rejects
from modelyard_loader.staging.spool import Spool
from modelyard_loader.staging.staged import chunks_of
from modelyard_loader.staging.steps import rows_at
from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import row_hashes

_NAMING = Naming.of(
    [Column(name="id", type=ColumnType.INTEGER), Column(name="x", type=ColumnType.TEXT)], ["id"]
)
_HASH = Order(hash=HashOrder(seed=7))
_SOURCE = Order(source=SourceOrder())
_FAIL = OnReject(fail=Fail())


class Given(OpenSource):
    """A source that gives these batches, and refuses these rows with the first of them."""

    columns = _NAMING.columns

    def __init__(self, batches: list[SourceBatch], rejects: list[Reject]) -> None:
        super().__init__()
        self._batches = batches
        self.rejects = rejects

    def batches(self) -> Iterator[SourceBatch]:
        yield from self._batches

    @property
    def digest(self) -> str:
        return "sha256:" + "0" * 64

    @property
    def consumed(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


def _quarantine(limit: int) -> OnReject:
    return OnReject(quarantine=Quarantine(limit=limit))


def _rows(ids: list[int] | range, first: int = 1) -> NumberedRows:
    batch = pa.RecordBatch.from_pydict({"id": list(ids), "x": [f"value {each}" for each in ids]})
    return NumberedRows(batch, np.arange(first, first + len(ids), dtype=np.int64))


def _arranged(
    rows: list[NumberedRows], order: Order, directory: Path, rejects: Rejects | None = None
) -> list[tuple[int, int]]:
    found = arranged(rows, _NAMING, order, rejects or Rejects(_FAIL), directory)
    return [
        (number, name)
        for batch in found
        for number, name in zip(batch.numbers.tolist(), batch.rows.column("id").to_pylist(), strict=True)
    ]


def test_rows_come_in_the_order_of_their_hashes_whatever_order_they_arrived_in(tmp_path: Path) -> None:
    table = pa.table({"id": range(1000)})
    expected = np.argsort(row_hashes(table, ["id"], 7)).tolist()
    shuffled = np.random.default_rng(1).permutation(1000).tolist()
    for ids in (list(range(1000)), shuffled):
        assert [name for _, name in _arranged([_rows(ids)], _HASH, tmp_path)] == expected


def test_runs_on_disk_give_the_order_that_memory_gives(tmp_path: Path) -> None:
    spool = Spool(tmp_path, ["id"], seed=7, run_bytes=20_000)
    ids = np.random.default_rng(2).permutation(5000).tolist()
    for start in range(0, 5000, 100):
        spool.add(_rows(ids[start : start + 100], first=start + 1))
    found = [each for batch in spool.batches() for each in batch.rows.column("id").to_pylist()]
    assert len(list(tmp_path.iterdir())) > 5
    assert found == np.argsort(row_hashes(pa.table({"id": range(5000)}), ["id"], 7)).tolist()


@pytest.mark.parametrize("order", [_HASH, _SOURCE])
def test_of_two_rows_of_one_name_the_first_in_the_source_stays(order: Order, tmp_path: Path) -> None:
    rejects = Rejects(_quarantine(2))
    batches = [_rows([5, 1, 5]), _rows([2, 1], first=4)]
    assert sorted(_arranged(batches, order, tmp_path, rejects)) == [(1, 5), (2, 1), (4, 2)]
    assert rejects.table().to_pylist() == [
        {
            "reason": "primaryKey id = 5 names an earlier row too",
            "row_number": 3,
            "content": '{"id": 5, "x": "value 5"}',
        },
        {
            "reason": "primaryKey id = 1 names an earlier row too",
            "row_number": 5,
            "content": '{"id": 1, "x": "value 1"}',
        },
    ]


def test_rows_in_the_order_of_the_source_stay_in_it(tmp_path: Path) -> None:
    found = _arranged([_rows([9, 3, 7]), _rows([1], first=4)], _SOURCE, tmp_path)
    assert found == [(1, 9), (2, 3), (3, 7), (4, 1)]


@pytest.mark.parametrize("order", [_HASH, _SOURCE])
def test_a_name_that_occurs_twice_fails_the_step_and_all_are_counted(order: Order, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        _arranged([_rows([1, 2, 1, 2, 2])], order, tmp_path)
    assert caught.value.message == (
        "source: row 3 does not fit (primaryKey id = 1 names an earlier row too); so do 2 more"
    )
    assert "onReject" in caught.value.remedy


def _batch(ids: list[int | None]) -> SourceBatch:
    rows = {"id": ids, "x": ["a"] * len(ids)}
    batch = pa.RecordBatch.from_pydict(rows, _NAMING.schema)
    return SourceBatch(batch, np.arange(1, len(ids) + 1))


def test_rows_that_do_not_fit_are_set_aside_and_the_others_keep_their_numbers() -> None:
    rejects = Rejects(_quarantine(5))
    source = Given([_batch([10, None, 30])], [Reject(7, "2 fields instead of 3", "a,b")])
    (kept,) = accepted(source, _NAMING, rejects)
    assert kept.numbers.tolist() == [1, 3]
    assert [(each["row_number"], each["reason"]) for each in rejects.table().to_pylist()] == [
        (2, "primaryKey id has no value"),
        (7, "2 fields instead of 3"),
    ]


def test_too_many_rows_that_do_not_fit_are_told_with_the_first_and_their_number() -> None:
    rejects = Rejects(_quarantine(2))
    source = Given([_batch([None, 1]), _batch([None] * 3)], [])
    with pytest.raises(DataError) as caught:
        list(accepted(source, _NAMING, rejects))
    assert caught.value.message == (
        "source: row 1 does not fit (primaryKey id has no value); so do 3 more, and 2 may be set aside in a step"
    )


def test_what_a_refused_row_says_is_cut_to_four_kibibytes() -> None:
    rejects = Rejects(_quarantine(1))
    row = pa.RecordBatch.from_pydict({"x": ["ü" * 5000]})
    rejects.add_rows(row, np.array([1]), "too long")
    (held,) = rejects.table().column("content").to_pylist()
    assert 4000 < len(held.encode()) <= 4096


def test_a_share_of_the_rows_is_rounded_up() -> None:
    assert [rows_at(150, percent) for percent in ("40", "43", "99.9", "100")] == [60, 65, 150, 150]
    assert rows_at(0, "40") == 0
    assert rows_at(10**9, "0.000001") == 10


def test_chunks_are_full_by_rows_or_by_bytes() -> None:
    batches = [_rows(range(start, start + 70)).rows for start in range(0, 350, 70)]
    assert [table.num_rows for table in chunks_of(batches, 100, 1 << 20)] == [100, 100, 100, 50]
    narrow = list(chunks_of(batches, 1000, 2000))
    assert sum(table.num_rows for table in narrow) == 350
    assert max(table.nbytes for table in narrow) < 3000
    assert pa.concat_tables(narrow).column("id").to_pylist() == list(range(350))


def test_rows_of_a_part_are_in_the_order_of_their_keys() -> None:
    table = pa.table({"a": [2, 1, 1], "b": ["x", "z", "y"]})
    assert by_key(table, ("a", "b")).column("b").to_pylist() == ["y", "z", "x"]
    assert by_key(table.slice(0, 1), ("a",)).num_rows == 1
    assert by_key(table.slice(0, 0), ("a",)).num_rows == 0
    ordered = pa.table({"a": [1, 2, 3]})
    assert by_key(ordered, ("a",)) is ordered


def test_reading_ahead_gives_the_same_items_and_the_same_error() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise DataError("broken")

    seen: list[int] = []
    with pytest.raises(DataError, match="broken"), ahead(items()) as taken:
        seen.extend(taken)
    assert seen == list(range(10))


def test_reading_ahead_stops_where_its_reader_stops() -> None:
    taken_count = 0

    def items() -> Iterator[int]:
        nonlocal taken_count
        for number in range(1_000_000):
            taken_count += 1
            yield number

    with ahead(items(), count=2) as taken:
        assert next(taken) == 0
    assert taken_count < 100
