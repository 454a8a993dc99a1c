"""What a project's role can do to its audit, and what becomes of an earlier release's, on a real server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from modelyard_provisioner import audit
from modelyard_provisioner.credentials import Login
from modelyard_provisioner.errors import ProvisioningError
from modelyard_provisioner.postgres import ensure_project
from tests.support.postgres import DATABASE, PostgresServer, Project

TABLES = ("data_loads", "data_changes", "data_rejects", "data_rules", "data_sweeps")
_OLD_LEDGER = """
CREATE TABLE data_loads (
  dataset text NOT NULL, dataset_uid text NOT NULL, sequence integer NOT NULL, batch_name text NOT NULL,
  percentage numeric NOT NULL, total_rows bigint NOT NULL, offered bigint NOT NULL, accepted bigint NOT NULL,
  rejected bigint NOT NULL, source_digest text NOT NULL, generation bigint NOT NULL, image text NOT NULL,
  started_at timestamptz NOT NULL, completed_at timestamptz NOT NULL, metadata jsonb NOT NULL,
  previous_hash text NOT NULL, hash text NOT NULL, PRIMARY KEY (dataset_uid, sequence)
)
"""
_ENTRY = """
INSERT INTO data_loads (dataset, dataset_uid, sequence, batch_name, percentage, total_rows, offered, accepted, rejected,
  source_digest, generation, image, started_at, completed_at, metadata, previous_hash, hash)
VALUES ('houses', 'u', 1, 'houses-000001', 100, 3, 3, 3, 0, 'sha256:0', 1, 'image', '2026-01-02T03:04:05Z',
  '2026-01-02T03:04:05Z', '{"key": ["row"]}', 'sha256:' || repeat('0', 64),
  'sha256:353751753f67508eb0973ccf7a24c078f7465a10f4c47c61a8120df47c44d29d')
"""
"""The entry whose hash the loader's own tests pin."""
Session = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class Provisioned:
    """A project, and ways to it."""

    server: PostgresServer
    project: Project

    @contextmanager
    def role(self) -> Iterator[Session]:
        """What the project's own role sees."""
        with self.server.session_of(self.project) as session:
            yield session

    @contextmanager
    def administrator(self) -> Iterator[Session]:
        """What the administrator sees in the project's schema."""
        with self.server.administrator() as session:
            session.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self.project.schema)))
            yield session


@pytest.fixture
def provisioned(postgres_server: PostgresServer, new_name: Callable[[], str]) -> Provisioned:
    return Provisioned(postgres_server, postgres_server.make_project(new_name()))


@pytest.fixture(scope="module")
def untouched(postgres_server: PostgresServer, new_name: Callable[[], str]) -> Provisioned:
    """One project for all that is refused."""
    return Provisioned(postgres_server, postgres_server.make_project(new_name()))


@pytest.mark.parametrize("table", TABLES)
def test_the_role_reads_and_appends(untouched: Provisioned, table: str) -> None:
    with untouched.role() as session:
        session.execute(f"SELECT * FROM {table}")  # noqa: S608
        session.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE false")  # noqa: S608


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET dataset = 'other'",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "DROP TABLE {} CASCADE",
        "ALTER TABLE {} ADD COLUMN more text",
        "ALTER TABLE {} RENAME TO other",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} OWNER TO CURRENT_USER",
        "CREATE TRIGGER quiet BEFORE INSERT ON {} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE quiet AS ON INSERT TO {} DO INSTEAD NOTHING",
    ],
)
def test_the_role_rewrites_nothing(untouched: Provisioned, table: str, statement: str) -> None:
    with untouched.role() as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement.format(table).encode())


@pytest.mark.parametrize(
    "statement",
    [
        'DROP SCHEMA "{schema}" CASCADE',
        'ALTER SCHEMA "{schema}" RENAME TO other',
        'ALTER SCHEMA "{schema}" OWNER TO CURRENT_USER',
        "DROP VIEW loads",
        "CREATE OR REPLACE VIEW loads AS SELECT 1 AS dataset",
        "CREATE OR REPLACE FUNCTION canonical_json(document jsonb) RETURNS text LANGUAGE sql AS $$ SELECT '' $$",
        "DROP FUNCTION data_loads_hash(data_loads) CASCADE",
    ],
)
def test_the_role_takes_nothing_away_from_around_the_audit(untouched: Provisioned, statement: str) -> None:
    with untouched.role() as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement.format(schema=untouched.project.schema).encode())


