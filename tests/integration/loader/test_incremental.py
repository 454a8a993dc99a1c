"""Forty percent and then three at a time: the same rows, and the same digest, as all at once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.v1alpha1.loading import HashOrder, Order, SourceOrder
from modelyard_api.v1alpha1.sources import BuiltinName, Source, UploadSource
from modelyard_loader.record.files import encoded
from modelyard_loader.working_copy.ledger import entries
from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import row_hashes
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.versions import versions
from tests.integration.loader.test_california import versions_of
from tests.support.loading import LoaderRun

_V1 = [{"name": "v1"}]
_ORDER = Order(hash=HashOrder(seed=7))
PERCENTS = [str(percent) for percent in range(40, 101, 3)]


def in_steps(
    run: LoaderRun, percents: Sequence[str], *, order: Order = _ORDER, source: Source | None = None
) -> list[LoadOutcome]:
    """Outcomes of one load after the other."""
    step = run.step(_V1)
    step = step.model_copy(update={"source": source or step.source})
    return [
        run.here(step.model_copy(update={"sequence": number, "percent": percent, "order": order}))
        for number, percent in enumerate(percents, start=1)
    ]


def rows_by_load(run: LoaderRun, key: str) -> list[list[object]]:
    """Keys of the rows that came with each load, in the order of keys."""
    table = f'{run.project.schema}."{run.name.replace("-", "_")}"'
    with run.postgres.administrator() as connection:
        found = connection.execute(
            f'SELECT array_agg("{key}" ORDER BY "{key}") FROM {table} GROUP BY load_sequence'  # noqa: S608
            " ORDER BY load_sequence"
        ).fetchall()
    return [list(keys) for (keys,) in found]  # type: ignore[call-overload]


def objects_below(store: ObjectStore, run: LoaderRun, directory: str) -> dict[str, int]:
    """Keys and sizes of the Dataset's objects in a directory."""
    prefix = f"{run.project.schema}/datasets/{run.name}/{directory}"
    return {key: store.size(key) or 0 for key in store.keys(prefix)}


