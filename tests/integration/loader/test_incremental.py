"""Forty percent and then three at a time: the same rows, and the same digest, as all at once."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.v1alpha1.loading import HashOrder, Order
from modelyard_api.v1alpha1.sources import BuiltinName
from modelyard_loader.record.files import _parquet
from modelyard_loader.working_copy.ledger import entries
from modelyard_runtime.hashing import row_hashes
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.versions import versions
from tests.integration.loader.test_california import versions_of
from tests.support.loading import LoaderRun

_V1 = [{"name": "v1"}]
_ORDER = Order(hash=HashOrder(seed=7))
PERCENTS = [str(percent) for percent in range(40, 101, 3)]


def in_steps(
    run: LoaderRun, percents: Sequence[str], documents: Sequence[object] = _V1, order: Order = _ORDER
) -> list[LoadOutcome]:
    """Outcomes of one load after the other."""
    step = run.step(documents)
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
    assert sum(stored.values()) <= 1.1 * len(_parquet(in_order))