def test_the_view_computes_the_hash_that_the_loader_computes(provisioned: Provisioned) -> None:
    with provisioned.role() as session:
        session.execute(_ENTRY)
        assert session.execute("SELECT entry_holds, link_holds FROM loads").fetchall() == [(True, True)]


def test_text_of_every_kind_is_spelt_as_the_loader_spells_it(provisioned: Provisioned) -> None:
    with provisioned.role() as session:
        found = session.execute(
            "SELECT canonical_json(%s::jsonb)",
            ['{"ä": [1, true, null, {}], "b": "\\" \\\\ / \\n \\u0001 \\u007f ☃", "B": [], "aa": -7}'],
        ).fetchone()
    assert found == ('{"B":[],"aa":-7,"b":"\\" \\\\ / \\n \\u0001 \x7f ☃","ä":[1,true,null,{}]}',)


@pytest.mark.parametrize(
    "change",
    [
        "accepted = 4",
        'metadata = metadata || \'{"key": ["id"]}\'',
        "completed_at = completed_at + interval '1 microsecond'",
        "requested_by = 'somebody else'",
        "percentage = 100.0",
    ],
)
def test_what_an_administrator_changes_in_an_entry_shows(provisioned: Provisioned, change: str) -> None:
    with provisioned.role() as session:
        session.execute(_ENTRY)
    with provisioned.administrator() as session:
        session.execute(f"UPDATE data_loads SET {change}".encode())  # noqa: S608
    with provisioned.role() as session:
        assert session.execute("SELECT entry_holds FROM loads").fetchall() == [(False,)]


def test_an_entry_that_an_administrator_removed_shows_in_the_one_after_it(provisioned: Provisioned) -> None:
    with provisioned.role() as session:
        session.execute(_ENTRY)
        session.execute(
            "INSERT INTO data_loads SELECT dataset, dataset_uid, 2, batch_name, percentage, total_rows, offered,"
            " accepted, rejected, source_digest, generation, image, started_at, completed_at, metadata, hash, ''"
            " FROM data_loads"
        )
        links = "SELECT link_holds FROM loads ORDER BY sequence"
        assert session.execute(links).fetchall() == [(True,), (True,)]
    with provisioned.administrator() as session:
        session.execute("DELETE FROM data_loads WHERE sequence = 1")
    with provisioned.role() as session:
        assert session.execute(links).fetchall() == [(False,)]


def _as_an_earlier_release_left_it(provisioned: Provisioned) -> None:
    schema, role = sql.Identifier(provisioned.project.schema), sql.Identifier(provisioned.project.username)
    with provisioned.administrator() as session:
        session.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))
        session.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(schema, role))
    with provisioned.role() as session:
        session.execute(_OLD_LEDGER)
        session.execute(_ENTRY)
        session.execute("CREATE TABLE answers AS SELECT 42 AS answer")


def test_a_ledger_that_the_role_owned_is_taken_over_with_its_entries(provisioned: Provisioned) -> None:
    _as_an_earlier_release_left_it(provisioned)
    for _ in range(2):
        provisioned.server.make_project(provisioned.project.schema)
        with provisioned.role() as session:
            assert session.execute("SELECT entry_holds, link_holds FROM loads").fetchall() == [(True, True)]
            assert session.execute("SELECT requested_by, trigger FROM data_loads").fetchall() == [
                (None, None)
            ]
            for statement in ("DELETE FROM data_loads", "DROP TABLE data_loads", "DROP TABLE data_changes"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement.encode())
            assert session.execute("SELECT answer FROM answers").fetchall() == [(42,)]
            session.execute("UPDATE answers SET answer = 42")


