"""The engine: what it may use, what it sees, and what it says when rows do not come or do not fit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.contract.steps import TMP_SIZE_VARIABLE
from modelyard_loader.transforms.chain import Chain
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits, memory_limit, parsed_limit, pod_limits
from modelyard_loader.transforms.rows import BATCH_ROWS, Rows
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.errors import DataError, PlatformError
from tests.support.transforms import chains

_MIB = 2**20


def _many(count: int) -> Rows:
    schema = pa.schema([("id", pa.int64()), *((f"x{number}", pa.float64()) for number in range(7))])

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, count, 50_000):
            draw = np.random.default_rng(start)
            ids = np.arange(start, min(start + 50_000, count))[::-1]
            columns = [pa.array(ids), *(pa.array(draw.random(len(ids))) for _ in range(7))]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return Rows(schema, batches)


def _sorted(engine: Engine) -> Iterator[pa.RecordBatch]:
    [chain] = chains(engine, [{"name": "v", "transforms": [{"filter": {"where": "x0 >= 0"}}]}]).values()
    return chain.batches(engine, ordered=True)


def test_rows_that_do_not_fit_into_memory_are_spilled_and_the_room_is_given_back(tmp_path: Path) -> None:
    engine = Engine(_many(600_000), Limits(memory_bytes=24 * _MIB, directory=tmp_path))
    stream = _sorted(engine)
    ids = [next(stream).column("id").to_numpy()]
    assert sum(file.stat().st_size for file in tmp_path.glob("*/*")) > _MIB
    ids += [batch.column("id").to_numpy() for batch in stream]
    engine.close()
    assert (np.concatenate(ids) == np.arange(600_000)).all()
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_says_what_to_ask_for() -> None:
    engine = Engine(_many(600_000), Limits(memory_bytes=4 * _MIB))
    with pytest.raises(DataError, match=r"spec\.resources\.limits\.memory: the rows do not fit into memory"):
        list(_sorted(engine))
    engine.close()


def test_too_little_disk_says_what_to_ask_for() -> None:
    engine = Engine(_many(600_000), Limits(memory_bytes=24 * _MIB, disk_bytes=8 * _MIB))
    with pytest.raises(DataError, match="the rows do not fit into the room for temporary files") as caught:
        list(_sorted(engine))
    engine.close()
    assert "tmpSize" in caught.value.remedy


@pytest.mark.parametrize("ordered", [False, True])
def test_what_the_reading_of_rows_raises_comes_out_as_it_is(*, ordered: bool) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"id": [1, 2]})
        raise PlatformError("S3 did not answer", field="s3://bucket/part")

    engine = Engine(Rows(pa.schema([("id", pa.int64())]), batches))
    with pytest.raises(PlatformError, match="S3 did not answer"):
        list(Chain(("id",), tuple(canonical_columns(engine.rows.schema))).batches(engine, ordered=ordered))
    engine.close()


def test_rows_are_read_anew_for_each_query_and_come_in_batches_of_bounded_size() -> None:
    rows = pa.table({"id": range(BATCH_ROWS * 2 + 7)})
    engine = Engine(Rows(rows.schema, rows.to_batches))
    chain = Chain(("id",), tuple(canonical_columns(rows.schema)))
    for _ in range(2):
        sizes = [batch.num_rows for batch in chain.batches(engine)]
        assert sum(sizes) == rows.num_rows
        assert max(sizes) <= BATCH_ROWS
    engine.close()


def test_an_engine_beside_another_sees_its_own_rows_in_the_same_limits() -> None:
    first = Engine(_many(10), Limits(memory_bytes=4 * _MIB))
    beside = Engine(_many(600_000), beside=first)
    with pytest.raises(DataError, match=r"spec\.resources\.limits\.memory"):
        list(_sorted(beside))
    assert sum(batch.num_rows for batch in _sorted(first)) == 10
    beside.close()
    assert sum(batch.num_rows for batch in _sorted(first)) == 10
    first.close()


def test_a_query_can_be_left_before_its_end() -> None:
    engine = Engine(_many(300_000))
    first = _sorted(engine)
    assert next(first).num_rows > 0
    first.close()  # type: ignore[attr-defined]
    assert sum(batch.num_rows for batch in _sorted(engine)) == 300_000
    engine.close()


def test_a_row_wise_chain_reads_no_more_than_it_is_asked_for() -> None:
    read = []

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(100):
            read.append(start)
            yield pa.RecordBatch.from_pydict({"id": np.arange(start * BATCH_ROWS, (start + 1) * BATCH_ROWS)})

    engine = Engine(Rows(pa.schema([("id", pa.int64())]), batches))
    documents = [{"name": "v", "transforms": [{"derive": {"column": "twice", "as": "id * 2"}}]}]
    stream = chains(engine, documents)["v"].batches(engine)
    next(stream)
    assert len(read) < 50
    stream.close()  # type: ignore[attr-defined]
    engine.close()


@pytest.mark.parametrize(
    ("transforms", "row_wise", "fitted"),
    [
        ([], True, False),
        (
            [{"filter": {"where": "n > 1"}}, {"text": {"columns": ["t"], "operations": ["Lower"]}}],
            True,
            False,
        ),
        ([{"bin": {"column": "n", "into": "b", "edges": ["0", "1"]}}], True, False),
        ([{"bin": {"column": "n", "into": "b", "quantiles": 3}}], False, True),
        ([{"fillMissing": {"columns": ["n"], "strategy": "Constant", "value": "1"}}], True, False),
        ([{"fillMissing": {"columns": ["n"], "strategy": "Mean"}}], False, True),
        ([{"sample": {"percent": "10"}}, {"dedupe": {"columns": ["n"]}}], False, False),
        ([{"sql": {"query": "SELECT * FROM rows"}}], False, False),
        ([{"balance": {"column": "t", "method": "Under"}}], False, True),
    ],
)
def test_a_chain_knows_how_it_must_be_built(
    transforms: list[object], *, row_wise: bool, fitted: bool
) -> None:
    engine = Engine(pa.table({"id": [1], "n": [1], "t": ["a"]}))
    chain = chains(engine, [{"name": "v", "transforms": transforms}])["v"]
    engine.close()
    assert (chain.row_wise, chain.fitted) == (row_wise, fitted)


def test_a_chain_is_fitted_where_one_that_it_joins_is() -> None:
    documents = [
        {"name": "a", "transforms": [{"fillMissing": {"columns": ["n"], "strategy": "Mean"}}]},
        {
            "name": "b",
            "transforms": [
                {"select": {"columns": ["t"]}},
                {"join": {"variant": "a", "on": ["id"], "columns": ["n"]}},
                {"rename": {"columns": [{"from": "n", "to": "m"}]}},
            ],
        },
        {"name": "c", "transforms": [{"join": {"variant": "b", "on": ["id"], "columns": ["m"]}}]},
    ]
    engine = Engine(pa.table({"id": [1], "n": [1], "t": ["a"]}))
    made = chains(engine, documents)
    engine.close()
    assert made["b"].fitted
    assert made["c"].fitted


@pytest.mark.parametrize(
    ("text", "limit"),
    [("536870912\n", 536870912), ("max\n", None), ("9223372036854771712\n", None), ("", None), ("-1", None)],
)
def test_limit_files_of_both_versions_are_read(text: str, limit: int | None) -> None:
    assert parsed_limit(text) == limit


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"sys/fs/cgroup/memory.max": "1000\n"}, 1000),
        ({"sys/fs/cgroup/memory.max": "max\n", "proc/self/cgroup": "0::/\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/pods/one\n",
                "sys/fs/cgroup/pods/memory.max": "3000\n",
                "sys/fs/cgroup/pods/one/memory.max": "max\n",
            },
            3000,
        ),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "2000\n"}, 2000),
        (
            {
                "proc/self/cgroup": "5:cpu:/pods/one\n4:memory:/pods/one\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/pods/memory.limit_in_bytes": "5000\n",
                "sys/fs/cgroup/memory/pods/one/memory.limit_in_bytes": "4000\n",
            },
            4000,
        ),
    ],
)
def test_the_least_limit_of_the_groups_holds(
    tmp_path: Path, files: dict[str, str], limit: int | None
) -> None:
    assert memory_limit(_tree(tmp_path, files)) == limit


def test_the_engine_takes_a_share_of_what_the_pod_has(tmp_path: Path) -> None:
    root = _tree(tmp_path, {"sys/fs/cgroup/memory.max": str(512 * _MIB)})
    limits = pod_limits({TMP_SIZE_VARIABLE: "2Gi"}, threads=4, root=root)
    assert limits.memory_bytes == int(512 * _MIB * 0.4)
    assert limits.disk_bytes == int(2**31 * 0.7)
    assert limits.threads == 4


def test_a_pod_without_limits_leaves_the_engine_to_the_machine(tmp_path: Path) -> None:
    limits = pod_limits({}, root=tmp_path)
    assert (limits.memory_bytes, limits.disk_bytes, limits.threads) == (None, None, 1)
