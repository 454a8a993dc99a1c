"""One connection to the project's schema for all threads of a worker; opened again when the server went away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg import errors

from modelyard_api.contract.steps import PostgresEndpoint
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import PlatformError
from modelyard_runtime.retry import Patience, patiently

Result = TypeVar("Result")

_CONNECT_SECONDS = 5
_OPTIONS = '-c lock_timeout=20s -c statement_timeout=60s -c timezone=UTC -c search_path="{schema}"'
_NOT_PROVISIONED = (errors.InsufficientPrivilege, errors.InvalidSchemaName, errors.UndefinedTable)


class Connection:
    """Work is handed over as a function of a connection, so that it can be done again from its beginning."""

    def __init__(self, endpoint: PostgresEndpoint, login: Login, patience: Patience | None = None) -> None:
        self._endpoint = endpoint
        self._login = login
        self._patience = patience or Patience(total=90.0)
        self._lock = threading.Lock()
        self._open: psycopg.Connection | None = None

    def transact(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Result of ``work`` in one transaction. It must find out by itself what an earlier try has committed.

        Raises PlatformError when the server does not answer in time or refuses the project's role.
        """

        def whole(session: psycopg.Connection) -> Result:
            with session.transaction():
                return work(session)

        return self.ask(whole)

    def ask(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Result of ``work`` of one statement, which is a transaction by itself: a third of the round trips."""
        where = f"Postgres at {self._endpoint.host}"
        with self._lock:
            try:
                return patiently(lambda: self._attempt(work), _may_pass, self._patience, where)
            except _NOT_PROVISIONED as error:
                raise PlatformError(
                    _first_line(error),
                    field=f"schema {self._endpoint.schema_}",
                    remedy="wait for the project's provisioning, or repair the rights of its role",
                ) from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise PlatformError(
                    f"no answer ({_first_line(error)})",
                    field=f"{where}:{self._endpoint.port}",
                    remedy="check that the server is up and reachable from the project's namespace",
                ) from error

    def together(self, work: Callable[[psycopg.Connection], Result], *, may_be_lost: bool = False) -> Result:
        """Result of ``work``, whose statements are sent together as one transaction: one round trip, one commit.

        No statement can depend on the answer to another, and cursors have their answers only once this has returned. What is sent
        together up to the end of a pipeline is a transaction without being called one; BEGIN and COMMIT of psycopg's would be
        waited for each.
        ``may_be_lost`` says that the commit need not wait for the disk. It is as visible and as whole as any other; only
        if Postgres itself crashes, the last fraction of a second of such commits is gone. That is right for what is told
        again soon anyway, and for nothing that somebody relies on having written.
        """

        def whole(session: psycopg.Connection) -> Result:
            with session.pipeline():
                if may_be_lost:
                    # SET LOCAL, which would warn that nobody has said BEGIN.
                    session.execute("SELECT set_config('synchronous_commit', 'off', true)")
                return work(session)

        return self.ask(whole)

    def close(self) -> None:
        """Ends the connection; the next work opens another."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _attempt(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        try:
            if self._open is None or self._open.closed:
                self._open = self._connect()
            return work(self._open)
        except Exception as error:
            if _may_pass(error):
                self.close()
            raise
        except BaseException:
            # Interrupted in the middle of a conversation, which nobody can take up again.
            self.close()
            raise

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=self._endpoint.host,
            port=self._endpoint.port,
            dbname=self._endpoint.database,
            user=self._login.username,
            password=self._login.password,
            sslmode=self._endpoint.sslmode,
            connect_timeout=_CONNECT_SECONDS,
            application_name="modelyard-trainer",
            options=_OPTIONS.format(schema=self._endpoint.schema_),
            autocommit=True,
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
        )


def _may_pass(error: Exception) -> bool:
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().split("\n")
    return lines[0].strip() or type(error).__name__
