"""Objects of a bucket that get other content after they were loaded: updates with their history, and nothing lost."""

from collections.abc import Mapping
from dataclasses import replace

import obstore
import pytest

from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.loading import OnReject, Quarantine
from modelyard_api.v1alpha1.sources import S3Source, Source
from modelyard_loader.record.loads import LoadContent
from modelyard_runtime.errors import DataError
from tests.integration.loader.test_incremental_refresh import again, asked, chain, values
from tests.support.loading import LoaderRun
from tests.support.s3 import BUCKET


class Lake:
    """Objects that others write, and the Dataset that is made of them."""

    def __init__(self, run: LoaderRun) -> None:
        self.run = run
        self._prefix = f"{run.project.schema}/lake"
        self._client = run.s3.store(run.project.schema).client_of(BUCKET, run.s3.url, "us-east-1")

    def put(self, name: str, rows: Mapping[int | str, float]) -> None:
        """Writes an object, in the place of the one of that name."""
        lines = ["id,price", *(f"{key},{price}" for key, price in rows.items())]
        obstore.put(self._client, f"{self._prefix}/{name}", ("\n".join(lines) + "\n").encode())

    def step(self, **changes: object) -> LoadStep:
        """The first load."""
        source = Source(s3=S3Source(uri=f"s3://{BUCKET}/{self._prefix}/*.csv"))
        return self.run.step([{"name": "v1"}]).model_copy(update={"source": source, **changes})

    def look(self, sequence: int, **changes: object) -> LoadOutcome:
        """A later look."""
        return self.run.here(again(self.step(**changes), sequence))


@pytest.fixture
def lake(loader: LoaderRun) -> Lake:
    """A Dataset named offers whose rows have a key of their own."""
    return Lake(replace(loader, name="offers", primary_key=["id"]))


def test_other_values_and_new_rows_of_a_replaced_object_are_loaded(lake: Lake) -> None:
    lake.put("a.csv", {1: 10, 2: 200})
    lake.put("b.csv", {3: 30})
    lake.run.here(lake.step())
    lake.put("c.csv", {3: 33})
    lake.look(2)
    lake.put("a.csv", {4: 40, 1: 11, 2: 200})
    third = lake.look(3)
    # What an earlier object said of row 3 is not said again.
    assert values(lake.run, third) == {1: 11, 2: 200, 3: 33, 4: 40}
    assert asked(lake.run, "SELECT sequence, old_row, old_sequence FROM data_changes ORDER BY sequence") == [
        (2, {"id": 3, "price": 30}, 1),
        (3, {"id": 1, "price": 10}, 1),
    ]
    entry = chain(lake.run)[-1]
    assert (entry.offered, entry.accepted, entry.total_rows, LoadContent.of(entry).updated) == (3, 2, 4, 1)
    assert not lake.look(4).changed
    other = Lake(replace(lake.run, name="others", uid="22222222-0000-4000-8000-000000000000"))
    lake.put("b.csv", {3: 33})
    assert other.run.here(other.step(on_reject=OnReject(quarantine=Quarantine(limit=1)))).variants[
        0
    ].digest == (third.variants[0].digest)


def test_an_object_that_is_put_back_as_it_was_has_changed_again(lake: Lake) -> None:
    lake.put("a.csv", {1: 10})
    lake.put("b.csv", {2: 20})
    lake.run.here(lake.step())
    lake.put("a.csv", {1: 11})
    assert values(lake.run, lake.look(2)) == {1: 11, 2: 20}
    lake.put("a.csv", {1: 10})
    assert values(lake.run, lake.look(3)) == {1: 10, 2: 20}


def test_rows_that_are_gone_from_a_replaced_object_are_refused_and_nothing_changes(lake: Lake) -> None:
    lake.put("a.csv", {1: 10, 2: 20, 3: 30})
    lake.put("b.csv", {4: 40})
    lake.run.here(lake.step())
    lake.put("a.csv", {1: 11, 5: 50, 6: 60})
    with pytest.raises(DataError, match="the source shrank: 2 of 4 loaded rows are no longer in it"):
        lake.look(2)
    lake.put("b.csv", {4: 40, 2: 20, 7: 70})
    with pytest.raises(DataError, match="the source shrank: 1 of 4 loaded rows are no longer in it"):
        lake.look(2)
    assert asked(lake.run, "SELECT id, price FROM offers ORDER BY id") == [(1, 10), (2, 20), (3, 30), (4, 40)]
    assert len(chain(lake.run)) == 1


def test_a_row_may_move_from_a_replaced_object_to_one_that_was_read_before(lake: Lake) -> None:
    policy = OnReject(quarantine=Quarantine(limit=1))
    lake.put("a.csv", {1: 10, 2: 20, "": 0})
    lake.run.here(lake.step(on_reject=policy))
    lake.put("b.csv", {2: 20, 3: 30, "": 0})
    lake.look(2, on_reject=policy)
    lake.put("a.csv", {1: 10})
    # Row 2 stands in an object that is as it was, beside a row that was set aside with it.
    assert not lake.look(3).changed
    lake.put("a.csv", {1: 12})
    assert values(lake.run, lake.look(3)) == {1: 12, 2: 20, 3: 30}


def test_rows_that_are_named_by_their_number_cannot_be_found_again(lake: Lake) -> None:
    numbered = Lake(replace(lake.run, primary_key=["row"]))
    numbered.put("a.csv", {1: 10})
    numbered.run.here(numbered.step())
    numbered.put("a.csv", {1: 11})
    with pytest.raises(DataError, match=r"lake/a.csv, which was loaded, has other content") as caught:
        numbered.look(2)
    assert "new rows into new objects" in caught.value.remedy
    numbered.put("a.csv", {1: 10})
    numbered.put("b.csv", {1: 11})
    assert numbered.look(2).rows == 2
