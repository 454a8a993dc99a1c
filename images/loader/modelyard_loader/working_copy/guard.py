"""Keeps apart steps that write the record of a Dataset and the one that removes from it.

The operator starts them one after the other. But a node that was lost may come back with its pod, and then a version could
be published, or a load be committed, whose files are being removed. The locks are those of a connection: they end with it,
however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from modelyard_api.contract.steps import Owner
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.tables import lock_name
from modelyard_runtime.errors import PlatformError

_SHARED = "SELECT pg_try_advisory_lock_shared(hashtextextended(%s, 0))"
_ALONE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"


@contextmanager
def publishing(postgres: Postgres, owner: Owner) -> Iterator[None]:
    """While versions are built and published. Raises PlatformError while another step removes versions."""
    with postgres.session() as connection:
        connection.autocommit = True
        _take(connection, _SHARED, _record(postgres, owner), owner)
        yield


@contextmanager
def removing(postgres: Postgres, owner: Owner) -> Iterator[Callable[[], None]]:
    """While versions and files are removed; gives what must be called before each removal.

    Raises PlatformError while another step loads, publishes or removes, and from that call where the connection is lost:
    the locks are gone with it, and others may have begun to write.
    """
    with postgres.session() as connection:
        connection.autocommit = True
        _take(connection, _ALONE, _record(postgres, owner), owner)
        _take(connection, _ALONE, lock_name(postgres.schema, owner.name), owner)

        def check() -> None:
            connection.execute("SELECT 1")

        yield check


def _record(postgres: Postgres, owner: Owner) -> str:
    return f"{postgres.schema} {owner.name} record"


def _take(connection: psycopg.Connection, statement: str, name: str, owner: Owner) -> None:
    row = connection.execute(statement, [name]).fetchone()
    if row is None or not row[0]:
        raise PlatformError(
            "another step loads, publishes or removes versions of this Dataset",
            field=f"Dataset {owner.name}",
            remedy="nothing needs to be done: it is tried again",
        )
