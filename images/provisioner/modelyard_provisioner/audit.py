"""The tables of a project's audit, which its own role can read and append to, and nothing else.

A password of the project that got lost, or a loader that went wrong, can therefore add to the record of what happened
but not rewrite it; the chain of hashes in it tells what the administrator rewrites.
"""

from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import sql

from modelyard_provisioner.errors import ProvisioningError

_STATEMENTS = "audit.sql"
TABLES = ("data_loads", "data_changes", "data_rejects", "data_rules", "data_sweeps", "model_champions")
VIEWS = ("loads", "champions")
_ADDED = {"data_loads": ("requested_by", "trigger")}
"""Columns, all of them text, that tables of an earlier release lack."""
_EARLIER = frozenset({"data_loads"})
"""Tables that the role made itself in an earlier release."""
_LOCK_WAIT = "20s"
"""A load may hold a table for minutes; those that come after must not have to queue behind this one for so long."""


def ensure_audit(session: psycopg.Connection, schema: str, role: str) -> None:
    """Make what is missing, take over what the role owned in an earlier release, and set the role's rights.

    Raises ProvisioningError where the schema has something else under one of the names, and
    psycopg.errors.LockNotAvailable while a load holds a table that must be altered.
    """
    with session.transaction():
        session.execute(
            sql.SQL("SET LOCAL search_path TO {}, pg_temp").format(sql.Identifier(schema)),
        )
        session.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK_WAIT)))
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"audit of {schema}",))
        for name in (*TABLES, *VIEWS):
            _check_free(session, schema, name, role)
        for table in TABLES:
            _take_over(session, schema, table)
        session.execute(files(__package__).joinpath(_STATEMENTS).read_bytes())
        for relation in (*TABLES, *VIEWS):
            _grant(session, sql.Identifier(schema, relation), role, may_append=relation in TABLES)


def _take_over(session: psycopg.Connection, schema: str, table: str) -> None:
    """Bring a table of an earlier release to this one's form; altered only where it differs, since that locks it."""
    found = _relation(session, schema, table)
    if found is None:
        return
    name = sql.Identifier(schema, table)
    if not found.is_mine:
        session.execute(sql.SQL("ALTER TABLE {} OWNER TO CURRENT_USER").format(name))
    present = session.execute(
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        (schema, table),
    ).fetchall()
    for column in _ADDED.get(table, ()):
        if (column,) not in present:
            statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} text")
            session.execute(statement.format(name, sql.Identifier(column)))


def _check_free(session: psycopg.Connection, schema: str, name: str, role: str) -> None:
    """Refuse to take what the role made under a name of the audit for a part of it."""
    found = _relation(session, schema, name)
    kind = "v" if name in VIEWS else "r"
    if found is None or (found.kind == kind and (found.owner != role or name in _EARLIER)):
        return
    raise ProvisioningError(
        f"schema {schema} has a relation {name} that is not the audit's: rename it, or the Dataset that it is of"
    )


@dataclass(frozen=True)
class _Relation:
    kind: str
    owner: str
    is_mine: bool


def _relation(session: psycopg.Connection, schema: str, name: str) -> _Relation | None:
    row = session.execute(
        "SELECT relkind::text, pg_get_userbyid(relowner)::text, pg_get_userbyid(relowner) = current_user FROM pg_class"
        " WHERE relname = %s AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)",
        (name, schema),
    ).fetchone()
    return None if row is None else _Relation(str(row[0]), str(row[1]), is_mine=bool(row[2]))


def _grant(session: psycopg.Connection, relation: sql.Identifier, role: str, *, may_append: bool) -> None:
    holder = sql.Identifier(role)
    session.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}").format(relation, holder))
    rights = sql.SQL("SELECT, INSERT" if may_append else "SELECT")
    session.execute(sql.SQL("GRANT {} ON {} TO {}").format(rights, relation, holder))
