"""Files of refused rows: a killed load's are swept, those that a load or a waiting snapshot names are not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.loading import OnReject, Quarantine
from modelyard_loader.working_copy.loads import LoadTransaction
from modelyard_loader.working_copy.rebuild import rebuilt
from modelyard_runtime.errors import PlatformError
from tests.integration.loader.test_incremental_refresh import again, asked, uploaded
from tests.integration.loader.test_retention import KilledError, Yard
from tests.support.loading import LoaderRun
from tests.support.mlflow import MLflowServer

_LATER = timedelta(days=2)
_POLICY = OnReject(quarantine=Quarantine(limit=5))


@pytest.fixture
def yard(loader: LoaderRun, mlflow_server: MLflowServer) -> Yard:
    """A Dataset named offers."""
    run = replace(loader, name="offers", primary_key=["id"])
    return Yard(run, mlflow_server.make_project(run.project.schema))


def step(yard: Yard, name: str, content: bytes, **changes: object) -> LoadStep:
    """A load after one more file has come."""
    yard.store.create(f"{yard.run.project.schema}/inbox/offers/{name}", content)
    return uploaded(yard.run, on_reject=_POLICY, **changes)


def killed(yard: Yard, wanted: LoadStep, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that ends right before its commit."""

    def end(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(LoadTransaction, "seal", end)
        with pytest.raises(KilledError):
            yard.run.here(wanted)


def test_refused_rows_of_a_killed_load_go_and_those_of_a_load_stay(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.run.here(step(yard, "a.csv", b"id,price\n1,10\n,20\n"))
    (kept,) = yard.keys("rejects")
    killed(yard, again(step(yard, "b.csv", b"id,price\n2,20\n,30\n,40\n"), 2), monkeypatch)
    assert len(yard.keys("rejects")) == 2
    yard.sweep(yard.step(10), later=timedelta(hours=23))
    assert len(yard.keys("rejects")) == 2, "it may still be at work"
    yard.sweep(yard.step(10), later=_LATER)
    assert yard.keys("rejects") == [kept]
    yard.run.here(again(uploaded(yard.run, on_reject=_POLICY), 2))
    assert asked(yard.run, "SELECT sequence, count(*) FROM data_rejects GROUP BY 1 ORDER BY 1") == [
        (1, 1),
        (2, 2),
    ]
    assert rebuilt(yard.postgres, yard.store, yard.run.step().owner).repaired == ()


def test_refused_rows_of_a_snapshot_that_waits_stay_until_it_is_loaded(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = step(yard, "a.csv", b"id,price\n1,10\n2,20\n,30\n", percent="50")
    killed(yard, half, monkeypatch)
    before = yard.keys("rejects")
    assert len(before) == 1
    yard.sweep(yard.step(10), later=_LATER)
    assert yard.keys("rejects") == before
    yard.run.here(half)
    assert asked(yard.run, "SELECT sequence, row_number FROM data_rejects") == [(1, 3)]


def test_a_snapshot_whose_refused_rows_are_gone_is_read_anew(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = step(yard, "a.csv", b"id,price\n1,10\n2,20\n,30\n", percent="50")
    killed(yard, half, monkeypatch)
    (name,) = yard.keys("rejects")
    yard.store.delete(f"{yard.root}/{name}")
    with pytest.raises(PlatformError, match="set aside are gone"):
        yard.run.here(half)
    assert yard.run.here(half).rejected == 1
    assert yard.keys("rejects") == [name]
