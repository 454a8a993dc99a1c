"""Postgres is made again from S3 alone, and what somebody rewrote there is told, on both stores."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from modelyard_api.contract.steps import RebuildStep
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.sources import BuiltinName, BuiltinSource, Source
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.rebuild import rebuild
from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry, append, entries, head
from modelyard_loader.working_copy.rebuild import caught_up, rebuilt
from modelyard_runtime.errors import DataError, InvalidSpecError, ObjectMissingError
from modelyard_runtime.progress import Progress
from tests.support.postgres import PostgresServer
from tests.support.s3 import S3Server
from tests.support.working_copy import UID, WorkingCopy, houses, texts_of

OTHER_UID = "4e5f6a7b-0000-4000-8000-000000000000"


def loaded(place: WorkingCopy) -> WorkingCopy:
    """Three loads: the second sets rows aside, the third replaces two."""
    place.load(houses(range(100)))
    place.load(houses(range(100, 120), float("nan")), rejects=["no id", "two ids"])
    place.load(houses([7, 119, 120], -1e300), updated=2)
    return place


@pytest.fixture
def place(
    postgres_server: PostgresServer, minio_server: S3Server, new_project: Callable[[], str]
) -> WorkingCopy:
    project = postgres_server.make_project(new_project())
    return loaded(WorkingCopy(postgres_server, minio_server, project))


@pytest.fixture
def place_on_each_store(
    postgres_server: PostgresServer, s3_server: S3Server, new_project: Callable[[], str]
) -> WorkingCopy:
    project = postgres_server.make_project(new_project())
    return loaded(WorkingCopy(postgres_server, s3_server, project))


def test_a_schema_that_was_lost_comes_back_from_s3_alone(place_on_each_store: WorkingCopy) -> None:
    place = place_on_each_store
    before = place.state()
    assert len(before["houses"]) == 121
    assert [len(before[name]) for name in ("data_loads", "data_changes", "data_rejects")] == [3, 2, 2]
    assert place.holds() == {(True, True)}
    place.lose_schema()
    last = caught_up(place.postgres, place.store, place.owner)
    assert place.state() == before
    assert last is not None
    assert last.sequence == 3
    assert place.load(houses([200])).previous_hash == last.hash


def test_a_rebuild_of_what_is_intact_changes_nothing_and_says_so(place: WorkingCopy) -> None:
    before = place.state()
    step = RebuildStep(
        owner=place.owner,
        source=Source(builtin=BuiltinSource(name=BuiltinName.IRIS)),
        primary_key=["id"],
        variants=[Variant(name="v1")],
        split=Split(),
        postgres=place.postgres.endpoint,
        s3=place.store.endpoint,
    )
    outcome = rebuild(step, place.store, place.postgres).rebuild
    assert outcome is not None
    assert (outcome.sequence, outcome.rows, outcome.repaired) == (3, 121, [])
    assert outcome.audit_head == place.records.chain()[-1].hash
    assert place.state() == before


def test_a_rebuild_tells_how_far_it_is(place: WorkingCopy) -> None:
    progress = Progress()
    rebuilt(place.postgres, place.store, place.owner, progress)
    seen = progress.now()
    assert (seen.phase, seen.done, seen.total) == ("Loading", 123, 123)


@pytest.mark.parametrize(
    ("damage", "repaired"),
    [
        ("DELETE FROM houses WHERE id BETWEEN 3 AND 9", "houses lacked 7 rows"),
        ("TRUNCATE houses", "houses lacked 121 rows"),
        ("UPDATE houses SET price = 1 WHERE id IN (7, 8)", "houses had with other values 2 rows"),
        ("UPDATE houses SET load_sequence = 3 WHERE id = 1", "houses had with other values 1 row"),
        ('INSERT INTO houses SELECT 999, price, sold, "Old Owner", 1 FROM houses WHERE id = 1',
         "houses had besides 1 row"),
        ("DROP TABLE houses CASCADE", "there was no table houses"),
        ("ALTER TABLE houses ADD COLUMN garden boolean", "the table houses had other columns"),
        ("DELETE FROM data_loads WHERE sequence = 2", "data_loads lacked 1 load"),
        ("DELETE FROM data_loads", "data_loads lacked 3 loads"),
        ("DELETE FROM data_changes WHERE key = '{\"id\": 7}'", "data_changes lacked 1 row"),
        ("DELETE FROM data_rejects", "data_rejects lacked 2 rows"),
    ],
)  # fmt: skip
def test_what_was_damaged_is_put_back_and_told(place: WorkingCopy, damage: str, repaired: str) -> None:
    before = place.state()
    place.damage(damage)
    assert rebuilt(place.postgres, place.store, place.owner).repaired == (repaired,)
    assert place.state() == before
    assert rebuilt(place.postgres, place.store, place.owner).repaired == ()


def test_a_history_that_was_dropped_is_there_again_with_the_next_step(place: WorkingCopy) -> None:
    before = place.state()
    place.damage("DROP VIEW houses_history", "DROP FUNCTION houses_as_of(timestamptz)")
    assert caught_up(place.postgres, place.store, place.owner) is not None
    assert place.state() == before


def test_a_restored_backup_is_brought_up_to_the_record(place: WorkingCopy) -> None:
    before = place.state()
    place.damage(
        "CREATE TABLE backup AS SELECT * FROM houses_as_of(2)",
        "DELETE FROM houses",
        "INSERT INTO houses SELECT * FROM backup",
        "DROP TABLE backup",
        "DELETE FROM data_changes",
        "DELETE FROM data_loads WHERE sequence = 3",
    )
    last = caught_up(place.postgres, place.store, place.owner)
    assert last is not None
    assert last.sequence == 3
    assert place.state() == before


@pytest.mark.parametrize("sequences", ["1", "2", "1, 2", "3", "2, 3", "1, 2, 3"])
def test_entries_that_the_ledger_lost_are_there_again_with_the_next_step(
    place: WorkingCopy, sequences: str
) -> None:
    before = place.state()
    place.damage(f"DELETE FROM data_loads WHERE sequence IN ({sequences})")  # noqa: S608
    assert caught_up(place.postgres, place.store, place.owner) == place.records.chain()[-1]
    assert place.state() == before


def test_a_load_that_a_killed_loader_left_unrecorded_is_recorded_by_the_next_step(place: WorkingCopy) -> None:
    entry = place.load(houses([300]), recorded=False)
    assert sorted(place.records.hashes()) == [1, 2, 3]
    assert caught_up(place.postgres, place.store, place.owner) == entry
    assert place.records.chain()[-1] == entry


def test_before_the_first_load_there_is_nothing_to_catch_up_with(place: WorkingCopy) -> None:
    new = replace(place, uid=OTHER_UID)
    assert caught_up(new.postgres, new.store, new.owner) is None
    with pytest.raises(DataError, match="the working copy of houses: has no load to make it from"):
        rebuilt(new.postgres, new.store, new.owner)


def test_a_name_that_the_audit_needs_is_refused_at_the_beginning(place: WorkingCopy) -> None:
    owner = place.owner.model_copy(update={"name": "data-loads"})
    with pytest.raises(InvalidSpecError, match="belongs to the project itself"):
        caught_up(place.postgres, place.store, owner)


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_an_entry_that_was_rewritten_is_named_after_the_rows_were_put_back(
    place: WorkingCopy, sequence: int
) -> None:
    before = place.state()
    place.damage(
        f"UPDATE data_loads SET accepted = accepted + 1 WHERE sequence = {sequence}",  # noqa: S608
        "DELETE FROM houses WHERE id > 50",
    )
    with pytest.raises(
        DataError, match=rf"data_loads, sequence {sequence}: the entry is not the one"
    ) as caught:
        rebuilt(place.postgres, place.store, place.owner)
    assert f"/loads/{UID}/{sequence:06d}-" in caught.value.remedy
    assert place.state()["houses"] == before["houses"]


def test_a_ledger_that_was_forged_from_end_to_end_is_told_by_the_record(place: WorkingCopy) -> None:
    forged: list[LedgerEntry] = []
    for entry in place.records.chain():
        changed = replace(entry, requested_by="somebody else")
        forged.append(changed.sealed(forged[-1].hash if forged else GENESIS))
    place.damage("DELETE FROM data_loads")
    for entry in forged:
        place.postgres.transact(lambda c, entry=entry: append(c, place.project.schema, entry))  # type: ignore[misc]
    assert place.holds() == {(True, True)}
    with pytest.raises(DataError, match="data_loads, sequence 1, 2, 3: the entry is not the one"):
        caught_up(place.postgres, place.store, place.owner)


def test_a_load_that_never_was_is_told(place: WorkingCopy) -> None:
    invented = replace(place.records.chain()[-1], sequence=4).sealed(GENESIS)
    place.postgres.transact(lambda connection: append(connection, place.project.schema, invented))
    with pytest.raises(DataError, match="data_loads, sequence 4: the entry is not the one") as caught:
        rebuilt(place.postgres, place.store, place.owner)
    assert "must remove it" in caught.value.remedy


def test_a_change_that_no_load_has_written_is_told(place: WorkingCopy) -> None:
    with place.session() as session:
        session.execute("INSERT INTO data_changes SELECT * FROM data_changes WHERE key = '{\"id\": 7}'")
    with pytest.raises(DataError, match="data_changes holds 1 row of houses that no load has written"):
        rebuilt(place.postgres, place.store, place.owner)


def test_a_step_looks_at_the_end_of_the_ledger_and_leaves_the_rest_to_a_rebuild(place: WorkingCopy) -> None:
    place.damage("UPDATE data_loads SET accepted = 0 WHERE sequence = 1")
    schema = place.project.schema
    last = caught_up(place.postgres, place.store, place.owner)
    assert last == place.postgres.transact(lambda connection: head(connection, schema, UID))
    with pytest.raises(DataError, match="sequence 1: the entry is not the one that was written"):
        place.postgres.transact(lambda connection: entries(connection, schema, UID))


def _replaced(place: WorkingCopy, key: str, content: bytes) -> None:
    place.store.delete(key)
    place.store.create(key, content)


def test_a_record_that_was_changed_on_s3_is_named(place: WorkingCopy) -> None:
    key = place.records.key(place.records.chain()[1])
    _replaced(place, key, place.store.read(key).replace(b'"accepted":20', b'"accepted":21'))
    place.lose_schema()
    with pytest.raises(DataError, match="the record is not the one that was written") as caught:
        caught_up(place.postgres, place.store, place.owner)
    assert caught.value.field == place.store.uri(key)


def test_a_record_that_is_lost_in_both_places_is_named(place: WorkingCopy) -> None:
    place.store.delete(place.records.key(place.records.chain()[1]))
    place.lose_schema()
    with pytest.raises(DataError, match="load 2 of houses: is neither in the record on S3"):
        caught_up(place.postgres, place.store, place.owner)


def test_a_record_that_is_lost_on_s3_alone_is_written_again(place: WorkingCopy) -> None:
    chain = place.records.chain()
    place.store.delete(place.records.key(chain[1]))
    assert rebuilt(place.postgres, place.store, place.owner).repaired == ("the record on S3 lacked 1 load",)
    assert place.records.chain() == chain


def test_rows_that_are_lost_on_s3_are_named_and_nothing_is_half_done(place: WorkingCopy) -> None:
    part = place.records.chain()[1].metadata["parts"][0]["uri"]
    place.store.delete(place.store.key(part))
    place.lose_schema()
    with pytest.raises(ObjectMissingError) as caught:
        caught_up(place.postgres, place.store, place.owner)
    assert caught.value.field == part
    with place.session() as session:
        assert session.execute("SELECT count(*), to_regclass('houses') FROM loads").fetchone() == (0, None)


def test_two_records_of_one_load_are_told(place: WorkingCopy) -> None:
    first = place.records.chain()[0]
    place.records.write(replace(first, accepted=1).sealed(GENESIS))
    with pytest.raises(DataError, match="load 1 is recorded twice, with different content"):
        caught_up(place.postgres, place.store, place.owner)


def test_a_table_that_someone_else_made_is_not_taken_for_the_working_copy(place: WorkingCopy) -> None:
    place.lose_schema()
    place.damage("CREATE TABLE houses (id bigint)")
    with pytest.raises(DataError, match=r"houses: has other columns .* Modelyard did not make it"):
        caught_up(place.postgres, place.store, place.owner)
    with place.session() as session:
        assert session.execute("SELECT count(*) FROM loads").fetchone() == (0,)


def test_a_table_that_others_build_on_is_not_made_anew_without_them(place: WorkingCopy) -> None:
    place.damage(
        "ALTER TABLE houses ADD COLUMN garden boolean", "CREATE VIEW mine AS SELECT garden FROM houses"
    )
    with pytest.raises(
        DataError, match=r"while something is built on it .*view mine depends on table houses"
    ):
        rebuilt(place.postgres, place.store, place.owner)


def test_entries_of_the_first_release_are_rebuilt_too(place: WorkingCopy) -> None:
    new = replace(place, uid=OTHER_UID)
    part = place.records.chain()[0].metadata["parts"][0]
    entry = replace(
        place.records.chain()[0],
        dataset_uid=OTHER_UID,
        metadata={"batch": part, "key": ["id"], "columns": ["id", "price", "sold", "Old Owner"]},
        requested_by=None,
        trigger=None,
    ).sealed(GENESIS)
    new.lose_schema()
    new.records.write(entry)
    assert caught_up(new.postgres, new.store, new.owner) == entry
    assert len(new.state()["as of 1"]) == 100


def test_the_table_of_a_deleted_dataset_makes_way_with_its_history(place: WorkingCopy) -> None:
    new = replace(place, uid=OTHER_UID)
    old = place.state()
    first = place.records.chain()[0]
    new.records.write(replace(first, dataset_uid=OTHER_UID).sealed(GENESIS))
    assert caught_up(new.postgres, new.store, new.owner) is not None
    with place.session() as session:
        for name, relation in (
            ("houses", "houses_0a1b2c3d"),
            ("houses_history", "houses_0a1b2c3d_history"),
            ("as of 1", "houses_0a1b2c3d_as_of(1)"),
        ):
            assert texts_of(session, relation) == old[name]
    assert len(new.state()["houses"]) == len(new.state()["houses_history"]) == 100
