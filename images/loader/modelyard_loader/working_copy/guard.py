"""Keeps apart steps that write the record of a Dataset and the one that removes from it.

The operator starts them one after the other. But a node that was lost may come back with its pod, and then a version could
be published whose parts are being removed. The locks are those of a connection: they end with it, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelyard_api.contract.steps import Owner
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.errors import PlatformError

_SHARED = "SELECT pg_try_advisory_lock_shared(hashtextextended(%s, 0))"
_ALONE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"


@contextmanager
def publishing(postgres: Postgres, owner: Owner) -> Iterator[None]:
    """While versions are built and published. Raises PlatformError while another step removes versions."""
    with _held(postgres, owner, _SHARED):
        yield


@contextmanager
def removing(postgres: Postgres, owner: Owner) -> Iterator[None]:
    """While versions are removed. Raises PlatformError while another step publishes or removes versions."""
    with _held(postgres, owner, _ALONE):
        yield


@contextmanager
def _held(postgres: Postgres, owner: Owner, statement: str) -> Iterator[None]:
    with postgres.session() as connection:
        connection.autocommit = True
        row = connection.execute(statement, [f"{postgres.schema} {owner.name} record"]).fetchone()
        if row is None or not row[0]:
            raise PlatformError(
                "another step publishes or removes versions of this Dataset",
                field=f"Dataset {owner.name}",
                remedy="nothing needs to be done: it is tried again",
            )
        yield