def test_an_administrator_without_superuser_takes_it_over_too(
    provisioned: Provisioned, new_name: Callable[[], str]
) -> None:
    _as_an_earlier_release_left_it(provisioned)
    project, manager = provisioned.project, new_name()
    with provisioned.administrator() as session:
        names = {"role": sql.Identifier(manager), "database": sql.Identifier(DATABASE)}
        for statement in (
            "CREATE ROLE {role} LOGIN CREATEROLE PASSWORD 'of the manager'",
            "GRANT ALL ON DATABASE {database} TO {role} WITH GRANT OPTION",
        ):
            session.execute(sql.SQL(statement).format(**names))
    with psycopg.connect(
        host="127.0.0.1",
        port=provisioned.server.port,
        dbname=DATABASE,
        user=manager,
        password="of the manager",
        autocommit=True,
    ) as session:
        for _ in range(2):
            ensure_project(session, DATABASE, project.schema, Login(project.username, project.password))
        owners = "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'data%%'"
        assert session.execute(owners, [project.schema]).fetchall() == [(manager,)]
    with provisioned.role() as session:
        assert session.execute("SELECT entry_holds, link_holds FROM loads").fetchall() == [(True, True)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("DROP TABLE data_loads CASCADE")


def test_a_function_that_the_role_made_beforehand_is_the_administrators_afterwards(
    provisioned: Provisioned,
) -> None:
    _as_an_earlier_release_left_it(provisioned)
    blind = "CREATE OR REPLACE FUNCTION canonical_json(document jsonb) RETURNS text LANGUAGE sql AS $$ SELECT '' $$"
    with provisioned.role() as session:
        session.execute(blind.encode())
    provisioned.server.make_project(provisioned.project.schema)
    with provisioned.role() as session:
        assert session.execute("SELECT entry_holds FROM loads").fetchall() == [(True,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(blind.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE loads (id bigint)",
        "CREATE VIEW loads AS SELECT 1 AS id",
        "CREATE TABLE data_changes (id bigint)",
        "CREATE VIEW data_loads AS SELECT 1 AS id",
    ],
)
def test_what_the_role_made_under_a_name_of_the_audit_is_not_taken_for_it(
    provisioned: Provisioned, statement: str
) -> None:
    schema = sql.Identifier(provisioned.project.schema)
    with provisioned.administrator() as session:
        session.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))
        session.execute(
            sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
                schema, sql.Identifier(provisioned.project.username)
            )
        )
    with provisioned.role() as session:
        session.execute(statement.encode())
    name = statement.split()[2]
    with pytest.raises(ProvisioningError, match=f"has a relation {name} that is not the audit's"):
        provisioned.server.make_project(provisioned.project.schema)


def test_a_load_that_takes_long_does_not_let_the_provisioning_wait_for_ever(
    provisioned: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_an_earlier_release_left_it(provisioned)
    monkeypatch.setattr(audit, "_LOCK_WAIT", "100ms")
    with provisioned.role() as session, session.transaction():
        session.execute("SELECT * FROM data_loads")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            provisioned.server.make_project(provisioned.project.schema)


def test_another_administrator_takes_over_what_the_last_one_made(
    provisioned: Provisioned, new_name: Callable[[], str]
) -> None:
    other = sql.Identifier(new_name())
    with provisioned.administrator() as session:
        session.execute(sql.SQL("CREATE ROLE {} SUPERUSER").format(other))
        for table in TABLES:
            statement = sql.SQL("ALTER TABLE {} OWNER TO {}")
            session.execute(statement.format(sql.Identifier(table), other))
    provisioned.server.make_project(provisioned.project.schema)
    with provisioned.administrator() as session:
        owners = "SELECT DISTINCT tableowner = current_user FROM pg_tables WHERE schemaname = %s"
        assert session.execute(owners, [provisioned.project.schema]).fetchall() == [(True,)]


def test_provisioning_again_waits_for_no_load(provisioned: Provisioned) -> None:
    with provisioned.role() as session, session.transaction():
        session.execute(_ENTRY)
        provisioned.server.make_project(provisioned.project.schema)