@pytest.mark.parametrize(
    ("source", "key"), [(BuiltinName.CALIFORNIA_HOUSING, "row"), (BuiltinName.PRODUCT_TITLES, "product_id")]
)
def test_twenty_one_steps_give_what_one_gives(loader: LoaderRun, source: BuiltinName, key: str) -> None:
    run = replace(loader, source=source, name=source.value, primary_key=[key])
    other = replace(run, name="at-once", uid="22222222-0000-4000-8000-000000000000")
    once = other.here(other.step(_V1))
    outcomes = in_steps(run, PERCENTS)

    total = once.rows
    assert [each.rows for each in outcomes] == [-(-total * int(percent) // 100) for percent in PERCENTS]
    assert [each.sequence for each in outcomes] == list(range(1, 22))
    assert outcomes[-1].variants[0].digest == once.variants[0].digest
    assert {each.source_rows for each in outcomes} == {total}
    assert len({each.variants[0].digest for each in outcomes}) == 21

    store = run.s3.store(run.project.schema)
    pointers = versions(store, run.name, "v1", run.uid)
    assert [each.sequence for each in pointers] == list(range(1, 22))
    assert objects_below(store, run, "staging") == {}
    with run.postgres.administrator() as connection:
        chain = entries(connection, run.project.schema, run.uid)  # raises where the chain is broken
        defaults = connection.execute(
            "SELECT column_default FROM information_schema.columns"
            " WHERE (table_schema, column_name) = (%s, 'load_sequence') AND table_name = %s",
            [run.project.schema, run.name.replace("-", "_")],
        ).fetchall()
    assert defaults == [(None,)]
    assert [(each.sequence, each.percentage, each.accepted) for each in chain] == [
        (number, percent, after - before)
        for number, percent, before, after in zip(
            range(1, 22),
            PERCENTS,
            [0, *(each.rows for each in outcomes)],
            (each.rows for each in outcomes),
            strict=False,
        )
    ]
    loaded = rows_by_load(run, key)
    assert [len(keys) for keys in loaded] == [each.accepted for each in chain]
    whole = versions_of(other, once)["v1"].table
    in_order = whole.take(row_hashes(whole, [key], 7).argsort())
    names = in_order.column(key).to_pylist()
    for keys in loaded:
        assert sorted(names[: len(keys)]) == keys
        names = names[len(keys) :]

    stored = objects_below(store, run, "batches")
    last = versions_of(run, outcomes[-1])["v1"].manifest
    assert {store.key(part.uri) for part in last.parts} == set(stored)
    assert sum(stored.values()) <= 1.1 * len(encoded(in_order))


def _written(rows: pa.Table, ending: str) -> bytes:
    sink = pa.BufferOutputStream()
    if ending == "csv":
        csv.write_csv(rows, sink)
    else:
        pq.write_table(rows, sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("percents", [("100",), ("30", "65", "100")])
def test_the_digest_is_the_same_for_any_format_and_any_order_of_arrival(
    loader: LoaderRun, percents: Sequence[str]
) -> None:
    generator = np.random.default_rng(5)
    rows = pa.table(
        {
            "id": range(1000),
            "x": [None if each < -2 else each for each in generator.normal(size=1000)],
            "t": [f"text {each}" for each in generator.integers(0, 9, 1000)],
        }
    )
    shuffled = rows.take(generator.permutation(1000))
    digests = set()
    for number, (table, ending) in enumerate(((rows, "csv"), (shuffled, "csv"), (shuffled, "parquet"))):
        run = replace(loader, name=f"given-{number}", uid=f"{number:08d}", primary_key=["id"])
        schema = run.project.schema
        run.s3.store(schema).create(f"{schema}/inbox/{run.name}/rows.{ending}", _written(table, ending))
        outcomes = in_steps(run, percents, source=Source(upload=UploadSource()))
        assert outcomes[-1].rows == 1000
        digests.add(outcomes[-1].variants[0].digest)
    assert len(digests) == 1


def test_rows_in_the_order_of_the_source_are_loaded_in_it(loader: LoaderRun) -> None:
    run = replace(loader, source=BuiltinName.IRIS, name="iris")
    order = Order(source=SourceOrder())
    in_steps(run, ("10", "20", "100"), order=order)
    assert rows_by_load(run, "row") == [list(range(1, 16)), list(range(16, 31)), list(range(31, 151))]


def test_rows_that_waited_and_are_gone_are_read_again(loader: LoaderRun) -> None:
    run = replace(loader, source=BuiltinName.IRIS, name="iris")
    other = replace(run, name="other", uid="22222222-0000-4000-8000-000000000000")
    once = other.here(other.step(_V1))
    in_steps(run, ("40",))
    store = run.s3.store(run.project.schema)
    for key in objects_below(store, run, "staging"):
        store.delete(key)
    step = run.step(_V1).model_copy(
        update={"sequence": 2, "percent": "100", "order": Order(source=SourceOrder())}
    )
    last = run.here(step)
    assert (last.rows, last.variants[0].digest) == (150, once.variants[0].digest)
    assert last.variants[0].rows == 150


def test_a_load_whose_predecessor_is_missing_is_refused(loader: LoaderRun) -> None:
    run = replace(loader, source=BuiltinName.IRIS, name="iris")
    in_steps(run, ("40",))
    step = run.step(_V1).model_copy(update={"sequence": 3, "percent": "46"})
    with pytest.raises(DataError, match="load 3 of iris: the ledger ends with load 1"):
        run.here(step)


def test_an_edit_between_two_steps_publishes_the_load_that_is_there(loader: LoaderRun) -> None:
    run = replace(loader, source=BuiltinName.IRIS, name="iris")
    in_steps(run, ("40", "60"))
    documents = [{"name": "v1", "transforms": [{"filter": {"where": "sepal_length > 0"}}]}]
    edited = run.step(documents, generation=2).model_copy(update={"percent": "40", "order": _ORDER})
    outcome = run.here(edited)
    assert (outcome.sequence, outcome.rows, outcome.variants[0].rows, outcome.percent) == (1, 60, 60, "40")
