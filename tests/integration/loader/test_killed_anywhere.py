"""Killed at every single statement, block, commit and write, a load is made once and is the same."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
from psycopg import sql

from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import CREDENTIALS_VARIABLE, LoadStep
from modelyard_api.v1alpha1.loading import OnReject, Quarantine
from modelyard_api.v1alpha1.sources import Source, UploadSource
from modelyard_loader.record.loads import LoadRecords
from modelyard_loader.working_copy.ledger import entries
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import load_version
from modelyard_runtime.versions import pointed_uri, versions
from tests.support.killing import Nursery, nursery
from tests.support.loading import LoaderRun

_VARIANTS = [{"name": "v1"}]
_MOST_EVENTS = 150
_AT_ONCE = 2
"""Loaders that are tried beside each other."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def loaders(loader: LoaderRun) -> Iterator[list[Nursery]]:
    """Loaders that can be killed."""
    environment = {CREDENTIALS_VARIABLE: str(loader.mounted()), PROGRESS_VARIABLE: "0"}
    with ExitStack() as stack:
        yield [
            stack.enter_context(nursery(loader.directory, str(number), environment))
            for number in range(_AT_ONCE)
        ]


def _named(loader: LoaderRun, number: int) -> LoaderRun:
    return replace(
        loader, name=f"offers-{number}", uid=f"{number:08d}-0000-4000-8000-000000000000", primary_key=["id"]
    )


def _step(run: LoaderRun, sequence: int, **changes: object) -> LoadStep:
    policy = OnReject(quarantine=Quarantine(limit=10))
    given = {"source": Source(upload=UploadSource()), "on_reject": policy, "sequence": sequence, **changes}
    return run.step(_VARIANTS).model_copy(update=given)


def _put(run: LoaderRun, name: str, lines: list[str]) -> None:
    schema = run.project.schema
    content = "\n".join(["id,price", *lines]).encode()
    run.s3.store(schema).create(f"{schema}/inbox/{run.name}/{name}", content)


def _state(run: LoaderRun) -> dict[str, Any]:
    """Everything that a Dataset has, without what tells one try from another."""
    schema, table = run.project.schema, run.name.replace("-", "_")
    store = run.s3.store(schema)
    with run.postgres.administrator() as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        chain = entries(connection, schema, run.uid)
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()  # noqa: S608
        changes = (
            "SELECT sequence, operation, key, old_row, old_sequence FROM data_changes WHERE dataset_uid = %s"
        )
        rejects = "SELECT sequence, reason, row_number, content FROM data_rejects WHERE dataset_uid = %s"
        aside = [
            sorted(connection.execute(query, [run.uid]).fetchall(), key=repr) for query in (changes, rejects)
        ]
    recorded = LoadRecords(store, run.name, run.uid).chain()
    assert [each.hash for each in recorded] == [each.hash for each in chain]
    return {
        "rows": rows,
        "aside": aside,
        "ledger": [
            (each.sequence, each.percentage, each.total_rows, each.offered, each.accepted, each.rejected)
            for each in chain
        ],
        "versions": _versions(store, run),
        "staging": list(store.keys(f"{schema}/datasets/{run.name}/staging")),
    }


def _versions(store: ObjectStore, run: LoaderRun) -> list[tuple[int, str, str]]:
    """Number and digest of each version; the table of it is read as training does, and proven."""
    pointers = versions(store, run.name, "v1", run.uid)
    tables = [load_version(pointed_uri(store, run.name, pointer), store) for pointer in pointers]
    return [
        (pointer.sequence, version.manifest.content_digest, str(version.table.num_rows))
        for pointer, version in zip(pointers, tables, strict=True)
    ]


@dataclass(frozen=True)
class Trial:
    """The same loads, each of them killed once."""

    loader: LoaderRun
    steps: Callable[[LoaderRun], Iterator[LoadStep]]

    def run(self, loaders: Nursery, kill_at: int) -> tuple[list[str], dict[str, Any]]:
        """What each load was killed at, and what there is when all are made."""
        run = _named(self.loader, kill_at)
        killed: list[str] = []
        for step in self.steps(run):
            if kill_at:
                tried = loaders.load(step, kill_at)
                assert not tried.failed, tried.log
                killed += tried.events[-1:] if tried.killed else []
            tried = loaders.load(step)
            assert not tried.failed, f"after a kill at event {kill_at}: {tried.log}"
        return killed, _state(run)

    def everywhere(self, loaders: list[Nursery]) -> list[str]:
        """Kills at the first event, the second and so on, until there are none left; returns the events."""
        _, expected = self.run(loaders[0], 0)
        events: list[str] = []
        with ThreadPoolExecutor(len(loaders)) as pool:
            for first in range(1, _MOST_EVENTS, len(loaders)):
                numbers = range(first, first + len(loaders))
                for number, (killed, found) in zip(
                    numbers, pool.map(self.run, loaders, numbers), strict=True
                ):
                    assert found == expected, f"killed at event {number}: {killed}"
                    events += killed
                if not killed:
                    return events
        raise AssertionError("the steps do not end")


def _kinds(events: list[str]) -> set[str]:
    """First word of each event, with the directory for a write."""
    return {
        f"{event.split()[0]} {event.split('/')[3]}"
        if event.startswith(("put", "delete"))
        else event.split()[0]
        for event in events
    }


def test_a_load_in_steps_is_the_same_wherever_each_step_is_killed(
    loader: LoaderRun, loaders: list[Nursery]
) -> None:
    def steps(run: LoaderRun) -> Iterator[LoadStep]:
        _put(run, "a.csv", [*(f"{key},{key * 7 % 200}" for key in range(1, 101)), ",1"])
        yield _step(run, 1, percent="40")
        yield _step(run, 2, percent="100")

    events = Trial(loader, steps).everywhere(loaders)
    assert _kinds(events) == {
        "SELECT", "SET", "CREATE", "ALTER", "INSERT", "COPY", "copy:", "commit", "savepoint", "release",
        "put staging", "put batches", "put rejects", "put loads", "put profiles", "put manifests", "put versions",
        "delete staging",
    }  # fmt: skip


def test_a_second_look_is_the_same_wherever_it_is_killed(loader: LoaderRun, loaders: list[Nursery]) -> None:
    def steps(run: LoaderRun) -> Iterator[LoadStep]:
        _put(run, "a.csv", [f"{key},{key * 7 % 200}" for key in range(1, 101)])
        yield _step(run, 1)
        _put(run, "b.csv", [*(f"{key},1" for key in range(90, 111)), ",1"])
        yield _step(run, 2, refresh=True)

    events = Trial(loader, steps).everywhere(loaders)
    assert {"ANALYZE", "UPDATE", "INSERT", "commit", "put batches", "put rejects"} <= _kinds(events)
