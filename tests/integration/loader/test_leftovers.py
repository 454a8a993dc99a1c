"""Files of rows that a killed load has left: the sweep finds and removes them, and never one that may be needed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from modelyard_loader.record.loads import LoadRecords
from modelyard_loader.working_copy.loads import LoadTransaction
from modelyard_loader.working_copy.rebuild import rebuilt
from modelyard_loader.working_copy.tables import lock
from modelyard_runtime.errors import DataError, PlatformError
from modelyard_runtime.s3 import ObjectStore
from tests.integration.loader.test_incremental_refresh import again, chain, put, uploaded, values
from tests.integration.loader.test_retention import KilledError, Yard
from tests.support.loading import LoaderRun
from tests.support.mlflow import MLflowServer

_LATER = timedelta(days=2)


@pytest.fixture
def yard(loader: LoaderRun, mlflow_server: MLflowServer) -> Yard:
    """A Dataset named offers."""
    run = replace(loader, name="offers", primary_key=["id"])
    return Yard(run, mlflow_server.make_project(run.project.schema))


@pytest.fixture
def left(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Two loads with an update between them, and one that was killed right before its commit: the files that it wrote."""
    put(yard.run, "a.csv", {1: 10, 2: 20})
    yard.run.here(uploaded(yard.run))
    put(yard.run, "b.csv", {2: 22, 3: 30})
    yard.run.here(again(uploaded(yard.run), 2))
    before = set(yard.keys("batches"))

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(LoadTransaction, "seal", killed)
        put(yard.run, "c.csv", {4: 40})
        with pytest.raises(KilledError):
            yard.run.here(again(uploaded(yard.run), 3))
    files = set(yard.keys("batches")) - before
    assert len(before) == 3, "two loads, and the first without the row that was replaced"
    assert len(files) == 1
    return files


def test_what_a_killed_load_has_left_is_listed_and_removed_and_nothing_else(
    yard: Yard, left: set[str]
) -> None:
    before = set(yard.keys())
    assert yard.sweep(yard.step(10), later=timedelta(hours=23)).objects_removed == 0
    dry = yard.sweep(yard.step(10, dry_run=True), later=_LATER)
    assert set(yard.keys()) == before
    assert {uri for _, _, uri in yard.listed()} == {yard.store.uri(f"{yard.root}/{key}") for key in left}
    real = yard.sweep(yard.step(10), later=_LATER)
    assert (dry.objects_removed, real.objects_removed, real.versions_removed) == (1, 1, 0)
    assert before - set(yard.keys()) == left
    # The load that was killed is made in the end, and writes its files anew.
    assert values(yard.run, yard.run.here(again(uploaded(yard.run), 3))) == {1: 10, 2: 22, 3: 30, 4: 40}
    assert rebuilt(yard.postgres, yard.store, yard.run.step().owner).repaired == ()


def test_loads_that_only_the_ledger_or_only_the_record_has_keep_their_files(
    yard: Yard, left: set[str]
) -> None:
    records = LoadRecords(yard.store, yard.run.name, yard.run.uid)
    ledger = chain(yard.run)
    yard.store.delete(records.key(ledger[-1]))
    assert yard.sweep(yard.step(10), later=_LATER).objects_removed == len(left)
    records.write(ledger[-1])
    swept = yard.listed()
    assert len(swept) == 1
    with yard.run.postgres.administrator() as connection:
        connection.execute(f'DROP SCHEMA "{yard.run.project.schema}" CASCADE')
    yard.run.postgres.make_project(yard.run.project.schema)
    before = set(yard.keys("batches"))
    assert yard.listed() == []
    for version in yard.store.entries(f"{yard.root}/manifests"):
        yard.store.delete(version.key)
    yard.sweep(yard.step(10), later=_LATER)
    assert set(yard.keys("batches")) == before
    later = yard.listed()
    assert rebuilt(yard.postgres, yard.store, yard.run.step().owner).entry == ledger[-1]
    assert sorted(yard.listed()) == sorted([*swept, *later]), "what was removed before Postgres was lost"


def test_a_load_at_work_and_a_record_that_cannot_be_read_keep_everything(yard: Yard, left: set[str]) -> None:
    def sweep(connection: psycopg.Connection) -> None:
        lock(connection, yard.run.project.schema, yard.run.name)
        with pytest.raises(PlatformError, match="another step loads, publishes or removes"):
            yard.sweep(yard.step(10), later=_LATER)

    yard.postgres.transact(sweep)
    assert left <= set(yard.keys("batches"))
    unknown = f"{yard.root}/loads/{yard.run.uid}/000003-{'0' * 64}.json"
    yard.store.create(unknown, b"{}")
    with pytest.raises(DataError, match="is no record of a load"):
        yard.sweep(yard.step(10), later=_LATER)
    assert left <= set(yard.keys("batches"))
    yard.store.delete(unknown)
    assert yard.sweep(yard.step(10), later=_LATER).objects_removed == 1


@pytest.mark.usefixtures("left")
def test_a_sweep_whose_lock_is_lost_removes_nothing_more(yard: Yard) -> None:
    class Lossy(ObjectStore):
        """A store whose first removal costs the sweep its connection to Postgres."""

        lose: Callable[[], None] = staticmethod(lambda: None)

        def delete(self, key: str) -> None:
            super().delete(key)
            self.lose()

    def lose() -> None:
        with yard.run.postgres.administrator() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = %s",
                [yard.run.project.username],
            )

    store = Lossy(yard.store.endpoint, yard.run.s3.login)
    store.lose = lose
    for each in ("x", "y"):
        yard.store.create(f"{yard.root}/batches/{each}.parquet", b"rows of nobody")
    before = len(yard.keys("batches"))
    with pytest.raises(PlatformError, match="no answer"):
        yard.sweep(yard.step(10), later=_LATER, store=store)
    assert len(yard.keys("batches")) == before - 1
