"""Roles and schemas of projects, on a real server."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest

from modelyard_provisioner import postgres
from modelyard_provisioner.credentials import Credentials
from modelyard_provisioner.errors import ProvisioningError, UnavailableError
from modelyard_provisioner.plan import Plan
from tests.integration.provisioner.conftest import files_of_project, mounted, plan_for
from tests.support.postgres import DATABASE, PostgresServer
from tests.support.s3 import S3Server

ADMINISTRATOR = {"postgres/username": "administrator", "postgres/password": "is not asked for"}
Session = AbstractContextManager["psycopg.Connection[tuple[object, ...]]"]


@pytest.fixture
def names(new_name: Callable[[], str]) -> list[str]:
    return [new_name(), new_name()]


@pytest.fixture
def plan(names: list[str], postgres_server: PostgresServer, minio_server: S3Server) -> Plan:
    return plan_for(names, postgres_server, minio_server)


def credentials_for(directory: Path, names: list[str], generation: int = 1) -> Credentials:
    files = dict(ADMINISTRATOR)
    for name in names:
        files |= files_of_project(name, generation)
    return mounted(directory, files)


def as_project(
    server: PostgresServer, credentials: Credentials, name: str, database: str = DATABASE
) -> Session:
    login = credentials.project_postgres(name)
    return psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        dbname=database,
        user=login.name,
        password=login.secret,
        autocommit=True,
    )


def test_a_project_makes_its_tables_in_its_schema_by_default(
    plan: Plan, names: list[str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    credentials = credentials_for(tmp_path, names)
    postgres.provision(plan, credentials)
    with as_project(postgres_server, credentials, names[0]) as session:
        session.execute("CREATE TABLE houses (id bigint)")
        found = session.execute(
            "SELECT nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE c.oid = 'houses'::regclass"
        ).fetchall()
    assert found == [(names[0],)]


def test_a_project_reaches_no_other_schema_nor_database(
    plan: Plan, names: list[str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    credentials = credentials_for(tmp_path, names)
    postgres.provision(plan, credentials)
    one, other = names
    with as_project(postgres_server, credentials, other) as session:
        session.execute("CREATE TABLE private_rows (id bigint)")
    with as_project(postgres_server, credentials, one) as session:
        for statement in (
            f'TABLE "{other}".private_rows',
            f'CREATE TABLE "{other}".mine (id bigint)',
            "CREATE TABLE public.mine (id bigint)",
            "CREATE SCHEMA mine",
            "CREATE ROLE mine",
            f'SET ROLE "{other}"',
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            as_project(postgres_server, credentials, one, database)


def test_what_is_there_stays_when_it_is_asked_for_again(
    plan: Plan, names: list[str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    credentials = credentials_for(tmp_path, names)
    postgres.provision(plan, credentials)
    with as_project(postgres_server, credentials, names[0]) as session:
        session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.provision(plan, credentials)
    with as_project(postgres_server, credentials, names[0]) as session:
        assert session.execute("SELECT answer FROM kept").fetchall() == [(42,)]


def test_a_new_password_takes_the_place_of_the_old_one(
    plan: Plan, names: list[str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    old = credentials_for(tmp_path / "old", names, 1)
    new = credentials_for(tmp_path / "new", names, 2)
    postgres.provision(plan, old)
    postgres.provision(plan, new)
    with as_project(postgres_server, new, names[0]) as session:
        assert session.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        as_project(postgres_server, old, names[0])


def test_mlflow_gets_databases_that_projects_cannot_open(
    names: list[str],
    new_name: Callable[[], str],
    postgres_server: PostgresServer,
    minio_server: S3Server,
    tmp_path: Path,
) -> None:
    tracking, users = new_name(), new_name()
    plan = plan_for(names, postgres_server, minio_server, [tracking, users])
    credentials = credentials_for(tmp_path, names)
    mounted(tmp_path, {"tracking/database-username": new_name(), "tracking/database-password": "of MLflow"})
    postgres.provision(plan, credentials)
    owner = credentials.tracking_database()
    with psycopg.connect(
        host="127.0.0.1", port=postgres_server.port, dbname=users, user=owner.name, password=owner.secret
    ) as session:
        session.execute("CREATE TABLE users (id bigint)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        as_project(postgres_server, credentials, names[0], tracking)


def test_an_administrator_without_superuser_will_do(
    plan: Plan, names: list[str], new_name: Callable[[], str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    manager = new_name()
    with postgres_server.administrator() as session:
        session.execute(f"CREATE ROLE \"{manager}\" LOGIN CREATEROLE CREATEDB PASSWORD 'of the manager'")
        session.execute(f'ALTER DATABASE {DATABASE} OWNER TO "{manager}"')
    try:
        credentials = credentials_for(tmp_path, names)
        mounted(tmp_path, {"postgres/username": manager, "postgres/password": "of the manager"})
        borrowed = plan.model_copy(
            update={
                "postgres": plan.postgres.model_copy(
                    update={"private": False, "maintenance_database": DATABASE}
                )
            }
        )
        postgres.provision(borrowed, credentials)
        with as_project(postgres_server, credentials, names[0]) as project:
            project.execute("CREATE TABLE houses (id bigint)")
            project.execute("SELECT * FROM loads")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                project.execute("DROP TABLE data_loads")
        postgres.provision(borrowed, credentials)
    finally:
        with postgres_server.administrator() as session:
            session.execute(f"ALTER DATABASE {DATABASE} OWNER TO administrator")


def test_a_refused_administrator_is_no_reason_to_wait(
    plan: Plan, names: list[str], new_name: Callable[[], str], tmp_path: Path
) -> None:
    credentials = credentials_for(tmp_path, names)
    stranger = new_name()
    mounted(tmp_path, {"postgres/username": stranger, "postgres/password": "a wrong one"})
    with pytest.raises(ProvisioningError, match=f"refuses {stranger}") as caught:
        postgres.provision(plan, credentials)
    assert not isinstance(caught.value, UnavailableError)
    assert "a wrong one" not in str(caught.value)


def test_a_server_that_is_not_there_yet_is_waited_for(plan: Plan, names: list[str], tmp_path: Path) -> None:
    absent = plan.model_copy(update={"postgres": plan.postgres.model_copy(update={"port": 1})})
    with pytest.raises(UnavailableError):
        postgres.provision(absent, credentials_for(tmp_path, names))
