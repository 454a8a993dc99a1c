"""A Dataset's table as it was, and every operation on it, on a real server as the project's role."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from modelyard_loader.working_copy.history import drop_history, make_history, record_updates
from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry, append, head
from modelyard_loader.working_copy.tables import DatasetTable
from tests.support.postgres import DATABASE, PostgresServer

Session = psycopg.Connection[tuple[object, ...]]
Row = tuple[object, ...]

_START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_UID = "0a1b2c3d-0000-4000-8000-000000000000"
# Columns may have any name that is not reserved, those that the audit's own tables use included.
_COLUMNS = ("id", "sequence", "price", "sold", "Old Owner")
_OTHERS = {"sequence": "text", "price": "double precision", "sold": "boolean", "Old Owner": "bigint"}


@pytest.fixture
def table(postgres_server: PostgresServer, new_project: Callable[[], str]) -> DatasetTable:
    project = postgres_server.make_project(new_project())
    return DatasetTable(project.schema, "houses", _UID, ("id",), _COLUMNS)


@pytest.fixture
def session(table: DatasetTable, postgres_server: PostgresServer) -> Iterator[Session]:
    with psycopg.connect(
        host="127.0.0.1",
        port=postgres_server.port,
        dbname=DATABASE,
        user=table.schema,
        password=f"secret of {table.schema}",
        autocommit=True,
    ) as connection:
        connection.execute("SET timezone TO UTC")
        columns = ", ".join(f'"{name}" {kind}' for name, kind in _OTHERS.items())
        for name in ("houses", "pg_temp.incoming"):
            statement = (
                f"CREATE TABLE {name} (id bigint PRIMARY KEY, {columns}, load_sequence bigint NOT NULL)"
            )
            connection.execute(statement.encode())
        make_history(connection, table)
        yield connection


def load(session: Session, table: DatasetTable, sequence: int, rows: list[Row]) -> None:
    """Loads rows, new ones and others in the place of those of the same id, a minute after the load before."""
    moment = _START + timedelta(minutes=sequence)
    previous = head(session, table.schema, table.uid)
    entry = LedgerEntry(
        dataset=table.dataset,
        dataset_uid=table.uid,
        sequence=sequence,
        batch_name=f"houses-{sequence:06d}",
        percentage="100",
        total_rows=0,
        offered=len(rows),
        accepted=len(rows),
        rejected=0,
        source_digest="",
        generation=1,
        image="",
        started_at=moment,
        completed_at=moment,
        metadata={},
        requested_by="anna",
        trigger="Schedule",
    ).sealed(previous.hash if previous else GENESIS)
    with session.transaction():
        session.execute("TRUNCATE incoming")
        for row in rows:
            session.execute("INSERT INTO incoming VALUES (%s, %s, %s, %s, %s, %s)", [*row, sequence])
        record_updates(session, table, sequence, moment, sql.Identifier("incoming"))
        session.execute("DELETE FROM houses USING incoming WHERE houses.id = incoming.id")
        session.execute("INSERT INTO houses SELECT * FROM incoming")
        append(session, table.schema, entry)


_FIRST: list[Row] = [(1, "a", 0.1, True, 9007199254740993), (2, "ü", float("inf"), None, None)]
_SECOND: list[Row] = [(2, "b", -1e300, False, -1), (3, None, 5e-324, None, 0)]
_THIRD: list[Row] = [(2, "c", None, True, 2)]


@pytest.fixture
def loaded(session: Session, table: DatasetTable) -> Session:
    for sequence, rows in enumerate((_FIRST, _SECOND, _THIRD), start=1):
        load(session, table, sequence, rows)
    return session


def was(session: Session, argument: str) -> list[Row]:
    return session.execute(f"SELECT * FROM houses_as_of({argument}) ORDER BY id".encode()).fetchall()  # noqa: S608


def test_rows_are_given_as_they_were_after_each_load(loaded: Session) -> None:
    one, two = _FIRST
    new, three = _SECOND
    assert was(loaded, "0") == []
    assert was(loaded, "1") == [(*one, 1), (*two, 1)]
    assert was(loaded, "2") == [(*one, 1), (*new, 2), (*three, 2)]
    assert was(loaded, "3") == [(*one, 1), (*_THIRD[0], 3), (*three, 2)]
    assert was(loaded, "99") == was(loaded, "3")


@pytest.mark.parametrize(("minutes", "sequence"), [(0.9, 0), (1, 1), (1.99, 1), (2, 2), (3, 3), (1000, 3)])
def test_a_time_gives_the_rows_of_the_last_load_that_was_done_by_then(
    loaded: Session, minutes: float, sequence: int
) -> None:
    moment = _START + timedelta(minutes=minutes)
    assert was(loaded, f"timestamptz '{moment.isoformat()}'") == was(loaded, str(sequence))


def test_every_operation_is_in_the_history(loaded: Session) -> None:
    found = loaded.execute(
        "SELECT operation_type, operation_date, load_batch_id, id, sequence FROM houses_history"
        " ORDER BY load_batch_id, id"
    ).fetchall()
    times = {sequence: _START + timedelta(minutes=sequence) for sequence in (1, 2, 3)}
    assert found == [
        ("INSERT", times[1], 1, 1, "a"),
        ("INSERT", times[1], 1, 2, "ü"),
        ("UPDATE", times[2], 2, 2, "b"),
        ("INSERT", times[2], 2, 3, None),
        ("UPDATE", times[3], 3, 2, "c"),
    ]


def test_a_change_names_key_and_old_row(loaded: Session) -> None:
    found = loaded.execute(
        "SELECT dataset, sequence, operation, changed_at, key, old_row, old_sequence FROM data_changes"
        " ORDER BY sequence"
    ).fetchall()
    first = {"id": 2, "sequence": "ü", "price": "Infinity", "sold": None, "Old Owner": None}
    second = {"id": 2, "sequence": "b", "price": -(10**300), "sold": False, "Old Owner": -1}
    assert found == [
        ("houses", 2, "UPDATE", _START + timedelta(minutes=2), {"id": 2}, first, 1),
        ("houses", 3, "UPDATE", _START + timedelta(minutes=3), {"id": 2}, second, 2),
    ]


def test_a_removed_row_is_there_up_to_the_load_that_removed_it(loaded: Session) -> None:
    loaded.execute(
        "INSERT INTO data_changes SELECT 'houses', %s, 4, 'DELETE', %s, '{\"id\": 3}', to_jsonb(houses), load_sequence"
        " FROM houses WHERE id = 3",
        [_UID, _START],
    )
    loaded.execute("DELETE FROM houses WHERE id = 3")
    assert [row[0] for row in was(loaded, "3")] == [1, 2, 3]
    assert [row[0] for row in was(loaded, "4")] == [1, 2]
    last = "SELECT operation_type, id FROM houses_history WHERE load_batch_id = 4"
    assert loaded.execute(last).fetchall() == [("DELETE", 3)]


def test_changes_of_another_dataset_of_the_same_name_do_not_count(loaded: Session) -> None:
    loaded.execute(
        "INSERT INTO data_changes SELECT dataset, 'other', sequence, operation, changed_at, key, old_row, 1"
        " FROM data_changes"
    )
    assert len(was(loaded, "1")) == 2
    assert loaded.execute("SELECT count(*) FROM houses_history").fetchone() == (5,)


def test_a_predicate_reaches_the_index_of_the_table(loaded: Session) -> None:
    plan = loaded.execute("EXPLAIN SELECT * FROM houses_as_of(2) WHERE id = 1").fetchall()
    assert any("houses_pkey" in str(line) for line in plan), plan


def test_history_can_be_made_again_and_removed(loaded: Session, table: DatasetTable) -> None:
    make_history(loaded, table)
    assert len(was(loaded, "1")) == 2
    drop_history(loaded, table)
    drop_history(loaded, table)
    loaded.execute("ALTER TABLE houses ADD COLUMN garden boolean")
    make_history(loaded, replace(table, columns=(*_COLUMNS, "garden")))
    assert loaded.execute("SELECT count(garden), count(*) FROM houses_as_of(2)").fetchone() == (0, 3)
