"""Databases, and for each project a role that works in one schema and sees no other."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from modelyard_provisioner.audit import ensure_audit
from modelyard_provisioner.credentials import Credentials, Login
from modelyard_provisioner.errors import ProvisioningError, UnavailableError
from modelyard_provisioner.plan import Plan, Postgres

_LOG = logging.getLogger(__name__)
_CONNECT_SECONDS = 5
_REFUSALS = ("password authentication failed", "permission denied", "does not exist", "no pg_hba.conf entry")
"""What a server says that has made up its mind; libpq gives no code for a connection that failed."""


def provision(plan: Plan, credentials: Credentials) -> None:
    """Make the databases, roles and schemas that are missing, and set every role's password.

    Raises:
        UnavailableError: the server does not accept connections.
        ProvisioningError: it refuses the administrator or a statement.
    """
    administrator = credentials.postgres_administrator()
    where = plan.postgres
    with _session(where, administrator, where.maintenance_database) as session:
        if where.tracking_databases:
            owner = credentials.tracking_database()
            _ensure_role(session, owner)
            for database in where.tracking_databases:
                _ensure_database(session, database, owner.name)
        _ensure_database(session, where.database, None)
        if where.private:
            for database in (where.maintenance_database, "template1"):
                _close(session, database)
    with _session(where, administrator, where.database) as session:
        # Nobody makes tables outside of a project's schema.
        session.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for project in plan.projects:
            ensure_project(session, where.database, project, credentials.project_postgres(project))
            _LOG.info("postgres: project %s has role and schema", project)


def ensure_project(session: psycopg.Connection, database: str, project: str, login: Login) -> None:
    """Make a project's role, its schema, and the audit in it. ``session`` is one of the database, with autocommit."""
    _ensure_role(session, login)
    _ensure_schema(session, database, project, login.name)
    ensure_audit(session, project, login.name)


@contextmanager
def _session(where: Postgres, login: Login, database: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(
            host=where.host,
            port=where.port,
            user=login.name,
            password=login.secret,
            dbname=database,
            sslmode=where.sslmode,
            connect_timeout=_CONNECT_SECONDS,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        if any(refusal in str(error) for refusal in _REFUSALS):
            raise ProvisioningError(f"PostgreSQL at {where.host} refuses {login.name}: {error}") from error
        raise UnavailableError(str(error).strip()) from error
    try:
        yield connection
    except psycopg.OperationalError as error:
        raise UnavailableError(str(error).strip()) from error
    except psycopg.Error as error:
        raise ProvisioningError(f"PostgreSQL at {where.host}: {error}") from error
    finally:
        connection.close()


def _exists(session: psycopg.Connection, query: sql.SQL, name: str) -> bool:
    return session.execute(query, (name,)).fetchone() is not None


def _ensure_role(session: psycopg.Connection, login: Login) -> None:
    role = sql.Identifier(login.name)
    if not _exists(session, sql.SQL("SELECT 1 FROM pg_roles WHERE rolname = %s"), login.name):
        session.execute(sql.SQL("CREATE ROLE {}").format(role))
    # The server hashes the password itself (SCRAM); the statement is not logged at its default level.
    session.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(login.secret)))
    _join(session, login.name)


def _join(session: psycopg.Connection, role: str) -> None:
    """An administrator that is no superuser can only give things to roles that it is a member of."""
    row = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row is not None and not row[0]:
        session.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def _ensure_database(session: psycopg.Connection, name: str, owner: str | None) -> None:
    database = sql.Identifier(name)
    if not _exists(session, sql.SQL("SELECT 1 FROM pg_database WHERE datname = %s"), name):
        session.execute(sql.SQL("CREATE DATABASE {}").format(database))
        _LOG.info("postgres: made database %s", name)
    _close(session, name)
    if owner is not None:
        session.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(owner)))


def _close(session: psycopg.Connection, database: str) -> None:
    """Roles without a grant of their own can no longer connect."""
    session.execute(
        sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database))
    )


def _ensure_schema(session: psycopg.Connection, database: str, schema: str, holder: str) -> None:
    """The schema is the administrator's: who owns a schema can drop every table in it, whoever owns the table."""
    role, name = sql.Identifier(holder), sql.Identifier(schema)
    session.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
    mine = sql.SQL(
        "SELECT 1 FROM pg_namespace WHERE nspname = %s AND pg_get_userbyid(nspowner) = current_user"
    )
    if not _exists(session, mine, schema):
        session.execute(sql.SQL("ALTER SCHEMA {} OWNER TO CURRENT_USER").format(name))
    session.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(name, role))
    session.execute(
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(database), role)
    )
    session.execute(
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path TO {}").format(
            role, sql.Identifier(database), name
        )
    )
